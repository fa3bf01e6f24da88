"""An installation of its own for a drill: gateway and daemon as processes, the platforms as the sandbox."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.faults import configuration
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.servers import free_port


@dataclass
class Installation:
    """Processes of ours, and where they keep what they know."""

    folder: Path
    sandbox: SandboxServer
    environment: dict[str, str]
    gateway_port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])
    used: float = 0.0
    starts: int = 0

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse of the processes."""
        return open_warehouse(self.environment["DATABASE_URL"])

    def start(self) -> None:
        """Gateway and daemon; returns when the gateway listens: a ping that finds nobody isn't sent again."""
        workspace = ["-w", str(ROOT / "workspace.yaml")]
        for name, words in {
            "gateway": ["creator_pipeline", "gateway", "--port", str(self.gateway_port)],
            "daemon": ["dagster._daemon", "run", *workspace],
        }.items():
            with (self.folder / f"{name}.log").open("ab") as log:
                command = [sys.executable, "-m", *words]
                process = subprocess.Popen(
                    command,
                    start_new_session=True,
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
                self.processes.append(process)
        while not self._listens():
            if any(process.poll() is not None for process in self.processes):
                raise SystemExit(f"A part ended: see {self.folder}/*.log")
            time.sleep(0.2)
        self.starts += 1

    def _listens(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.gateway_port}/healthz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End it all, as a power cut does."""
        self.used += self.processor_seconds()
        victims = self._tree()
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=10)
        for process in self.processes:
            process.wait(10)
        self.processes.clear()

    def processor_seconds(self) -> float:
        """What the processes that live have used, with the children they waited for."""
        total = 0.0
        for process in self._tree():
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
        return total

    def _tree(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in self.processes:
            if process.poll() is None:
                root = psutil.Process(process.pid)
                found += [root, *root.children(recursive=True)]
        return found


@contextmanager
def installed(options: argparse.Namespace, names: Sequence[str]) -> Generator[Installation]:
    """An installation whose parts don't run yet.

    Args:
        options: ``database_url`` and ``dagster_url``; SQLite where they are None.
        names: ids of its profiles, each with an account at Gumroad.
    """
    world = World.invented(5, today=today(), sizes=dict.fromkeys(names, 3), whop_sizes={}, days=2)
    with tempfile.TemporaryDirectory() as folder, SandboxServer(world) as sandbox:
        home, port, secrets = Path(folder), free_port(), configuration.secrets({})
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER", "DATABASE"))}
        environment = ours | {
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(home),
            "DATABASE_URL": options.database_url or f"sqlite:///{home}/warehouse.sqlite",
            "GUMROAD_API_URL": sandbox.url,
            "RESEND_API_URL": sandbox.url,
            "WHOP_API_URL": f"{sandbox.url}/api/v1",
            "FROM_EMAIL": "pipeline@example.com",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "GUMROAD_REQUESTS_PER_MINUTE": "600000",
            "RESEND_REQUESTS_PER_SECOND": "1000",
            **secrets,
        }
        if options.dagster_url:
            environment["DAGSTER_POSTGRES_URL"] = options.dagster_url
        (home / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")
        made = Installation(home, sandbox, environment, port)
        made.warehouse.ensure_migrated()
        _connect(made, secrets, names)
        try:
            yield made
        finally:
            made.stop()


def _connect(made: Installation, secrets: dict[str, str], names: Sequence[str]) -> None:
    ring, world = KeyRing([secrets["APP_SECRET_KEYS"]]), made.sandbox.world.gumroad
    for name in names:
        url = post_url(f"http://127.0.0.1:{made.gateway_port}", secrets["GUMROAD_WEBHOOK_SECRET"], name)
        for number, resource in enumerate(RESOURCES):
            world[name].subscriptions.append({"id": f"{name}{number}", "resource_name": resource, "post_url": url})
        with made.warehouse.write() as connection:
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, world[name].token, external_account_id=name)
