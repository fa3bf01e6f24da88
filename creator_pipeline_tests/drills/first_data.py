"""How long a new installation takes until a profile's first sales are in it, by each way that the docs tell.

A part of :mod:`.docs_walk`. A clone with ``make demo``; the clone of docs/deployment.md with PostgreSQL and Redis; and the
units of systemd, in a copy of this machine: users, folders and processes are made as the page says, by its own lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from creator_pipeline import settings
from creator_pipeline.core.secrets import new_key
from creator_pipeline_tests.drills.machine_copy import MachineCopy, Unit
from creator_pipeline_tests.faults import cleanup
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.paths import ROOT

READY_SECONDS = 300
SALES = "SELECT count(*) FROM sales_events WHERE event_type = 'sale' AND profile_id = 'alice'"
_FENCE = re.compile(r"```\n(.*?)```", re.DOTALL)
_PORTS = ("3000", "4000", "8088")


@dataclass
class Way:
    """One way from nothing to data.

    Attributes:
        name: for the table.
        steps: lines with their seconds.
        failed: lines that failed.
    """

    name: str
    steps: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    failed: list[str] = field(default_factory=list[str])

    def step(self, line: str, seconds: float, code: int = 0, said: str = "") -> bool:
        """Note a line; whether it went well."""
        self.steps.append((line, seconds))
        print(
            f"{self.name[:16]:16} {'ran' if code == 0 else 'FAILED':6} {code:4} {seconds:6.1f} s {line[:88]}",
            flush=True,
        )
        if code:
            self.failed.append(line)
            print(said[-2500:], flush=True)
        return code == 0

    def timed(self, line: str, act: Callable[[], tuple[int, str]]) -> bool:
        """Do something and note it."""
        begin = time.monotonic()
        code, said = act()
        return self.step(line, time.monotonic() - begin, code, said)

    def until(self, what: str, holds: Callable[[], object], said: Callable[[], str] = lambda: "") -> bool:
        """Wait until something is so, and note how long that took."""
        begin = time.monotonic()
        while not (good := bool(holds())) and time.monotonic() - begin < READY_SECONDS:
            time.sleep(0.2)
        return self.step(what, time.monotonic() - begin, 0 if good else 1, "" if good else said())

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(seconds for _, seconds in self.steps)


def blocks(page: str, heading: str) -> list[list[str]]:
    """Lines of the fenced blocks below a heading."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    part = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [found.strip().splitlines() for found in _FENCE.findall(part)]


