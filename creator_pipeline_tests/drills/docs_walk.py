"""Runs every command line of the operators' pages on a new PostgreSQL, Redis and stand-ins of the platforms.

``python -m creator_pipeline_tests.drills.docs_walk [PAGE …]``: deployment, backfills, runbook and troubleshooting by default.
One line for each command: ``ran`` with its exit code, or ``not here`` with the reason. Exit 1 when a line that runs fails. The
start lines of the units run with a file system that is read-only outside of what the unit may write, where the machine lets
a mount namespace be made.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from creator_pipeline.core.secrets import new_key
from creator_pipeline.core.windows import today
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import printed_commands, servers
from creator_pipeline_tests.support.paths import ROOT

PAGES = ("deployment", "backfills", "runbook", "troubleshooting")
BIN = Path(sys.executable).parent
_FENCE = re.compile(r"```\n(.*?)```", re.DOTALL)
_CODE = re.compile(
    r"`((?:creator-pipeline|dagster|dagster-daemon|dagster-webserver|dg|docker|kubectl|helm|python) [^`]+)`"
)
NOT_HERE = (
    (r"^(useradd|install|systemctl|sed|/opt/|python3 -m venv)", "changes the machine: needs root and systemd"),
    (r"^(docker|kubectl|helm)\b", "needs an engine or a cluster"),
    (r"^(CREATE|export|make|\.)", "set up by this script itself"),
    (r"^(pg_dump|pg_restore|sqlite3|pip)\b", "played by the drill restore, or by the release tool"),
    (r"^dagster daemons$", "a line of the doctor"),
    (r"^python -m creator_pipeline_tests", "a drill or a tool of its own"),
    (r"…|ARGUMENT|--help|REVISION|TOKEN_|\[\-\-", "a pattern, not a command"),
    (r"^creator-pipeline migrate --to", "goes back: played by test_migrate"),
    (r"^creator-pipeline move", "its own tests, and two further databases"),
    (r"^creator-pipeline smoke --staging", "sends a mail"),
    (r"^creator-pipeline kdp inspect FILE", "needs a report"),
    (r"^creator-pipeline profiles connect", "needs an OAuth application"),
    (r"^creator-pipeline mail suppressions lift", "needs an address that is suppressed"),
    (
        r"^(dagster-daemon|dagster-webserver|dagster code-server|creator-pipeline gateway|dagster dev)",
        "a server: started below",
    ),
    (r"--submit|dagster job backfill", "needs a daemon and its code location: test_backfill"),
)
_ALONE = {"creator-pipeline doctor", "creator-pipeline migrate", "creator-pipeline smoke"}
SERVERS = ("code", "daemon", "webserver", "gateway@")


def lines_of(page: str) -> list[str]:
    """The commands of a page, each once, in their order."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").replace("\\|", "|")
    blocks = [line for block in _FENCE.findall(text) for line in block.splitlines() if line.strip()]
    return list(dict.fromkeys([*blocks, *_CODE.findall(_FENCE.sub("", text))]))


def filled(line: str, token: str) -> str:
    """A line with what the reader fills in."""
    first, last = (today().replace(day=1)).isoformat(), today().isoformat()
    line = re.sub(r"2026-\d\d-\d\d\|", f"{last}|", line)
    line = re.sub(r"--from \S+ --to \S+", f"--from {first} --to {last}", line)
    words = {"TOKEN": token, "SOURCE": "gumroad", "PROFILE": "alice", "ANOTHER": "new@example.com"}
    for word, value in words.items():
        line = re.sub(rf"\b{word}\b", value, line)
    return line.removesuffix(" &")


def why_not(line: str) -> str:
    """Why a line is not run here; empty where it is."""
    if len(line.split()) < 3 and printed_commands.is_name(line) and line not in _ALONE:
        return "only a command's name"
    return next((reason for pattern, reason in NOT_HERE if re.search(pattern, line)), "")


