"""What ``scale_out.py`` stands its hosts around: PostgreSQL, Redis, and a sandbox that is slow and strict."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import uvicorn
from hosts import Network

from creator_pipeline.core.secrets import new_key
from creator_pipeline.core.windows import today
from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.server import build_app, uvicorn_config
from creator_pipeline_tests.support.sandbox import World
from creator_pipeline_tests.support.servers import redis_binary

ROOT = Path(__file__).resolve().parents[1]
SHARED = 20
"""Profiles that share a token two by two."""
LIMIT = 60
"""Requests a minute of one token that the sandbox lets through; the pipeline is told the same number."""
PAGE_SECONDS = 0.4
SALES = 60
"""Of each profile, within the nights' days: a handful of requests, each of which waits for its token's pace."""
DAYS = 7


def world(count: int) -> World:
    """The same for each run of a day; standing still, because sales of today must not grow while they are read."""
    return World.invented(11, today=today() - timedelta(days=1), sizes=dict.fromkeys(names(count), SALES), days=DAYS)


def names(count: int) -> list[str]:
    """Ids of the profiles."""
    return [f"p{number:03}" for number in range(count)]


def sandbox(address: str, port: int, count: int) -> None:
    """Serve it, for another process."""
    faults = Faults()
    faults.every(1, "slow")
    faults.delay = PAGE_SECONDS
    faults.limit_per_minute(LIMIT)
    uvicorn.Server(uvicorn_config(build_app(world(count), faults), address, port)).run()


class Servers:
    """PostgreSQL and Redis of this command, on the bridge; and the sandbox."""

    def __init__(self, net: Network, prepared: Path, count: int, stack: ExitStack) -> None:
        binaries = Path(
            subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
        )
        data, as_postgres = net.folder / "postgres", ["runuser", "-u", "postgres", "--"]
        if (prepared / "postgres").exists():
            subprocess.run(["cp", "-a", prepared / "postgres", data], check=True)
        else:
            data.mkdir()
            shutil.chown(data, "postgres")
            making = [*as_postgres, binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres"]
            subprocess.run(making, check=True, capture_output=True)
            (prepared / "key").write_text(new_key(), encoding="utf-8")
        (data / "pg_hba.conf").write_text(f"host all all {net.prefix}.0/24 trust\n", encoding="utf-8")
        # A host that vanished holds its locks until the server has asked in vain.
        alive = ["tcp_keepalives_idle=15", "tcp_keepalives_interval=5", "tcp_keepalives_count=3"]
        place = [f"listen_addresses={net.address}", "port=5432", f"unix_socket_directories={data}"]
        words = [word for option in (*place, "max_connections=300", *alive) for word in ("-c", option)]
        self._start(net, stack, "postgres", [*as_postgres, binaries / "postgres", "-D", data, *words])
        bound = ["--bind", net.address, "--port", "6379", "--protected-mode", "no"]
        self._start(net, stack, "redis", [redis_binary(), *bound, "--save", "", "--dir", net.folder])
        self.sandbox = f"http://{net.address}:8099"
        self._start(
            net,
            stack,
            "sandbox",
            [sys.executable, ROOT / "benchmarks/scale_out.py", "--serve", net.address, "8099", str(count)],
        )
        base = f"postgresql://postgres@{net.address}:5432"
        for name in ("warehouse", "dagster"):
            until(lambda name=name: _created(binaries, net.address, name), 30, f"database {name}")
        until(lambda: httpx.get(f"{self.sandbox}/_sandbox/requests", timeout=5).is_success, 60, "sandbox")
        self.environment = {
            "DATABASE_URL": f"{base}/warehouse",
            "DAGSTER_POSTGRES_URL": f"{base}/dagster",
            "REDIS_URL": f"redis://{net.address}:6379/0",
            "CELERY_BROKER_URL": f"redis://{net.address}:6379/1",
            "CELERY_RESULT_BACKEND": f"redis://{net.address}:6379/2",
            "APP_SECRET_KEYS": (prepared / "key").read_text(encoding="utf-8"),
            "GUMROAD_API_URL": self.sandbox,
            "GUMROAD_REQUESTS_PER_MINUTE": str(LIMIT),
            "PIPELINE_START_DATE": (today() - timedelta(days=30)).isoformat(),
            "ENABLE_WHOP": "false",
            "ENABLE_EMAIL": "false",
            "PYTHONPATH": str(ROOT),
        }

    @staticmethod
    def _start(net: Network, stack: ExitStack, name: str, command: list[object]) -> None:
        with net.folder.joinpath(f"{name}.log").open("ab") as log:
            process = subprocess.Popen([*map(str, command)], stdout=log, stderr=log, start_new_session=True)

        def end() -> None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(20)

        stack.callback(end)

    def refused(self) -> tuple[int, int]:
        """Requests in all, and those above a token's limit."""
        told = httpx.get(f"{self.sandbox}/_sandbox/requests", timeout=30).json()
        return sum(told["requests"].values()), told["throttled"]


def _created(binaries: Path, address: str, name: str) -> bool:
    made = subprocess.run(
        [binaries / "createdb", "-h", address, "-U", "postgres", name], check=False, capture_output=True, text=True
    )
    return made.returncode == 0 or "already exists" in made.stderr


def until(holds: Callable[[], object], seconds: float, what: str, every: float = 0.3) -> float:
    """Wait for it; returns the seconds."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            if holds():
                return time.monotonic() - began
        except httpx.TransportError:
            pass
        time.sleep(every)
    raise TimeoutError(f"{what} was not so after {seconds:.0f} s")
