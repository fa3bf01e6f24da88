"""``creator-pipeline books``: what a bookkeeper types, with a ledger made by the loads themselves."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, func, select

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.ledger.by_payouts import as_spans
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.payout_sync import load_payouts
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

LAST = today().replace(day=1) - timedelta(days=1)
MONTH = f"{LAST:%Y-%m}"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(World.invented(5, today=today(), sizes={"bea": 60}, days=75)) as running:
        yield running


def read(warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> None:
    """All sales and payouts of bea's."""
    with GumroadClient(server.gumroad_url, server.world.gumroad["bea"].token, Free()) as client:
        list(
            load_sales(warehouse, client, ring, "bea", DayWindow(today() - timedelta(days=80), today() + timedelta(1)))
        )
        load_payouts(warehouse, client, "bea")


@pytest.fixture
def books(warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> Warehouse:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "bea", "bea@example.com")
        profiles.connect(connection, ring, "gumroad", "bea", server.world.gumroad["bea"].token)
    read(warehouse, ring, server)
    return warehouse


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["books", *words])


def of_month(warehouse: Warehouse) -> list[Any]:
    """Every column of the rows of the month."""
    day = sales_events.c.occurred_on
    with warehouse.read() as connection:
        wanted = select(sales_events).where(day >= LAST.replace(day=1), day <= LAST)
        return list(connection.execute(wanted.order_by(sales_events.c.id)))


