"""Migrations of a large warehouse beside a version that works: ``python -m creator_pipeline_tests.drills.migrations``.

A PostgreSQL database with ``--rows`` rows in the ledger and as many in each source table is migrated down and up
again, one revision at a time, while writers go on: partitions are replaced, the roll-up follows, deliveries become
jobs, and an upload is stored by the columns of the first revision, as a process that was not started again does.
The longest write beside each step is what that step cost them. Then one step more while a dump holds its locks.
Below it, what changes of the largest table would cost that no migration makes yet. Exit 1 where a write failed, a
row is missing, or a migration kept a writer longer than ``--most-ms``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import text

from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger.replace import replace_window
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.platforms.gumroad.ledger import GumroadSale, gumroad_events
from creator_pipeline.platforms.intake import Intake
from creator_pipeline.platforms.webhooks import Delivery
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.settings import Settings
from creator_pipeline.store import migrate, profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import gumroad_sales, sales_events, whop_payments
from creator_pipeline_tests.support import servers

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
DAYS = 1_000
FIRST = date(2023, 1, 1)
OLD_UPLOAD = text(
    "INSERT INTO kdp_uploads (id, profile_id, file_name, location, rows, status, uploaded_at) "
    "VALUES (:id, 'p0', 'x.csv', '/x.csv', 0, 'accepted', now())"
)

# Values for generate_series: by type, where the name says nothing else.
BY_TYPE = {
    "TEXT": "'x'",
    "BIGINT": "(g % 9000)",
    "INTEGER": "1",
    "BOOLEAN": "false",
    "DATE": f"date '{FIRST}' + (g % {DAYS})::int",
}
BY_NAME = {
    "id": "'old' || g",
    "profile_id": "'p' || (g % 50)",
    "platform": "'gumroad'",
    "currency": "'USD'",
    "external_id": "'s' || g",
    "refunds": "'[]'",
    "disputes": "'[]'",
    "raw": '\'{"id": "\' || g || \'", "product_name": "A name as long as many are", "price": 900}\'',
}

# What no migration does yet, on the largest table: (name, statement, what undoes it).
CHANGES = (
    (
        "add a column that may be null",
        "ALTER TABLE sales_events ADD COLUMN c1 text",
        "ALTER TABLE sales_events DROP COLUMN c1",
    ),
    (
        "add a column with a constant default",
        "ALTER TABLE sales_events ADD COLUMN c2 boolean NOT NULL DEFAULT false",
        "ALTER TABLE sales_events DROP COLUMN c2",
    ),
    ("create an index", "CREATE INDEX i1 ON sales_events (external_id)", "DROP INDEX i1"),
    ("create an index concurrently", "CREATE INDEX CONCURRENTLY i2 ON sales_events (external_id)", "DROP INDEX i2"),
    (
        "add a column with another value in each row",
        "ALTER TABLE sales_events ADD COLUMN c3 text NOT NULL DEFAULT gen_random_uuid()::text",
        "ALTER TABLE sales_events DROP COLUMN c3",
    ),
)


def fill(warehouse: Warehouse, rows: int) -> None:
    """So many rows in each large table."""
    for table in (gumroad_sales, whop_payments, sales_events):
        values = [
            BY_NAME.get(column.name) or BY_TYPE.get(str(column.type), "now()" if "TIME" in str(column.type) else "'x'")
            for column in table.c
        ]
        names = ", ".join(f'"{column.name}"' for column in table.c)
        with warehouse.engine.begin() as connection:
            connection.execute(
                text(f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} FROM generate_series(1, :rows) g"),
                {"rows": rows},
            )
    with warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


@dataclass
class Writers:
    """Threads that write until they are told to stop.

    Attributes:
        times: (when it ended, seconds, what) of each write.
        failed: what writes ended with.
    """

    warehouse: Warehouse
    times: list[tuple[float, float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sales: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self) -> Generator[None]:
        """They write within it."""
        threads = [
            threading.Thread(target=self._loop, args=(work,)) for work in (self._ledger, self._delivery, self._upload)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def longest(self, began: float, ended: float) -> dict[str, int]:
        """Milliseconds of the longest write of each kind that was under way within these moments."""
        worst: dict[str, float] = {}
        for end, seconds, what in self.times:
            if end >= began and end - seconds <= ended:
                worst[what] = max(worst.get(what, 0.0), seconds)
        return {what: round(seconds * 1000) for what, seconds in worst.items()}

    def _loop(self, work: Callable[[int], str]) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            began = time.monotonic()
            try:
                what = work(number)
            except Exception as error:  # noqa: BLE001 - each failure of a writer is a finding
                self.failed.append(f"{work.__name__}: {type(error).__name__}: {str(error)[:300]}")
                what = work.__name__
            ended = time.monotonic()
            self.times.append((ended, ended - began, what))
            time.sleep(0.01)

    def _ledger(self, number: int) -> str:
        # A day of its own each time, so that what was written can be counted in the end.
        day = FIRST + timedelta(days=DAYS + number)
        moment = now()
        sales = [
            GumroadSale(
                "new",
                f"n{number}-{n}",
                moment.replace(year=day.year, month=day.month, day=day.day),
                None,
                None,
                1,
                900,
                90,
                0,
                False,
                False,
                False,
                "sale",
            )
            for n in range(20)
        ]
        events = [event for sale in sales for event in gumroad_events(sale, moment)]
        with self.warehouse.write() as connection:
            replace_window(connection, "gumroad", "new", DayWindow(day, day + timedelta(days=1)), events)
        self.sales += len(events)
        if number % 10 == 0:
            roll_up(self.warehouse)
        return "ledger"

    def _delivery(self, number: int) -> str:
        delivery = Delivery("gumroad", f"d{number}", "sale", {"sale_ids": [f"n{number}"]}, profile_id="new")
        Intake(self.warehouse, JobQueue(self.warehouse, None), Settings(_env_file=None)).commit([delivery])
        return "delivery"

    def _upload(self, number: int) -> str:
        with self.warehouse.write() as connection:
            connection.execute(OLD_UPLOAD, {"id": f"u{number}"})
        return "upload"


def steps(warehouse: Warehouse) -> list[tuple[str, Callable[[], object]]]:
    """Each migration down and up again, but the one that makes everything."""
    down = [(f"down to {to}", lambda to=to: migrate.downgrade(warehouse.engine, to)) for to in reversed(REVISIONS[:-1])]
    up = [(f"up to {to}", lambda to=to: migrate.upgrade(warehouse.engine, to)) for to in REVISIONS[1:]]
    return [*down, *up]


def beside_a_dump(warehouse: Warehouse, seconds: float) -> None:
    """Down one and up again while another session holds what a dump holds: each table's mildest lock."""

    def hold(ready: threading.Event) -> None:
        with warehouse.engine.connect() as connection:
            connection.execute(text("SELECT count(*) FROM kdp_uploads"))
            ready.set()
            time.sleep(seconds)

    ready = threading.Event()
    holder = threading.Thread(target=hold, args=(ready,))
    holder.start()
    ready.wait()
    migrate.downgrade(warehouse.engine, "0001")
    holder.join()
    migrate.upgrade(warehouse.engine)


