"""Load every sale of some Gumroad accounts into PostgreSQL through the project's own code, for an outside harness.

    python benchmarks/gumroad_load.py --base URL --tokens T1,T2 --dsn DSN --schema S

The real path: client, pages, models, ledger, one transaction for each chunk of days; the JSON is kept. Accounts are
read side by side. The tables are made in schema S where they aren't there; a view ``S.sales(id, price)`` is left, with
the price in US cents. Prints seconds, sales, requests and peak memory as one line of JSON.
"""

from __future__ import annotations

import argparse
import atexit
import base64
import contextlib
import ctypes
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# As installed, and as pip keeps the peers' byte code: else each load would compile the house.
sys.dont_write_bytecode = False
# Until the loads begin hardly anything is garbage: the collector would take a tenth of the imports' time.
gc.disable()

import orjson
from psycopg2.extensions import parse_dsn
from sqlalchemy import URL, text
from sqlalchemy.dialects import postgresql

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse

M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
ACCOUNTS_AT_ONCE = 20
CONNECTIONS = 3
"""Of one process. A part is stored within milliseconds; each connection more costs the database 20."""
EVER = DayWindow(date(2000, 1, 1), today() + timedelta(days=366))
"""From before Gumroad was; days without sales cost no request."""
SHARE_SALES = 5_000
"""Of a large account, about, in what one process reads at a time."""
SHOWING_DAYS = 14
LARGE_PER_DAY = 10
"""Sales a day of an account, of its latest days or of a share of it, for which the rest is shared out."""


class Unpaced:
    """No limit: a stand-in has none."""

    def wait(self) -> float:
        """Go at once."""
        return 0.0


def warehouse_in(dsn: str, schema: str) -> Warehouse:
    """The project's warehouse within one schema of a database, given as a URL or as ``key=value`` pairs."""
    parts = parse_dsn(dsn.replace("postgresql+psycopg2://", "postgresql://").replace("postgres://", "postgresql://"))
    query = {name: value for name, value in parts.items() if name not in {"host", "port", "user", "password", "dbname"}}
    url = URL.create(
        "postgresql+psycopg2",
        parts.get("user"),
        parts.get("password"),
        parts.get("host"),
        int(parts["port"]) if "port" in parts else None,
        parts.get("dbname"),
        query,
    )
    quoted = postgresql.dialect().identifier_preparer.quote(schema)
    options = f"{query.pop('options', '')} -c search_path={quoted}".strip()
    whole = url.set(query={**query, "options": options}).render_as_string(hide_password=False)
    warehouse = open_warehouse(whole, CONNECTIONS)
    with warehouse.engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
    return warehouse


class Part(NamedTuple):
    """What one call has loaded, and by how many requests."""

    sales: int
    requests: int


class Loader:
    """Loads accounts, within one process."""

    def __init__(self, base: str, tokens: Sequence[str], warehouse: Warehouse) -> None:
        self.base, self.tokens, self.warehouse = base, tokens, warehouse
        # The same key each time: with another one every buyer's hash, and so every row, would be a changed one.
        self.ring = KeyRing([base64.urlsafe_b64encode(b"no secret: a benchmark's own key").decode()])

    def prepare(self) -> None:
        """The tables and the profiles."""
        self.warehouse.ensure_migrated()
        with self.warehouse.write() as connection:
            for account in range(len(self.tokens)):
                profiles.add_profile(connection, self.profile(account), f"{self.profile(account)}@example.com")

    @staticmethod
    def profile(account: int) -> str:
        """An account's, by its place among the tokens."""
        return f"account{account + 1}"

    def days(self, account: int, window: DayWindow) -> Part:
        """Sales of some days."""
        with GumroadClient(self.base, self.tokens[account], Unpaced()) as client:
            parts = load_sales(self.warehouse, client, self.ring, self.profile(account), window)
            return Part(sum(len(part.sales) for part in parts), client.usage.requests)

    def accounts(self, accounts: Sequence[int]) -> Part:
        """All sales of some accounts, read side by side."""
        with ThreadPoolExecutor(min(len(accounts), ACCOUNTS_AT_ONCE)) as pool:
            parts = list(pool.map(lambda account: self.days(account, EVER), accounts))
        return Part(sum(part.sales for part in parts), sum(part.requests for part in parts))


