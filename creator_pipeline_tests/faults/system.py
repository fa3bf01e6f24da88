"""The whole system with servers of its own, each part a process that may be stopped, killed and started again.

    with System() as system:
        system.start()                     # every part, each ready when this returns
        system.add_profiles()
        system.sandbox.world.gumroad.add_sale("alice", pings=True)
        system.wait_until_quiet(60)
        system.kill("gateway")
        system.start("gateway")

PostgreSQL (warehouse and Dagster's storage), Redis, the gateway, Dagster's code server, daemon and webserver are
processes; the sandbox is a thread of this one, so that a test can look into it and change it. Everything lives in
one folder, and a cleanup process ends it all when this process ends, however it does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import yaml

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.faults import accounts, cleanup, configuration, parts
from creator_pipeline_tests.faults.parts import PARTS, SERVERS
from creator_pipeline_tests.faults.progress import Progress
from creator_pipeline_tests.support.forkserver import Child
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.servers import free_port

START_SECONDS = 120.0
SIZES = {"alice": 30, "bea": 15, "chen": 5}
DAYS = 5


class System(AbstractContextManager["System"]):
    """One installation.

    Args:
        world: what the platforms know; a small one of today where none is given.
        webhook_factor: scales the delays of the platforms' webhooks.
        secrets: values for secret variables (``whop_webhook_secret``, …) and any other of the environment.

    Attributes:
        progress: what is still to be done.
        folder: everything is in it; ``logs/PART.log`` too.
        sandbox: the platforms.
        via: part to the port through which the others reach it, where that isn't its own: for proxies.
    """

    def __init__(
        self, world: World | None = None, *, secrets: Mapping[str, str] | None = None, webhook_factor: float = 0.0
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="creator_pipeline_system_")).resolve()
        self.ports = {part: free_port() for part in PARTS}
        self.via: dict[str, int] = {}
        self.sandbox = SandboxServer(
            world or World.invented(7, today=today(), sizes=SIZES, days=DAYS), webhook_factor=webhook_factor
        )
        self.processes: dict[str, subprocess.Popen[bytes] | Child] = {}
        self.launched: dict[str, float] = {}
        self.progress = Progress(self)
        self.secrets = configuration.secrets(secrets or {})

    def __enter__(self) -> System:
        """Makes the folder and starts the sandbox and the cleanup process; no part runs yet."""
        # Its working directory is elsewhere, so that it doesn't find itself.
        self._cleanup = subprocess.Popen(
            [sys.executable, "-m", "creator_pipeline_tests.faults.cleanup", str(self.folder)],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
        )
        for name in ("logs", "home/kdp_inbox", "postgres", "redis"):
            (self.folder / name).mkdir(parents=True)
        # PostgreSQL's own user must be able to reach its folder.
        self.folder.chmod(0o755)
        self.sandbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process, and removes the folder."""
        open_warehouse.cache_clear()
        self.progress.close()
        cleanup.end_all(self.folder)
        for process in self.processes.values():
            if isinstance(process, subprocess.Popen):
                process.wait(5)
        self.sandbox.__exit__(kind, error, trace)
        assert self._cleanup.stdin is not None
        self._cleanup.stdin.close()
        self._cleanup.wait(20)

    def port(self, part: str) -> int:
        """Where the others reach a part."""
        return self.via.get(part, self.ports[part])

    def database_url(self, name: str = "warehouse", *, direct: bool = True) -> str:
        """Of the database ``warehouse`` or ``dagster``; ``direct`` goes past a proxy."""
        port = self.ports["postgres"] if direct else self.port("postgres")
        return f"postgresql://{parts.DATABASE_USER}@127.0.0.1:{port}/{name}"

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, past any proxy."""
        return open_warehouse(self.database_url())

    @property
    def ring(self) -> KeyRing:
        """The keys of the installation."""
        return KeyRing([self.secrets["APP_SECRET_KEYS"]])

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.port('gateway')}"

    def environment(self) -> dict[str, str]:
        """What every part of ours sees; nothing of whoever runs the test."""
        return configuration.environment(self)

    def dagster_config(self) -> dict[str, Any]:
        """``dagster.yaml`` of the installation: the project's."""
        return configuration.dagster_config()

    def start(self, *names: str) -> None:
        """Start parts that don't run, all by default, and wait until each is ready.

        Raises:
            RuntimeError: one ended, or wasn't ready in time; shows the end of its log.
        """
        wanted = [part for part in names or PARTS if not self.running(part)]
        servers = [part for part in wanted if part in SERVERS]
        for part in servers:
            self._launch(part)
        self._wait_ready(servers)
        if not (self.folder / "home" / "dagster.yaml").exists() and self.running("postgres"):
            self._prepare()
        # The daemon and the webserver give up on a code server that isn't there yet.
        for group in (["code", "gateway"], ["daemon", "webserver"]):
            chosen = [part for part in group if part in wanted]
            for part in chosen:
                self._launch(part)
            self._wait_ready(chosen)

    def stop(self, part: str, seconds: float = 30.0) -> None:
        """End a part in good order."""
        # Fast shutdown: PostgreSQL takes SIGTERM as "when everybody has left".
        self._end(part, signal.SIGINT if part == "postgres" else signal.SIGTERM, seconds)

    def kill(self, part: str, *, tree: bool | None = None) -> None:
        """``kill -9`` a part; with ``tree`` what it started as well (of PostgreSQL always: its backends are it)."""
        process = self.processes[part]
        victims = [psutil.Process(process.pid)] if process.poll() is None else []
        if victims and (part == "postgres" if tree is None else tree):
            victims += victims[0].children(recursive=True)
        for victim in victims:
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
        process.wait(10)
        psutil.wait_procs(victims, timeout=10)

    def running(self, part: str) -> bool:
        """Whether its process is there."""
        return part in self.processes and self.processes[part].poll() is None

    def run(self, *command: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment's in the installation, e.g. ``creator-pipeline doctor``."""
        return subprocess.run(
            [str(Path(sys.executable).parent / command[0]), *command[1:]],
            cwd=self.folder / "home",
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def add_profiles(self, *names: str) -> dict[str, str]:
        """Profiles of the sandbox's sellers with their connections and webhooks; returns their keys for uploads."""
        return accounts.add_profiles(self, names)

    def ask(self, query: str, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """The rows of a query, past any proxy."""
        return self.progress.ask(query, database)

    def open_work(self) -> dict[str, int]:
        """What is still to be done, by kind; empty when nothing is."""
        return self.progress.open_work()

    def wait_until_quiet(self, seconds: float, *, steady: float = 6.0) -> None:
        """Until nothing is open, and nothing came up for ``steady`` seconds: see :class:`Progress`."""
        self.progress.wait_until_quiet(seconds, steady=steady)

    def ready(self, part: str) -> bool:
        """Whether a part that was started does its work."""
        return parts.ready(self, part)

    def log_of(self, part: str) -> str:
        """All that a part wrote."""
        path = self.folder / "logs" / f"{part}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _launch(self, part: str) -> None:
        if part == "postgres" and not (self.folder / "postgres" / "data").exists():
            parts.make_postgres_files(self)
        self.launched[part] = time.time()
        self.processes[part] = self._spawn(part)

    def _spawn(self, part: str) -> subprocess.Popen[bytes] | Child:
        with (self.folder / "logs" / f"{part}.log").open("ab") as log:
            return subprocess.Popen(
                parts.command(self, part),
                cwd=self.folder / (part if part in SERVERS else "home"),
                env=None if part in SERVERS else self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _prepare(self) -> None:
        for name in ("warehouse", "dagster"):
            self.create_database(name)
        home = self.folder / "home"
        server = {"grpc_server": {"host": "127.0.0.1", "port": self.ports["code"], "location_name": "creator_pipeline"}}
        (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
        (home / "dagster.yaml").write_text(yaml.safe_dump(self.dagster_config()), encoding="utf-8")
        self._make_stores()

    def _make_stores(self) -> None:
        # Several processes that make Dagster's tables at once disagree about their version.
        made = self.run("dagster", "instance", "migrate")
        assert made.returncode == 0, made.stdout + made.stderr
        self.warehouse.ensure_migrated()

    def create_database(self, name: str) -> None:
        """One more database."""
        self.ask(f"CREATE DATABASE {name}", "postgres")

    def drop_database(self, name: str) -> None:
        """Without it again."""
        self.progress.close(name)
        self.ask(f"DROP DATABASE {name} WITH (FORCE)", "postgres")

    def _wait_ready(self, names: list[str]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for part in names:
            while not self.ready(part):
                if not self.running(part) or time.monotonic() > deadline:
                    raise RuntimeError(f"{part} doesn't start:\n{self.log_of(part)[-4000:]}")
                time.sleep(0.05)

    def _end(self, part: str, number: signal.Signals, seconds: float) -> None:
        process = self.processes[part]
        if process.poll() is None:
            process.send_signal(number)
            process.wait(seconds)
