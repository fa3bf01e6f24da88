"""The models of ``dbt/`` built on both databases, as docs/dbt.md says, from one invented year."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import psycopg2
from sqlalchemy import Connection, insert, make_url

from creator_pipeline.export import run
from creator_pipeline.ledger.replace import note_changes
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import products, sales_events, subscriptions_daily, unexplained
from creator_pipeline_tests.support import exported, invented_year
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.payout_samples import put_line, put_payout
from creator_pipeline_tests.support.roles import Database

TARGETS = ("postgres", "duckdb")
PROJECT = ROOT / "dbt"
# To import dbt takes nearly four seconds of processor time: once, and a fork for each target.
_FORKED = """
import json, os, sys
from dbt.cli.main import cli
children = []
for arguments, variables, log in json.load(sys.stdin):
    child = os.fork()
    if not child:
        os.environ.update(variables)
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, 1)
        os.dup2(written, 2)
        cli(arguments)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(int(any(codes)))
"""
_OTHER_EVENTS = (("chargeback", -7_000_001), ("chargeback_reversal", 3_000_000), ("royalty", 5), ("pages_read", 41))


@dataclass(frozen=True, slots=True)
class Builds:
    """What was built.

    Attributes:
        warehouse: with the year, as the role of the pipeline.
        database: of the warehouse, and of the models on PostgreSQL.
        export: folder of the exported files.
        folder: of what dbt wrote, by target.
    """

    warehouse: Warehouse
    database: Database
    export: Path
    folder: Path

    def rows(self, target: str, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the models of a target."""
        if target == "duckdb":
            with duckdb.connect(str(self.folder / "models.duckdb"), read_only=True) as opened:
                return opened.execute(statement).fetchall()
        connection = psycopg2.connect(self.database.of("reader"))
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def manifest(self, target: str) -> dict[str, Any]:
        """What dbt made of the project."""
        return orjson.loads((self.folder / target / "manifest.json").read_bytes())


