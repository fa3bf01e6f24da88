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
one folder, and a guard ends it all when this process ends, however it does.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import psycopg2
import yaml

from creator_pipeline import settings
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.store import profile_keys, profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.faults import guard, parts
from creator_pipeline_tests.faults.parts import PARTS, SERVERS
from creator_pipeline_tests.faults.zygote import Child
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.servers import free_port

START_SECONDS = 120.0
SIZES = {"alice": 30, "bea": 15, "chen": 5}
DAYS = 5

# What may still have to be done: database to query for a name and a number each.
OPEN_WORK = {
    "warehouse": """
        SELECT 'jobs', count(*) FROM ingestion_jobs WHERE status IN ('queued', 'running')
        UNION ALL SELECT 'mails', count(*) FROM email_messages WHERE status = 'queued'
        UNION ALL SELECT 'days to roll up', count(*) FROM ledger_changes
        UNION ALL SELECT 'files', count(*) FROM kdp_files WHERE state IN ('looked', 'settled')
    """,
    "dagster": "SELECT 'runs', count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')",
}


class System(AbstractContextManager["System"]):
    """One installation.

    Args:
        world: what the platforms know; a small one of today where none is given.
        webhook_factor: scales the delays of the platforms' webhooks.
        secrets: values for secret variables (``whop_webhook_secret``, …) and any other of the environment.

    Attributes:
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
        self._asking: dict[str, Any] = {}
        self.open_queries = dict(OPEN_WORK)
        self.secrets = {
            "APP_SECRET_KEYS": new_key(),
            "GUMROAD_WEBHOOK_SECRET": "ping-path-secret-of-a-system",
            "WHOP_WEBHOOK_SECRET": "ws_c2VjcmV0IG9mIGEgc3lzdGVt",
            "RESEND_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "RESEND_API_KEY": "re_key_of_a_system",
            "SUPABASE_HOOK_SECRET": f"v1,whsec_{b64encode(b'secret of a system of a test ...').decode()}",
            **{name.upper(): value for name, value in (secrets or {}).items()},
        }

    def __enter__(self) -> System:
        """Makes the folder and starts the sandbox and the guard; no part runs yet."""
        # Its working directory is elsewhere, so that it doesn't find itself.
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "creator_pipeline_tests.faults.guard", str(self.folder)],
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
        for connection in self._asking.values():
            connection.close()
        guard.end_all(self.folder)
        for process in self.processes.values():
            if isinstance(process, subprocess.Popen):
                process.wait(5)
        self.sandbox.__exit__(kind, error, trace)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(20)

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
        ours = {name.upper() for name in settings.Settings.model_fields}
        sandbox = f"http://127.0.0.1:{self.via['sandbox']}" if "sandbox" in self.via else self.sandbox.url
        kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith(("DAGSTER", "PG"))}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.folder / "home"),
            "DATABASE_URL": self.database_url(direct=False),
            "DAGSTER_POSTGRES_URL": self.database_url("dagster", direct=False),
            "REDIS_URL": f"redis://127.0.0.1:{self.port('redis')}/0",
            "GUMROAD_API_URL": sandbox,
            "WHOP_API_URL": f"{sandbox}/api/v1",
            "RESEND_API_URL": sandbox,
            "FROM_EMAIL": "pipeline@example.com",
            "OPS_EMAIL": "ops@example.com",
            "PUBLIC_URL": self.gateway_url,
            "DAGSTER_URL": f"http://127.0.0.1:{self.ports['webserver']}",
            "GUMROAD_REQUESTS_PER_MINUTE": "600000",
            "WHOP_REQUESTS_PER_MINUTE": "600000",
            "RESEND_REQUESTS_PER_SECOND": "1000",
            **self.secrets,
        }

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

    def restart(self, part: str) -> None:
        """``kill -9``, and start it again."""
        self.kill(part)
        self.start(part)

    def running(self, part: str) -> bool:
        """Whether its process is there."""
        return part in self.processes and self.processes[part].poll() is None

    def run_workers(self) -> list[psutil.Process]:
        """Processes of runs: children of the code server that work for one, and such as it left behind."""
        known = {process.pid for process in self.processes.values()}
        return [
            process
            for process in guard.working_in(self.folder / "home")
            if process.pid not in known and "multiprocessing" in " ".join(process.cmdline())
        ]

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
        keys, part = dict[str, str](), self.sandbox.world
        for name in names or tuple(part.gumroad):
            seller = part.gumroad[name]
            with self.warehouse.write() as connection:
                profiles.add_profile(connection, name, seller.email, timezone=seller.timezone)
                profiles.connect(
                    connection, self.ring, "gumroad", name, seller.token, external_account_id=seller.seller_id
                )
                if name in part.whop:
                    account = part.whop[name]
                    profiles.connect(connection, self.ring, "whop", name, account.key, external_account_id=account.id)
                keys[name] = profile_keys.renew(connection, name)
            url = post_url(self.gateway_url, self.secrets["GUMROAD_WEBHOOK_SECRET"], name)
            for number, resource in enumerate(RESOURCES):
                seller.subscriptions.append({"id": f"{name}{number}", "resource_name": resource, "post_url": url})
            if name in part.whop:
                hooks = part.whop[name].hooks
                hooks[f"{self.gateway_url}/webhooks/whop"] = self.secrets["WHOP_WEBHOOK_SECRET"]
        return keys

    def ask(self, query: str, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """The rows of a query, past any proxy."""
        for last in (False, True):
            try:
                connection = self._asking.get(database)
                if connection is None or connection.closed:
                    connection = self._asking[database] = psycopg2.connect(self.database_url(database))
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    return cursor.fetchall() if cursor.description else []
            except psycopg2.OperationalError:
                # The server was restarted since: its connections are gone.
                self._asking.pop(database, None)
                if last:
                    raise
        raise AssertionError

    def open_work(self) -> dict[str, int]:
        """What is still to be done, by kind; empty when nothing is."""
        # First what comes before: it may have moved on by the time the next is asked.
        if not (self.sandbox.pings.wait_idle(0) and self.sandbox.webhooks.wait_idle(0)):
            return {"deliveries": 1}
        counts = [row for database, query in self.open_queries.items() for row in self.ask(query, database)]
        return {name: count for name, count in counts if count}

    def wait_until_quiet(self, seconds: float, *, steady: float = 6.0) -> None:
        """Until no delivery, job, run, roll-up, file or mail is open, and none came up for ``steady`` seconds.

        Raises:
            TimeoutError: names what is still open.
        """
        deadline, quiet_since = time.monotonic() + seconds, None
        while True:
            found, now = self.open_work(), time.monotonic()
            quiet_since = None if found else quiet_since or now
            if quiet_since is not None and now - quiet_since >= steady:
                return
            if now > deadline:
                raise TimeoutError(f"After {seconds:g} s there is still open: {found or 'nothing, but not for long'}")
            time.sleep(0.25)

    def ready(self, part: str) -> bool:
        """Whether a part that was started does its work."""
        return parts.ready(self, part)

    def log_of(self, part: str) -> str:
        """All that a part wrote."""
        path = self.folder / "logs" / f"{part}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _launch(self, part: str) -> None:
        if part == "postgres" and not (self.folder / "postgres" / "data").exists():
            self._initdb()
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

    def _initdb(self) -> None:
        if os.getuid() == 0:
            owner = pwd.getpwnam(parts.system_user())
            os.chown(self.folder / "postgres", owner.pw_uid, owner.pw_gid)
        subprocess.run(
            parts.initdb(self),
            cwd=self.folder / "postgres",
            check=True,
            capture_output=True,
        )

    def _prepare(self) -> None:
        for name in ("warehouse", "dagster"):
            self.create_database(name)
        home = self.folder / "home"
        server = {"grpc_server": {"host": "127.0.0.1", "port": self.ports["code"], "location_name": "creator_pipeline"}}
        (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [server]}), encoding="utf-8")
        (home / "dagster.yaml").write_text(yaml.safe_dump(self.dagster_config()), encoding="utf-8")
        self._make_stores()

    def dagster_config(self) -> dict[str, Any]:
        """``dagster.yaml`` of the installation: the project's."""
        config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        # A run that never starts is looked for often: a test waits for it.
        config["run_monitoring"] |= {"poll_interval_seconds": 5, "start_timeout_seconds": 60}
        return config

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
        if name in self._asking:
            self._asking.pop(name).close()
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
