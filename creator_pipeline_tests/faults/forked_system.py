"""A system for rounds by the thousand: gateway and daemon are forks, and a proxy stands before every server."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from uuid import uuid4

import redis
from sqlalchemy import text

from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.whop.jobs import CHANGES
from creator_pipeline.queue.jobs import HEAL_SECONDS
from creator_pipeline.runtime.tags import range_tags
from creator_pipeline_tests.faults.daemon_loops import ITERATIONS
from creator_pipeline_tests.faults.parts import PARTS
from creator_pipeline_tests.faults.proxy import Proxy
from creator_pipeline_tests.faults.system import DAYS, System
from creator_pipeline_tests.support.forkserver import Child, ForkServer
from creator_pipeline_tests.support.sandbox import World

Runner = Literal["worker", "daemon", "processes"]
PROFILES = ("alice", "bea", "chen")
SENSOR_SECONDS = 10.0
"""Longest interval of a sensor that works."""
_CHILDREN = "creator_pipeline_tests.faults.daemon_loops"
LEASES = 150
"""Seconds: longer than any lease and any wait between attempts of jobs and mails."""


class ForkedSystem(System):
    """As :class:`System`, but for the code server and the webserver: they are for rounds with real processes.

    Args:
        runner: what the part ``daemon`` is: the cheap ``worker``, or ``daemon``, Dagster's own loops over its own tables,
            both forks; or ``processes``: Dagster's daemon, code server and webserver as in :class:`System`.

    Attributes:
        proxies: before ``postgres``, ``redis``, ``sandbox`` (the platforms and Resend) and ``gateway``.
    """

    def __init__(self, seed: int = 7, *, runner: Runner = "worker", **options: Any) -> None:
        self.runner = runner
        sizes = dict.fromkeys(PROFILES, 0)
        world = World.invented(seed, today=today(), sizes=sizes, whop_sizes=sizes, days=DAYS)
        super().__init__(world, webhook_factor=0.002, **options)
        self.proxies: dict[str, Proxy] = {}
        if runner == "worker":
            del self.progress.queries["dagster"]

    def __enter__(self) -> ForkedSystem:
        super().__enter__()
        sandbox = int(self.sandbox.url.rpartition(":")[2])
        for name, port in {**self.ports, "sandbox": sandbox}.items():
            if name in ("postgres", "redis", "sandbox", "gateway"):
                self.proxies[name] = Proxy(lambda port=port: port).__enter__()
                self.via[name] = self.proxies[name].port
        self.fork_server = ForkServer(self.folder / "home", f"{_CHILDREN}:warm_up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.fork_server.close()
        for proxy in self.proxies.values():
            proxy.__exit__(None, None, None)

    def start(self, *names: str) -> None:
        """Its parts, all by default."""
        own = PARTS if self.runner == "processes" else ("postgres", "redis", "gateway", "daemon")
        super().start(*(names or own))

    def ready(self, part: str) -> bool:
        """The daemon is ready once it has done an iteration."""
        forked = part == "daemon" and self.runner != "processes"
        return self.iterations() > 0 if forked else super().ready(part)

    def iterations(self) -> int:
        """Iterations of the daemon since it was started."""
        if self.runner == "processes":
            return int(time.monotonic() / SENSOR_SECONDS)
        path = self.folder / "home" / ITERATIONS
        return int(path.read_text() or 0) if path.exists() else 0

    def dagster_config(self) -> dict[str, Any]:
        """Runs are forks of the daemon."""
        config = super().dagster_config()
        if self.runner == "processes":
            return config
        config["run_launcher"] = {"module": "creator_pipeline_tests.faults.daemon_loops", "class": "ForkLauncher"}
        config["run_monitoring"] |= {"poll_interval_seconds": 1, "start_timeout_seconds": 3}
        return config

    def fork(self, *arguments: str, environment: Mapping[str, str] | None = None, log: str = "commands") -> Child:
        """``creator-pipeline ARGUMENTS``, or ``daemon``, in a process of its own."""
        variables = {**self.environment(), **(environment or {})}
        own = arguments[0] in ("daemon", "worker")
        call, words = (arguments[0], arguments) if own else ("command", ("creator-pipeline", *arguments))
        return self.fork_server.fork(f"{_CHILDREN}:{call}", words, variables, self.folder / "home", self._log(log))

    def command(self, *arguments: str, environment: Mapping[str, str] | None = None, seconds: float = 60.0) -> int:
        """Exit code of ``creator-pipeline ARGUMENTS``."""
        return self.fork(*arguments, environment=environment).wait(seconds)

    def pass_time(self, seconds: int = LEASES) -> None:
        """Let leases and waits of jobs and mails end, as if so much time had passed."""
        with self.warehouse.write() as connection:
            for table, column in (("ingestion_jobs", "visible_at"), ("email_messages", "next_attempt_at")):
                connection.execute(text(f"UPDATE {table} SET {column} = {column} - interval '{seconds} s'"))
        with redis.Redis(port=self.ports["redis"]) as client:
            # Redis is asked again from the table at the latest after HEAL_SECONDS.
            if seconds >= HEAL_SECONDS:
                client.flushdb()

    def open_work(self) -> dict[str, int]:
        """The worker rolls nothing up, and keeps what it was asked for in a folder."""
        found = super().open_work()
        if self.runner == "worker":
            found.pop("days to roll up", None)
            if requests := len(list((self.folder / "home" / "requests").glob("*.json"))):
                found["runs"] = requests
        return found

    def ask_for(self, job: str, tags: Mapping[str, str], config: Mapping[str, Any]) -> None:
        """Hand a run to the worker, as a schedule does."""
        wish = {"job": job, "partition": None, "tags": tags, "config": config, "tries": 0}
        part = self.folder / "home" / "requests" / f"asked-{uuid4().hex}.part"
        part.write_text(json.dumps(wish))
        part.rename(part.with_suffix(".json"))

    def read_all(self, profile: str) -> None:
        """What the nightly schedules do for a profile: read everything of the last days again."""
        window = DayWindow(today() - timedelta(days=DAYS), today() + timedelta(days=1))
        if self.runner == "worker":
            self.ask_for("gumroad_sync", range_tags(window, profile), {})
            self.ask_for("whop_sync", range_tags(window, profile), {})
            self.ask_for("whop_changes", {}, CHANGES.config(profile))
            return
        days = ["--from", str(window.start), "--to", str(window.end - timedelta(days=1))]
        for source in ("gumroad", "whop"):
            assert self.command("backfill", source, "--profile", profile, *days) == 0, self.log_of("commands")

    def wait_until_idle(self, seconds: float = 60.0) -> dict[str, int]:
        """Until nothing is open and the daemon has done two iterations after that; returns what is still open in the end."""
        deadline, iteration, before, since = time.monotonic() + seconds, None, {}, time.monotonic()
        while True:
            found = self.open_work()
            if found != before:
                before, since = found, time.monotonic()
            if found:
                iteration = None
                # Nobody works on it: it waits for a lease to end.
                if "runs" not in found and time.monotonic() - since > 0.3:
                    self.pass_time()
                    since = time.monotonic()
            elif iteration is None:
                iteration = self.iterations()
            elif self.iterations() >= iteration + 2:
                return {}
            if time.monotonic() > deadline:
                return found or {"iterations": 1}
            time.sleep(0.05)

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _make_stores(self) -> None:
        if self.runner == "processes":
            super()._make_stores()
            return
        assert self.command("migrate") == 0, self.log_of("commands")

    def _spawn(self, part: str) -> Any:
        if self.runner == "processes":
            return super()._spawn(part)
        if part == "gateway":
            return self.fork("gateway", "--port", str(self.ports["gateway"]), log="gateway")
        if part == "daemon":
            (self.folder / "home" / ITERATIONS).unlink(missing_ok=True)
            return self.fork(self.runner, log="daemon")
        return super()._spawn(part)
