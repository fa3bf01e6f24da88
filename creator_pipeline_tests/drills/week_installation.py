"""Sellers on two platforms, a warehouse, a monitor outside and a daemon, by one clock that the drill sets."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from creator_pipeline import settings
from creator_pipeline.core import transport
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.first_load import first_load
from creator_pipeline.platforms.gumroad import PLATFORM
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.sandbox.resend import KEY
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.drills.week_clock import Clock, of_postgres
from creator_pipeline_tests.drills.week_daemon import Daemon, daemon
from creator_pipeline_tests.drills.week_told import OPS, Letter, letters
from creator_pipeline_tests.faults.proxy import Proxy
from creator_pipeline_tests.support.sandbox import SandboxServer, World

NAMES = ("alice", "bea", "chen", "dora", "emil", "fay", "gus", "hana", "ivo", "juno", "kofi", "lena")
SCHEDULES = frozenset({"gumroad_products_nightly", "gumroad_nightly", "whop_changes_nightly"})
"""That are on; the others ask for runs of the same kind at other minutes."""
HISTORY_DAYS = 2
SILENT_SECONDS = 1
"""After so long without a word a request times out; in production it is half a minute."""


@dataclass
class Installation:
    """What the drill looks at and breaks.

    Attributes:
        line: to PostgreSQL, where the warehouse is there.
        heard: when the monitor outside heard of the daemon.
    """

    folder: Path
    clock: Clock
    sandbox: SandboxServer
    warehouse: Warehouse
    ring: KeyRing
    heard: list[datetime]
    line: Proxy | None = None

    def mails(self) -> list[Letter]:
        """All that was sent."""
        return letters(self.sandbox.resend.inbox)

    def connect(self, name: str, *providers: str) -> None:
        """A seller connects these platforms."""
        seller, account = self.sandbox.world.gumroad[name], self.sandbox.world.whop[name]
        for grant in seller.grants:
            grant.revoked = False
        with self.warehouse.write() as connection:
            for provider, token, id_ in (
                ("gumroad", seller.token, seller.seller_id),
                ("whop", account.key, account.id),
            ):
                if provider in providers:
                    profiles.connect(connection, self.ring, provider, name, token, external_account_id=id_)

    def connect_again(self, name: str) -> None:
        """A seller whose Gumroad was disconnected gives a new token, and the history is read as after any connecting."""
        self.connect(name, "gumroad")
        with self.warehouse.write() as connection:
            JobQueue(self.warehouse, None).add(connection, [first_load(settings.load(), PLATFORM, name)])


@contextmanager
def installation(
    names: tuple[str, ...], days: int, postgres_url: str | None = None
) -> Generator[tuple[Installation, Daemon]]:
    """Its first day begins so many days ago, at midnight.

    Args:
        names: the sellers.
        days: that are played.
        postgres_url: an empty database for the warehouse; a file where none is given.
    """
    begin = datetime.combine(today() - timedelta(days=days), time(0, 0), UTC)
    sizes = dict.fromkeys(names, 2 * days), dict.fromkeys(names, 2)
    world = World.invented(5, today=today(), sizes=sizes[0], whop_sizes=sizes[1], days=days + HISTORY_DAYS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = SandboxServer(world)
        stack.enter_context(sandbox)
        heard = stack.enter_context(monitor())
        line, tell, url = None, lambda _seconds: None, f"sqlite:///{folder / 'warehouse.db'}"
        if postgres_url:
            tell = of_postgres(postgres_url)
            line, url = _behind_a_proxy(stack, postgres_url)
        clock = stack.enter_context(Clock(begin, tell))
        values = {
            "DAGSTER_HOME": str(folder),
            "DATABASE_URL": url,
            "APP_SECRET_KEYS": new_key(),
            "GUMROAD_API_URL": sandbox.gumroad_url,
            "WHOP_API_URL": sandbox.whop_url,
            "RESEND_API_URL": sandbox.resend_url,
            "RESEND_API_KEY": KEY,
            "FROM_EMAIL": "pipeline@example.com",
            "OPS_EMAIL": OPS,
            "HEARTBEAT_URL": heard[0],
            "PIPELINE_START_DATE": str(begin.date() - timedelta(days=HISTORY_DAYS)),
            "GUMROAD_REQUESTS_PER_MINUTE": "600000",
            "WHOP_REQUESTS_PER_MINUTE": "600000",
            "RESEND_REQUESTS_PER_SECOND": "1000",
        }
        stack.enter_context(environment(values))
        stored = open_warehouse(postgres_url or url)
        stored.ensure_migrated()
        made = Installation(folder, clock, sandbox, stored, KeyRing([values["APP_SECRET_KEYS"]]), heard[1], line)
        (folder / "kdp_inbox").mkdir()
        with stored.write() as connection:
            for name in names:
                profiles.add_profile(connection, name, f"{name}@example.com")
        for name in names:
            made.connect(name, "gumroad", "whop")
        stack.callback(open_warehouse.cache_clear)
        yield made, stack.enter_context(daemon(clock, folder, SCHEDULES))


def _behind_a_proxy(stack: ExitStack, url: str) -> tuple[Proxy, str]:
    from sqlalchemy import make_url

    parts = make_url(url)
    port = parts.port or 5432
    line = stack.enter_context(Proxy(lambda: port))
    return line, parts.set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)


@contextmanager
def monitor() -> Generator[tuple[str, list[datetime]]]:
    """What hears the pings of a dead man's switch: its address, and when it heard one."""
    heard = list[datetime]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(datetime.now(UTC))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ping", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def environment(values: Mapping[str, str]) -> Generator[None]:
    """These and no other settings are this process's, and requests time out soon, until they are put back."""
    ours = {name.upper() for name in settings.Settings.model_fields}
    former = {name: os.environ.get(name) for name in {*ours, *values}}
    silent, transport.SILENT_SECONDS = transport.SILENT_SECONDS, SILENT_SECONDS
    try:
        for name in ours & os.environ.keys():
            del os.environ[name]
        os.environ.update(values)
        yield
    finally:
        transport.SILENT_SECONDS = silent
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