def net(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return int(connection.execute(select(func.sum(sales_events.c.net_micros))).scalar_one())


def test_a_closed_month_stays_byte_for_byte_while_late_events_arrive(
    books: Warehouse, ring: KeyRing, server: SandboxServer, tmp_path: Path
) -> None:
    """Guards: a month that the bookkeeper has handed in, and that is another one a week later."""
    asked = run("close", "--profile", "bea", "--month", MONTH)
    assert isinstance(asked.exception, ConfigError)
    assert "was not read since" in asked.exception.message
    assert "rows of the ledger stand" in run("close", "--profile", "bea", "--month", MONTH, "--anyway").output
    rows, shown, before = of_month(books), run("show", "--profile", "bea", "--month", MONTH).output, net(books)
    journal = tmp_path / "a.csv"
    assert run("show", "--profile", "bea", "--month", MONTH, "--csv", str(journal)).exit_code == 0
    sums: dict[str, Decimal] = {}
    for line in csv.DictReader(journal.read_text().splitlines()):
        sums[line["currency"]] = (
            sums.get(line["currency"], Decimal(0)) + Decimal(line["debit"] or 0) - Decimal(line["credit"] or 0)
        )
    assert sums == {"USD": Decimal(0)}
    assert "(closed)" in shown

    # A sale that was never seen before, and a refund of one of that month.
    world, noon = server.world.gumroad, datetime.combine(LAST, time(12), UTC)
    late = world.add_sale("bea", price=1234, created_at=noon)
    old = [sale for sale in world["bea"].rows if f"{datetime.fromtimestamp(sale.created, UTC):%Y-%m}" == MONTH]
    fit = [sale for sale in old if sale.charged and not sale.refunded_cents and not sale.disputed and sale.price > 300]
    world.refund("bea", fit[0].id)
    read(books, ring, server)
    assert of_month(books) == rows
    assert run("show", "--profile", "bea", "--month", MONTH).output == shown
    again = tmp_path / "b.csv"
    run("show", "--profile", "bea", "--month", MONTH, "--csv", str(again))
    assert again.read_bytes() == journal.read_bytes()
    assert net(books) != before
    with books.read() as connection:
        wanted = select(sales_events).where(sales_events.c.external_id == late.id, sales_events.c.event_type == "sale")
        booked = connection.execute(wanted).one()
    assert (booked.belongs_to, booked.occurred_on, booked.gross_micros) == (LAST, today(), 12_340_000)

    with books.write() as connection:
        connection.execute(delete(sales_events))
    assert run("rebuild", "--profile", "bea").exit_code == 0
    assert [row[:16] for row in of_month(books)] == [row[:16] for row in rows]

    opened = run("reopen", "--profile", "bea", "--month", MONTH)
    assert "is open" in opened.output
    twice = run("reopen", "--profile", "bea", "--month", MONTH)
    assert isinstance(twice.exception, ConfigError)


def test_json_has_every_figure_as_decimal_text(books: Warehouse) -> None:
    """Guards: a script that reads figures by name."""
    told = json.loads(run("show", "--profile", "bea", "--json").output)
    assert (told["profile"], told["month"]) == ("bea", None)
    figures = told["currency"]["USD"]
    moved = sum(
        Decimal(value)
        for name, value in figures.items()
        if name not in {"opening", "closing", "unexplained", "estimated"}
    )
    assert Decimal(figures["opening"]) + moved == Decimal(figures["closing"])
    assert Decimal(figures["payouts"]) < 0 < Decimal(figures["sales"])


def test_a_figure_opens_into_its_rows(books: Warehouse) -> None:
    """Guards: a figure that nobody can check."""
    figures = json.loads(run("show", "--profile", "bea", "--month", MONTH, "--json").output)["currency"]["USD"]
    for kind in ("sales", "refunds", "fees_returned", "payouts"):
        lines = run("show", "--profile", "bea", "--month", MONTH, "--rows", kind).stdout.splitlines()
        assert sum(Decimal(line.split()[1]) for line in lines) == Decimal(figures[kind])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "--profile", "nobody"), "nobody"),
        (("show", "--profile", "bea", "--month", "2026-13"), "no month"),
        (("close", "--profile", "bea", "--month", f"{today():%Y-%m}"), "is not over"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told(books: Warehouse, words: tuple[str, ...], said: str) -> None:
    """Guards: a month that is closed before it ended."""
    result = run(*words)
    assert result.exit_code != 0
    assert said in (result.output + str(getattr(result.exception, "message", "")))


def test_days_that_rest_on_payouts_only_are_named_until_their_sales_are_read(
    warehouse: Warehouse, ring: KeyRing, server: SandboxServer
) -> None:
    """Incident: in the first hour nobody can tell days whose details are still to come from those that have none."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, "bea", "bea@example.com")
        profiles.connect(connection, ring, "gumroad", "bea", server.world.gumroad["bea"].token)
    with GumroadClient(server.gumroad_url, server.world.gumroad["bea"].token, Free()) as client:
        load_payouts(warehouse, client, "bea")
    words = ("show", "--profile", "bea", "--month", MONTH)
    days = json.loads(run(*words, "--json").output)["days_by_payouts"]["gumroad"]
    assert days
    assert all(day.startswith(MONTH) for day in days)
    assert f"Gumroad, days that rest on payouts only: {days[0]}" in run(*words).output
    read(warehouse, ring, server)
    assert json.loads(run(*words, "--json").output)["days_by_payouts"] == {}
    assert "rest on payouts" not in run(*words).output


def test_days_are_written_as_spans() -> None:
    """Incident: thirty days in a row that fill a page."""
    first = date(2026, 10, 2)
    days = [first, *(first + timedelta(days=more) for more in (3, 4, 5))]
    assert as_spans(days) == "2026-10-02, 2026-10-05 to 2026-10-07"
    assert as_spans([]) == ""


def test_books_of_several_profiles_are_shown_together(warehouse: Warehouse, tmp_path: Path) -> None:
    """Incident: `--all` closed the month of forty sellers, and each one's figures took a command of their own."""
    with warehouse.write() as connection:
        for name in ("alice", "bea"):
            profiles.add_profile(connection, name, f"{name}@example.com")
    both = ("show", "--profile", "alice", "--profile", "bea")
    assert run(*both).stdout.splitlines()[::2] == ["alice, all months", "bea, all months"]
    for words in (both, ("show", "--all")):
        assert [one["profile"] for one in json.loads(run(*words, "--json").stdout)] == ["alice", "bea"]
    some = run("show", "--profile", "nobody", "--profile", "bea", "--json")
    assert (some.exit_code, [one["profile"] for one in json.loads(some.stdout)]) == (2, ["bea"])
    journal = tmp_path / "journal.csv"
    assert (run(*both, "--csv", str(journal)).exit_code, journal.exists()) == (2, False)
    assert run("show").exit_code == 2