def walk(page: str, env: dict[str, str], token: str) -> list[str]:
    """Run a page's commands; returns those that failed."""
    failed = list[str]()
    for line in lines_of(page):
        if reason := why_not(line):
            print(f"{page:16} not here    {line[:90]}  [{reason}]", flush=True)
            continue
        words = shlex.split(filled(line, token))
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        # The doctor and smoke say `no` of what isn't running here; a wrong usage is 2.
        good = done.returncode == 0 or (words[:2] == ["creator-pipeline", "doctor"] and done.returncode == 1)
        print(f"{page:16} {'ran' if good else 'FAILED':6} {done.returncode:4} {line[:100]}", flush=True)
        if not good:
            failed.append(line)
            print((done.stdout + done.stderr)[-1500:], flush=True)
    return failed


def start_line(unit: str) -> tuple[list[str], list[str]]:
    """The start line of a unit, in this environment, and the folders that it may write to beside its home."""
    text = (ROOT / "deploy" / "systemd" / f"creator-pipeline-{unit}.service").read_text(encoding="utf-8")
    line = re.search(r"^ExecStart=/opt/creator-pipeline/bin/(.*)$", text, flags=re.MULTILINE)
    assert line
    words = shlex.split(line.group(1).replace("%i", str(servers.free_port())))
    return words, re.findall(r"^ReadWritePaths=-?(\S+)$", text, flags=re.MULTILINE)


def sandboxed(words: list[str], home: Path) -> list[str]:
    """The command with ``ProtectSystem=strict`` and ``PrivateTmp``: only the unit's home and /tmp can be written."""
    script = (
        f"mount --make-rprivate / && mount --bind {home} {home} && mount -o remount,bind,ro / && "
        f'mount -o remount,bind,rw {home} && exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sh", *words]


def units(env: dict[str, str], home: Path) -> list[str]:
    """Start each unit's line sandboxed; returns those that ended by themselves within twelve seconds."""
    able = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    (home / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    failed = list[str]()
    for unit in SERVERS:
        words, _ = start_line(unit)
        words = [str(BIN / words[0]), *words[1:]]
        # Ports of the units may be another's on this machine.
        words = [str(servers.free_port()) if word in {"3000", "4000"} else word for word in words]
        log = home / f"{unit}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                sandboxed(words, home) if able else words,
                cwd=home,
                env=env,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        time.sleep(12)
        ended = process.poll()
        print(
            f"unit {unit:11} {'runs' if ended is None else f'ENDED {ended}'}{'' if able else ' (not sandboxed)'}",
            flush=True,
        )
        if ended is None:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
        else:
            failed.append(unit)
            print(log.read_text(errors="replace")[-1500:], flush=True)
    return failed


def main() -> int:
    """Exit code: 0 when every line that can run here ran."""
    pages = sys.argv[1:] or list(PAGES)
    kept_out = ROOT / ".bench"  # not below /tmp, which the units have to themselves; git leaves it out
    kept_out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept_out) as folder, small.small_sandbox() as sandbox:
        home = Path(folder)
        (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        postgres = servers.postgres()
        env = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "GUMROAD", "WHOP"))
            },
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "DAGSTER_HOME": str(home),
            "DATABASE_URL": postgres.fresh_database(),
            "DAGSTER_POSTGRES_URL": postgres.fresh_database(),
            "REDIS_URL": servers.shared_redis().url,
            "APP_SECRET_KEYS": new_key(),
            "GUMROAD_API_URL": sandbox.gumroad_url,
            "GUMROAD_REQUESTS_PER_MINUTE": "60000",
        }
        token = sandbox.world.gumroad["alice"].token
        if "deployment" not in pages:
            add = ["profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token", token]
            subprocess.run([str(BIN / "creator-pipeline"), *add], cwd=ROOT, env=env, check=True)
        failed = [line for page in pages for line in walk(page, env, token)]
        failed += units(env, home)
    print(f"{len(failed)} failed.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
