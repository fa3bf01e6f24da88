"""Pages of the running month: what they may be worth, marked, and in no sum."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, inspect, select, text

from creator_pipeline import frames
from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.ledger import rollup
from creator_pipeline.platforms.kdp.estimates import PageEstimate, estimates, own_rates
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import daily_revenue, sales_events
from creator_pipeline_tests.support.kdp_landing import add_profiles, land
from creator_pipeline_tests.support.kdp_samples import workbook
from creator_pipeline_tests.support.paths import ROOT

KENP = "Kindle Edition Normalized Page (KENP) Read"
FINAL = ["Title", "Author", "ASIN", "Marketplace", KENP, "Royalty", "Currency"]
RUNNING = ["Date", "Title", "Author Name", "ASIN", "Marketplace", KENP]
BOOK = "B0FIRST001"


def final(folder: Path, month: str, made: str, *pages: Sequence[object]) -> Path:
    """A final report of pages: (shop, pages, royalty, currency)."""
    head = [["Sales Period", f"{date.fromisoformat(f'{month}-01'):%B %Y}"]]
    lines = [["A", "X", BOOK, *each] for each in pages]
    path = folder / f"KDP_Prior_Month_Royalties-{month}-01-x.xlsx"
    path.write_bytes(workbook({"KENP Read": [*head, FINAL, *lines]}, made))
    return path


def running(folder: Path, name: str, made: str, *pages: Sequence[object]) -> Path:
    """A report of a month that isn't closed: (day, shop, pages)."""
    lines = [[day, "A", "X", BOOK, shop, count] for day, shop, count in pages]
    path = folder / f"KDP_Dashboard-{name}.xlsx"
    path.write_bytes(workbook({"KENP Read": [RUNNING, *lines]}, made))
    return path


def found(warehouse: Warehouse, *own: str, drop: str = "0") -> list[PageEstimate]:
    with warehouse.read() as connection:
        return estimates(connection, ["alice"], own_rates(own), Decimal(drop))


@pytest.fixture
def loaded(warehouse: Warehouse, tmp_path: Path) -> Warehouse:
    """September and October are closed, of November there are pages only; of Amazon.de no month is closed."""
    add_profiles(warehouse)
    shops = (["Amazon.com", 10_000, 43.21, "USD"], ["Amazon.co.jp", 200, 100, "JPY"])
    land(warehouse, final(tmp_path, "2026-09", "2026-10-15T10:00:00Z", ["Amazon.com", 1_000, 5.0, "USD"], shops[1]))
    land(warehouse, final(tmp_path, "2026-10", "2026-11-15T10:00:00Z", shops[0]))
    pages = [
        ("2026-11-02", "Amazon.com", 1_000),
        ("2026-11-03", "Amazon.com", 333),
        ("2026-11-03", "Amazon.co.jp", 7),
        ("2026-11-03", "Amazon.de", 50),
    ]
    done = land(warehouse, running(tmp_path, "november", "2026-11-20T10:00:00Z", *pages))
    assert done.error is None, done.error
    return warehouse


def test_pages_have_the_newest_final_rate_of_their_own_marketplace(loaded: Warehouse) -> None:
    """Guards: pages of one shop at another's rate, an older month's, or a made-up one."""
    assert [tuple(one)[1:] for one in found(loaded)] == [
        (date(2026, 11, 1), "Amazon.co.jp", 7, Decimal("0.5"), "2026-09", 3_500_000, "JPY", "estimate"),
        # 1,333 pages at 43.21 / 10,000, rounded once.
        (date(2026, 11, 1), "Amazon.com", 1_333, Decimal("0.004321"), "2026-10", 5_759_893, "USD", "estimate"),
        (date(2026, 11, 1), "Amazon.de", 50, None, "no final rate of three months", None, None, "estimate"),
    ]