def build(folder: Path) -> Builds:
    """Fill, export, and build on both at once.

    Args:
        folder: an empty one.
    """
    database = Database()
    database.set_up()
    page = (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8")
    database.execute("".join(re.findall(r"```sql\n(.*?)```", page, re.DOTALL)))
    made = Builds(open_warehouse(database.of("app")), database, folder / "it's exported", folder)
    _fill(made.warehouse)
    run.export(made.warehouse, str(made.export))
    _leave_what_does_not_count(made.export)
    with made.warehouse.write() as connection:
        # After the export: there a table without a row has no file.
        connection.execute(insert(unexplained).values(_open("po_equal")))
    _dbt(made, "build")
    return made


def _dbt(made: Builds, command: str) -> None:
    """A command of dbt for each target, at once."""
    wishes = {target: dict(variables(made, target)) for target in TARGETS}
    logs = {target: made.folder / f"{target}.txt" for target in TARGETS}
    wish = [[["--no-use-colors", command, "--target", target], wishes[target], str(logs[target])] for target in TARGETS]
    process = subprocess.run(
        [sys.executable, "-c", _FORKED],
        input=orjson.dumps(wish),
        cwd=made.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=200,
        check=False,
    )
    said = {target: log.read_text(encoding="utf-8")[-6000:] for target, log in logs.items() if log.exists()}
    assert not process.returncode, (process.stdout.decode(), said)


def variables(made: Builds, target: str) -> Mapping[str, str]:
    """The environment of a build."""
    url = make_url(made.database.url)
    return {
        "PGHOST": url.host or str(url.query.get("host", "")),
        "PGPORT": str(url.port or url.query.get("port", 5432)),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": url.database or "",
        "PGOPTIONS": f"-crole={made.database.prefix}reader",
        "EXPORT_URL": str(made.export),
        "DBT_DUCKDB_PATH": str(made.folder / "models.duckdb"),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(made.folder / target),
        "DBT_LOG_PATH": str(made.folder / target),
    }


def _leave_what_does_not_count(export: Path) -> None:
    """A file that is being written, and a whole one that no manifest names."""
    some = export / next(iter(exported.files(export).values()))
    some.with_name("20270101T000000000000Z-000000000000.parquet").write_bytes(some.read_bytes())
    some.with_name("20270101T000000000001Z-000000000000.parquet").write_bytes(some.read_bytes()[:100])


def _fill(warehouse: Warehouse) -> None:
    """The year, and of everything else that a model reads a little."""
    invented_year.fill(warehouse)
    with warehouse.write() as connection:
        _put_other_events(connection)
        connection.execute(insert(products), [_product("alice", "The Tide"), _product("bea", None)])
        connection.execute(insert(subscriptions_daily), _days())
        for name, cents, over in (
            ("po_equal", 30_00, {}),
            ("po_differs", 30_01, {}),
            ("po_euro", 27_00, {"currency": "EUR"}),
            ("po_back", 9_00, {"state": "released"}),
        ):
            put_payout(connection, name, cents, date(2026, 5, 1), **over)
            put_line(connection, name, 1, 40_00, ledger_id="some")
            put_line(connection, name, 2, -10_00)
    roll_up(warehouse)


def _put_other_events(connection: Connection) -> None:
    """A few events of each kind that isn't in the year; and of cleo, of whom nearly all and next to nothing went back."""
    profiles.add_profile(connection, "cleo", "cleo@example.com")
    day = invented_year.SEEN.date()
    row = {
        "occurred_at": invented_year.SEEN,
        "occurred_on": day,
        "quantity": 1,
        "source": "test",
        "first_seen_at": invented_year.SEEN,
        "ingested_at": invented_year.SEEN,
        "fee_exact": True,
        "fee_micros": 0,
    }
    events = [("alice", "whop", "EUR", "p2", kind, gross) for kind, gross in _OTHER_EVENTS]
    for currency, sold, back in (("USD", 1, 2**53 + 1), ("EUR", 2_000_000, 1)):
        events += [("cleo", "whop", currency, None, "sale", sold), ("cleo", "whop", currency, None, "refund", -back)]
    names = ("profile_id", "platform", "currency", "product_id", "event_type")
    for number, (*values, gross) in enumerate(events):
        told = {"id": f"other{number}", "external_id": f"other{number}", "product_name": "Class"}
        money = {"gross_micros": gross, "net_micros": gross}
        connection.execute(
            insert(sales_events).values({**row, **dict(zip(names, values, strict=True)), **told, **money})
        )
    for name in ("alice", "cleo"):
        note_changes(connection, "whop", name, [day])


def _product(profile_id: str, work: str | None) -> dict[str, Any]:
    return {
        "profile_id": profile_id,
        "platform": "gumroad",
        "product_id": "p1==",
        "name": "Zine",
        "work": work,
        "first_sold_on": date(2026, 1, 1),
        "last_sold_on": date(2026, 12, 31),
        "ingested_at": invented_year.SEEN,
    }


def _days() -> list[dict[str, Any]]:
    """Alice's one subscription from 5 January to 9 February, which churns on the 10th; bea's to 15 March, today."""
    spans = (
        ("alice", date(2026, 1, 5), date(2026, 2, 9), 10_000_001),
        ("bea", date(2026, 1, 31), date(2026, 3, 15), 7),
    )
    rows = [
        {
            "day": start + timedelta(days=number),
            "profile_id": name,
            "platform": "whop",
            "currency": "EUR",
            "active": 1,
            "new": int(not number),
            "cancelling": 0,
            "churned": 0,
            "mrr_micros": mrr,
        }
        for name, start, last, mrr in spans
        for number in range((last - start).days + 1)
    ]
    gone = {**rows[0], "day": date(2026, 2, 10), "active": 0, "new": 0, "churned": 1, "mrr_micros": 0}
    return [{**row, "ingested_at": invented_year.SEEN} for row in (*rows, gone)]


def _open(payout_id: str) -> dict[str, Any]:
    return {
        "provider": "gumroad",
        "profile_id": "alice",
        "scope": "payout",
        "key": payout_id,
        "currency": "USD",
        "reason": "test",
        "amount_micros": -1,
        "since": invented_year.SEEN,
    }
