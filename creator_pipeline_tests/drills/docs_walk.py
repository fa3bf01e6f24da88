"""Runs every command line of the operators' pages on a new PostgreSQL, Redis and stand-ins of the platforms.

``python -m creator_pipeline_tests.drills.docs_walk [PAGE …]``: deployment, backfills, runbook and troubleshooting by default.
One line for each command: ``ran`` with its exit code, or ``not here`` with the reason. With the page deployment, what it takes
from nothing to a profile's first sales by :mod:`.first_data`. At the end the seconds of each page and section, and the
minutes of each way to data. Exit 1 when a line that runs fails. It needs the network, and root for the units of systemd.
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
from creator_pipeline_tests.drills import first_data
from creator_pipeline_tests.drills.first_data import Way
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import printed_commands, servers
from creator_pipeline_tests.support.channels import Channels
from creator_pipeline_tests.support.paths import ROOT

PAGES = ("deployment", "backfills", "runbook", "troubleshooting")
BIN = Path(sys.executable).parent
_FENCE = re.compile(r"```\n(.*?)```", re.DOTALL)
_CODE = re.compile(
    r"`((?:creator-pipeline|dagster|dagster-daemon|dagster-webserver|dg|docker|kubectl|helm|python) [^`]+)`"
)
NOT_HERE = (
    (r"^(useradd|install|systemctl|sed|/opt/|python3 -m venv)", "changes the machine: run below, in a copy of it"),
    (r"^(docker|kubectl|helm)\b", "needs an engine or a cluster"),
    (r"^(CREATE|export|make|\.)", "set up by this script itself, or run below"),
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
        "a server: started by the units below",
    ),
    (r"--submit|dagster job backfill", "needs a daemon and its code location: test_backfill"),
)
_ALONE = {"creator-pipeline doctor", "creator-pipeline migrate", "creator-pipeline smoke"}
LONG = 3.0
"""Seconds from which on a line of a way to data is in the table."""


def lines_of(page: str) -> list[tuple[str, str]]:
    """The commands of a page with their section, each once: those of blocks first, in their order."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").replace("\\|", "|")
    blocks, others = list[tuple[str, str]](), list[tuple[str, str]]()
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        section = part.partition("\n")[0].strip("# ")
        blocks += [(section, line) for block in _FENCE.findall(part) for line in block.splitlines() if line.strip()]
        others += [(section, " ".join(line.split())) for line in _CODE.findall(_FENCE.sub("", part))]
    found: dict[str, str] = {}
    for section, line in (*blocks, *others):
        found.setdefault(line, section)
    return [(section, line) for line, section in found.items()]


def filled(line: str, token: str) -> str:
    """A line with what the reader fills in."""
    first, last = (today().replace(day=1)).isoformat(), today().isoformat()
    line = re.sub(r"2026-\d\d-\d\d\|", f"{last}|", line)
    line = re.sub(r"--from \S+ --to \S+", f"--from {first} --to {last}", line)
    words = {"TOKEN": token, "SOURCE": "gumroad", "CHANNEL": "json", "PROFILE": "alice", "ANOTHER": "new@example.com"}
    for word, value in words.items():
        line = re.sub(rf"\b{word}\b", value, line)
    return line.removesuffix(" &")


def why_not(line: str) -> str:
    """Why a line is not run here; empty where it is."""
    if len(line.split()) < 3 and printed_commands.is_name(line) and line not in _ALONE:
        return "only a command's name"
    return next((reason for pattern, reason in NOT_HERE if re.search(pattern, line)), "")


def walk(page: str, env: dict[str, str], token: str, spent: dict[tuple[str, str], float]) -> list[str]:
    """Run a page's commands; returns those that failed.

    Args:
        page: its name.
        env: of the commands.
        token: of a seller of the stand-in.
        spent: is given the seconds of each section.
    """
    failed = list[str]()
    for section, line in lines_of(page):
        if reason := why_not(line):
            print(f"{page:16} not here    {line[:90]}  [{reason}]", flush=True)
            continue
        words = shlex.split(filled(line, token))
        begin = time.monotonic()
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        seconds = time.monotonic() - begin
        spent[page, section] = spent.get((page, section), 0.0) + seconds
        # The doctor and smoke say `no` of what isn't running here; a wrong usage is 2.
        good = done.returncode == 0 or (words[:2] == ["creator-pipeline", "doctor"] and done.returncode == 1)
        verdict = "ran" if good else "FAILED"
        print(f"{page:16} {verdict:6} {done.returncode:4} {seconds:6.1f} s {line[:88]}", flush=True)
        if not good:
            failed.append(line)
            print((done.stdout + done.stderr)[-1500:], flush=True)
    return failed


def times(spent: dict[tuple[str, str], float], ways: list[Way]) -> str:
    """Seconds of each page and section, and minutes of each way to data."""
    lines = [f"\n{'page':18}{'section':60}{'seconds':>9}"]
    for page in dict.fromkeys(page for page, _ in spent):
        sections = {section: seconds for (one, section), seconds in spent.items() if one == page}
        lines += [f"{page:18}{section[:58]:60}{seconds:9.1f}" for section, seconds in sections.items()]
        lines.append(f"{page:18}{'all':60}{sum(sections.values()):9.1f}")
    if ways:
        lines.append(f"\n{'from nothing to the first sales':78}{'minutes':>9}")
    for way in ways:
        lines.append(f"{way.name:78}{way.seconds / 60:9.1f}")
        lines += [f"    {line[:72]:74}{seconds / 60:9.1f}" for line, seconds in way.steps if seconds >= LONG]
    return "\n".join(lines)


def main() -> int:
    """Exit code: 0 when every line that can run here ran."""
    pages = sys.argv[1:] or list(PAGES)
    spent, ways, channels = dict[tuple[str, str], float](), list[Way](), Channels()
    with tempfile.TemporaryDirectory() as folder, small.small_sandbox() as sandbox:
        home = Path(folder) / "home"
        home.mkdir()
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
            "ALERT_URLS": f"json{channels.url.removeprefix('http')}",
        }
        token = sandbox.world.gumroad["alice"].token
        if "deployment" not in pages:
            add = ["profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token", token]
            subprocess.run([str(BIN / "creator-pipeline"), *add], cwd=ROOT, env=env, check=True)
        failed = [line for page in pages for line in walk(page, env, token, spent)]
        if "deployment" in pages:
            ways = list(first_data.play(Path(folder), filled))
        failed += [line for way in ways for line in way.failed]
    channels.close()
    print(times(spent, ways))
    print(f"{len(failed)} failed.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