def test_a_rate_of_one_s_own_and_a_drop_are_by_choice(loaded: Warehouse) -> None:
    """Guards: a choice for one shop that is taken for all, and currencies that are guessed."""
    chosen = {one.marketplace: (one.micros, one.rate_source, one.currency) for one in found(loaded, "Amazon.com=0.004")}
    assert chosen["Amazon.com"] == (5_332_000, "own", "USD")
    assert (chosen["Amazon.co.jp"][1], chosen["Amazon.de"][0]) == ("2026-09", None)
    every = {one.marketplace: (one.micros, one.currency) for one in found(loaded, "0.004", "amazon.de=0.003")}
    assert every["Amazon.de"] == (150_000, "EUR")
    lower = {one.marketplace: (one.micros, one.rate_source) for one in found(loaded, drop="0.05")}
    assert lower["Amazon.co.jp"] == (3_325_000, "2026-09 less 5%")
    for word in ("Amazon.com", "Amazon.com=", "-1", "NaN", "1e9"):
        with pytest.raises(ConfigError):
            own_rates([word])


def test_the_official_rate_takes_its_place(loaded: Warehouse, tmp_path: Path) -> None:
    """Guards: an estimate beside the money that has come for the same pages."""
    pages = (["Amazon.com", 1_400, 6.3, "USD"], ["Amazon.co.jp", 7, 4, "JPY"], ["Amazon.de", 50, 0.2, "EUR"])
    land(loaded, final(tmp_path, "2026-11", "2026-12-15T10:00:00Z", *pages))
    assert found(loaded) == []


def test_an_old_rate_is_none(warehouse: Warehouse, tmp_path: Path) -> None:
    """Guards: pages of today at the rate of last year."""
    add_profiles(warehouse)
    land(warehouse, final(tmp_path, "2026-07", "2026-08-15T10:00:00Z", ["Amazon.com", 1_000, 5.0, "USD"]))
    land(warehouse, running(tmp_path, "november", "2026-11-20T10:00:00Z", ("2026-11-02", "Amazon.com", 10)))
    assert [one.micros for one in found(warehouse)] == [None]


def test_estimates_are_in_no_sum(loaded: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: money that nobody has, in a sum that somebody pays tax on. Every place that sums has the final money."""
    money = {"USD": 48_210_000, "JPY": 100_000_000}
    monkeypatch.setenv("DATABASE_URL", loaded.engine.url.render_as_string(hide_password=False))
    rollup.roll_up(loaded)
    with loaded.read() as connection:
        for table in (sales_events, daily_revenue):
            asked = select(table.c.currency, func.sum(table.c.net_micros)).group_by(table.c.currency)
            assert {code: int(net) for code, net in connection.execute(asked) if net} == money, table.name
        for view in ("revenue", "daily_revenue_amounts", "daily_revenue_local"):
            asked = text(f"SELECT currency, sum(CAST(net AS numeric)) FROM {view} GROUP BY currency")
            sums = {code: round(net * 1_000_000) for code, net in connection.execute(asked) if net}
            assert sums == money, view
        held = {
            name
            for name in [*inspect(connection).get_table_names(), *inspect(connection).get_view_names()]
            if "estimated_micros" in {column["name"] for column in inspect(connection).get_columns(name)}
        }
        assert held == {"kdp_kenp_estimates"}
    for frame in (frames.ledger(), frames.daily_revenue()):
        sums = frame.groupby("currency")["net"].sum()
        assert {code: int(net * 1_000_000) for code, net in sums.items() if net} == money


def test_nothing_else_reads_the_estimates() -> None:
    """Guards: a model, an export or a mail of tomorrow that joins them in."""
    allowed = ("creator_pipeline/platforms/kdp/", "creator_pipeline/store/migrations/")
    for folder, ending in (("creator_pipeline", "*.py"), ("dbt", "*.sql"), ("dbt", "*.yml")):
        for path in (ROOT / folder).rglob(ending):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(allowed) and "/dbt_packages/" not in name:
                words = path.read_text(encoding="utf-8")
                assert "kenp_estimates" not in words, name
                assert "KENP_ESTIMATES" not in words, name


def test_the_command_says_about_and_from_where(loaded: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: an estimate that reads like a royalty."""
    monkeypatch.setenv("DATABASE_URL", loaded.engine.url.render_as_string(hide_password=False))
    said: Any = CliRunner().invoke(cli, ["kdp", "estimate", "--profile", "alice"])
    assert said.exit_code == 0, said.output
    assert "1,333 pages  about 5.759893 USD  (2026-10)" in said.output
    assert "50 pages  no estimate  (no final rate of three months)" in said.output