_here: list[Loader] = []


def _begin(loader: Loader) -> None:
    _here[:] = [loader]
    # A process that was forked has its parent's connections.
    loader.warehouse.engine.dispose(close=False)


def _days(account: int, window: DayWindow) -> Part:
    return _here[0].days(account, window)


def _accounts(accounts: Sequence[int]) -> Part:
    return _here[0].accounts(accounts)


def load(loader: Loader, processes: int) -> tuple[int, int]:
    """Load every account by so many processes, as an installation does by its runs; returns sales and requests."""
    loader.prepare()
    # The collector writes into all that it looks at: after it, a forked process would share nothing any more.
    gc.freeze()
    gc.enable()
    given: Any = {"initializer": _begin, "initargs": (loader,)}
    with contextlib.ExitStack() as stack:
        seats: list[Executor] = []
        for _ in range(processes - 1):
            seats.append(stack.enter_context(ProcessPoolExecutor(1, multiprocessing.get_context("fork"), **given)))
            # Forked now, before this process has threads of its own at work.
            seats[-1].submit(int).result()
        seats.append(stack.enter_context(ThreadPoolExecutor(1, **given)))
        everyone = range(len(loader.tokens))
        if len(everyone) < processes:
            parts = [part for account in everyone for part in _shared(seats, account)]
        else:
            loads = [seat.submit(_accounts, everyone[first::processes]) for first, seat in enumerate(seats)]
            parts = [load.result() for load in loads]
    return sum(part.sales for part in parts), sum(part.requests for part in parts)


def _shared(seats: Sequence[Executor], account: int) -> Iterator[Part]:
    """One account: if its latest days show a large one, its days are shared out, as a backfill's are among its runs."""
    recent = DayWindow(today() - timedelta(days=SHOWING_DAYS), EVER.end)
    first = seats[-1].submit(_days, account, recent).result()
    yield first
    per_day, left = first.sales / SHOWING_DAYS, DayWindow(EVER.start, recent.start)
    free, running = list(seats), dict[Future[Part], tuple[Executor, DayWindow]]()
    while left.days or running:
        while left.days and free:
            days = max(1, round(SHARE_SALES / per_day)) if per_day >= LARGE_PER_DAY else left.days
            share = DayWindow(max(left.start, left.end - timedelta(days=days)), left.end)
            left = DayWindow(left.start, share.start)
            seat = free.pop()
            running[seat.submit(_days, account, share)] = seat, share
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            seat, share = running.pop(done)
            free.append(seat)
            yield done.result()
            # Where a share was empty the account's begin is passed: one request tells that of all before it.
            per_day = done.result().sales / share.days


def main() -> None:
    """Load, leave the view, print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--base", required=True, help="URL of the API, without /v2")
    options.add_argument("--tokens", required=True, help="access tokens, with commas between them")
    options.add_argument("--dsn", required=True, help="the PostgreSQL database")
    options.add_argument("--schema", required=True)
    options.add_argument(
        "--processes", type=int, default=2, help="side by side; 2, the server and the database work too"
    )
    wish = options.parse_args()
    # As the code location does, and as deploy/ sets MALLOC_ARENA_MAX: else each reader's thread leaves memory behind.
    atexit.register(gc.freeze)
    with contextlib.suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    began = time.perf_counter()
    warehouse = warehouse_in(wish.dsn, wish.schema)
    tokens = [token.strip() for token in wish.tokens.split(",") if token.strip()]
    sales, requests = load(Loader(wish.base, tokens, warehouse), wish.processes)
    with warehouse.write() as connection:
        connection.execute(
            text("CREATE OR REPLACE VIEW sales AS SELECT id, price_micros / 10000 AS price FROM gumroad_sales")
        )
    warehouse.engine.dispose()
    figures = {
        "seconds": round(time.perf_counter() - began, 3),
        "sales": sales,
        "requests": requests,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()