def measured(writers: Writers, what: str, do: Callable[[], object]) -> int:
    """Do it, print its line; the longest write beside it in ms."""
    before = writers.longest(time.monotonic() - 1.0, time.monotonic())
    began = time.monotonic()
    do()
    ended = time.monotonic()
    time.sleep(0.3)
    beside = writers.longest(began, ended)
    print(
        f"{what:40} {1000 * (ended - began):10.0f} ms   longest write {beside}, in the second before {before}",
        flush=True,
    )
    return max(beside.values(), default=0)


def change(warehouse: Warehouse, statement: str) -> None:
    """Outside of a transaction, as CONCURRENTLY wants it."""
    with warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def drill(warehouse: Warehouse, rows: int, *, most_ms: int, hold_seconds: float, changes: bool) -> list[str]:
    """Everything; returns what is wrong."""
    warehouse.ensure_migrated()
    with warehouse.write() as connection:
        profiles.add_profile(connection, "new", "new@example.com")
    began = time.monotonic()
    fill(warehouse, rows)
    print(f"{rows} rows in each of three tables after {time.monotonic() - began:.0f} s", flush=True)
    writers, wrong = Writers(warehouse), list[str]()
    with writers.at_work():
        time.sleep(1.0)
        for what, do in steps(warehouse):
            worst = measured(writers, what, do)
            wrong += [f"{what}: a write took {worst} ms"] if worst > most_ms else []
        worst = measured(writers, "down and up beside a dump", lambda: beside_a_dump(warehouse, hold_seconds))
        wrong += [f"beside a dump a write took {worst} ms"] if worst > most_ms else []
        for what, statement, undo in CHANGES if changes else ():
            measured(writers, what, lambda statement=statement: change(warehouse, statement))
            change(warehouse, undo)
    kinds = {what for _, _, what in writers.times}
    print(f"{len(writers.times)} writes of {len(kinds)} kinds, {len(writers.failed)} failed")
    wrong += sorted(set(writers.failed))
    with warehouse.read() as connection:
        there = connection.execute(text("SELECT count(*) FROM sales_events")).scalar_one()
        assert migrate.current(connection) == migrate.HEAD
    wrong += [f"{there} rows in the ledger, not {rows + writers.sales}"] if there != rows + writers.sales else []
    return wrong


def main() -> int:
    """Exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--most-ms", type=int, default=2_500)
    options.add_argument("--hold-seconds", type=float, default=8.0, help="for how long a dump holds its locks")
    wish = options.parse_args()
    server = servers.postgres()
    print(server.describe())
    warehouse = open_warehouse(server.fresh_database())
    try:
        wrong = drill(warehouse, wish.rows, most_ms=wish.most_ms, hold_seconds=wish.hold_seconds, changes=True)
    finally:
        warehouse.engine.dispose()
    for line in wrong:
        print(f"  WRONG: {line}")
    print("Every write went on, no row is missing." if not wrong else f"{len(wrong)} differences.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