def answers(port: int, path: str) -> bool:
    """Whether a server of this machine says 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def play(folder: Path, filled: Callable[[str, str], str]) -> Iterator[Way]:
    """Each way.

    Args:
        folder: an empty one.
        filled: gives a line of the docs with what a reader fills in, a token among it.
    """
    with System() as system:
        # So that PostgreSQL has no databases yet: they are made as the page says.
        (system.folder / "home" / "dagster.yaml").touch()
        system.start("postgres", "redis")
        token = system.sandbox.world.gumroad["alice"].token
        yield from _clone(system, folder, lambda line: filled(line, token))
        if os.getuid() == 0:
            yield _systemd(system, folder, lambda line: filled(line, token))
        else:
            print("With systemd     not here    a copy of this machine needs root", flush=True)


def _platforms(system: System) -> dict[str, str]:
    return {"GUMROAD_API_URL": system.sandbox.gumroad_url, "GUMROAD_REQUESTS_PER_MINUTE": "60000"}


def _readers() -> dict[str, str]:
    """The environment of somebody who has none of ours."""
    ours = {name.upper() for name in settings.Settings.model_fields} | {"VIRTUAL_ENV", "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("DAGSTER")}
    here = str(Path(sys.executable).parent)
    return kept | {"PATH": os.pathsep.join(one for one in kept["PATH"].split(os.pathsep) if one != here)}


def _clone(system: System, folder: Path, filled: Callable[[str], str]) -> Iterator[Way]:
    clone, env = folder / "clone", _readers()

    def shell(words: str, where: Path) -> Callable[[], tuple[int, str]]:
        def act() -> tuple[int, str]:
            done = subprocess.run(
                ["sh", "-c", words], cwd=where, env=env, capture_output=True, text=True, check=False, timeout=1_800
            )
            return done.returncode, done.stdout + done.stderr

        return act

    demo, scheduled = Way("README, make demo"), Way("deployment, From a clean clone to a scheduled Gumroad sync")
    demo.timed("git clone", shell(f"git clone --quiet {ROOT} clone", folder))
    scheduled.steps.extend(demo.steps)
    statements, lines = blocks("deployment", "From a clean clone to a scheduled Gumroad sync")
    for statement in statements:
        scheduled.timed(statement, lambda statement=statement: _asked(system, statement))
    port, log = servers.free_port(), folder / "clone.log"
    given = [_here(filled_line, system, port) for filled_line in (_kept(line, filled) for line in lines)]
    script = "\n".join(f'{line}\necho "@@ $? $EPOCHREALTIME"' for line in given)
    begin = time.time()
    with log.open("wb") as said:
        subprocess.run(
            ["bash", "-c", script], cwd=clone, env=env | _platforms(system), stdout=said, stderr=said, check=False
        )
    text = log.read_text(encoding="utf-8", errors="replace")
    ended = re.findall(r"^@@ (\d+) ([\d.]+)$", text, re.MULTILINE)
    # A shell that ended by itself ended in the line after those that are done.
    ended += [("1", str(time.time()))] * (len(lines) - len(ended))
    for line, (code, at) in zip(lines, ended, strict=True):
        # The doctor says `no` of what doesn't run yet.
        scheduled.step(line, float(at) - begin, 0 if line.endswith(" doctor") else int(code), text)
        begin = float(at)
    setup = next((seconds for line, seconds in scheduled.steps if line == "make setup"), 0.0)
    demo.step("make setup", setup)
    heart = f"export DAGSTER_HOME={clone}/.data DAGSTER_POSTGRES_URL={_url(system, 'clone_dagster')}"
    alive = shell(f"{heart} && .venv/bin/dagster-daemon liveness-check", clone)
    scheduled.until("the daemon is healthy", lambda: alive()[0] == 0, lambda: text)
    scheduled.until("the webserver answers", lambda: answers(port, "/server_info"), lambda: text)
    scheduled.until("a profile's first sales", lambda: system.ask(SALES, "clone_warehouse")[0][0], lambda: text)
    for process in cleanup.working_in(clone):
        process.kill()
    yield scheduled
    demo.timed("make demo DEMO_EXIT=1", shell("make demo DEMO_EXIT=1", clone))
    yield demo


def _url(system: System, database: str) -> str:
    return f"postgresql://pipeline:PASSWORD@localhost:{system.ports['postgres']}/{database}"


def _kept(line: str, filled: Callable[[str], str]) -> str:
    """A line with what is filled in, still in the background where it was."""
    return f"{filled(line)} &" if line.endswith(" &") else filled(line)


def _asked(system: System, statement: str) -> tuple[int, str]:
    named = re.sub(r"(DATABASE )(\w+)", r"\1clone_\2", statement.rstrip(";"))
    system.ask(named, "postgres")
    return 0, ""


def _here(line: str, system: System, webserver: int) -> str:
    """A line with the ports and databases that are free here."""
    line = re.sub(r"localhost:5432/(\w+)", rf"localhost:{system.ports['postgres']}/clone_\1", line)
    return line.replace("localhost:6379", f"localhost:{system.ports['redis']}").replace("-p 3000", f"-p {webserver}")


def _systemd(system: System, folder: Path, filled: Callable[[str], str]) -> Way:
    way = Way("deployment, With systemd")
    [lines] = blocks("deployment", "With systemd")
    for name in ("warehouse", "dagster"):
        system.ask(f"CREATE DATABASE {name} OWNER pipeline", "postgres")
    release, ports = folder / "release", {number: str(servers.free_port()) for number in _PORTS}
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(release)]
    subprocess.run([*build, str(ROOT)], check=True)
    for name in ("deploy", "requirements", "dagster.yaml", ".env.example"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(release)], check=True)
    # The ports of the page may be another's on this machine.
    for path in [release / "deploy" / "workspace.yaml", *(release / "deploy" / "systemd").iterdir()]:
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub("|".join(ports), lambda found: ports[found[0]], text), encoding="utf-8")
    environment = _platforms(system) | {
        "DATABASE_URL": _url(system, "warehouse"),
        "DAGSTER_POSTGRES_URL": _url(system, "dagster"),
        "REDIS_URL": f"redis://localhost:{system.ports['redis']}/0",
        "APP_SECRET_KEYS": new_key(),
        "PUBLIC_URL": f"http://localhost:{ports['8088']}",
    }
    with MachineCopy() as machine:
        machine.run("mkdir -p /srv/release")
        subprocess.run(["cp", "-r", f"{release}/.", str(machine.files / "srv" / "release")], check=True)
        for line in lines[:-2]:
            if not way.timed(line, lambda line=line: machine.run(line, "/srv/release")):
                return way
        with (machine.files / "etc" / "creator-pipeline" / "environment").open("a", encoding="utf-8") as file:
            file.write("".join(f"{name}={value}\n" for name, value in environment.items()))
        logs = _started(way, machine, lines[-1], ports, folder)

        def said() -> str:
            return "\n".join(path.read_text(encoding="utf-8", errors="replace")[-1500:] for path in logs)

        unit = _unit(machine, "creator-pipeline-daemon", ports)
        command = "/opt/creator-pipeline/bin/dagster-daemon liveness-check"
        way.until("the daemon is healthy", lambda: machine.as_unit(unit, command)[0] == 0, said)
        way.until("the webserver answers", lambda: answers(int(ports["3000"]), "/server_info"), said)
        way.until("the gateway answers", lambda: answers(int(ports["8088"]), "/healthz"), said)
        add = "creator-pipeline profiles add alice --email alice@example.com --gumroad-token TOKEN"
        way.timed(add, lambda: machine.as_unit(unit, f"/opt/creator-pipeline/bin/{filled(add)}"))
        way.until("a profile's first sales", lambda: system.ask(SALES)[0][0], said)
        way.until("the gateway is ready", lambda: answers(int(ports["8088"]), "/readyz"), said)
    return way


def _unit(machine: MachineCopy, name: str, ports: dict[str, str]) -> Unit:
    """A unit that was installed; ``name`` as systemctl takes it."""
    template, _, instance = name.partition("@")
    file = machine.files / "etc" / "systemd" / "system" / f"{template}{'@' if instance else ''}.service"
    return Unit.read(file.read_text(encoding="utf-8"), ports.get(instance, instance))


def _started(way: Way, machine: MachineCopy, line: str, ports: dict[str, str], folder: Path) -> list[Path]:
    """Start the units of the line of systemctl, one after the other as their ``After`` says; their logs."""
    logs = list[Path]()
    for name in line.split()[3:]:
        unit, log = _unit(machine, name, ports), folder / f"{name}.log"
        if unit.before:
            way.timed(f"{name}: {unit.before}", lambda unit=unit: machine.as_unit(unit, unit.before))
        machine.start(unit, log)
        logs.append(log)
    return logs
