"""KDP's plain tables, which are views of what is stored, against what the reports say themselves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import inspect, select

from creator_pipeline.definitions import defs
from creator_pipeline.platforms import declared_views, personal
from creator_pipeline.platforms.kdp.inbox import register
from creator_pipeline.platforms.kdp.touched import log_withdrawal
from creator_pipeline.platforms.kdp.views import (
    BOOKS,
    KENP_RATES,
    ORDERS,
    ORDERS_PLACED,
    PAYMENTS_COUNTED,
    VIEWS,
)
from creator_pipeline.platforms.kdp.withdraw import withdraw
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.table_views import TableView
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.kdp_landing import add_profiles, land
from creator_pipeline_tests.support.kdp_payments import PAID, PENDING
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, FINAL, as_csv, workbook

ORDER_TAB = ["Date", "Title", "Author Name", "ASIN", "Marketplace", "Paid Units", "Free Units"]
KENP = "Kindle Edition Normalized Page (KENP) Read"
FINAL_KENP = ["Title", "Author", "ASIN", "Marketplace", KENP, "Royalty", "Currency"]
FINAL_PRINT = [
    *("Title", "Author", "ISBN", "Marketplace", "Units Sold", "Units Refunded", "Royalty Type"),
    *("Avg. List Price without tax", "Avg. Offer Price without tax", "Avg. Manufacturing Cost", "Royalty", "Currency"),
    "ASIN",
]
ONE, TWO, THREE = "B0FIRST001", "B0SECOND02", "B0THIRD003"


def rows(warehouse: Warehouse, view: TableView, profile_id: str = "alice") -> list[dict[str, Any]]:
    asked = (
        select(view.table).where(view.table.c.profile_id == profile_id).order_by(*(view.table.c[k] for k in view.key))
    )
    with warehouse.read() as connection:
        return [dict(row) for row in connection.execute(asked).mappings()]


def report(folder: Path, name: str, tabs: dict[str, Sequence[Sequence[object]]], made: str) -> Path:
    path = folder / name
    path.write_bytes(workbook(tabs, made))
    return path


def orders(folder: Path, name: str, made: str, *lines: tuple[str, str, str, int, int]) -> Path:
    """The tab of orders saved as CSV: (date, ASIN, shop, paid, free). It was made at the time of the file."""
    told = [[day, "A Title", "A. Author", asin, shop, str(paid), str(free)] for day, asin, shop, paid, free in lines]
    path = folder / f"KDP_Orders-{name}.csv"
    path.write_bytes(as_csv([ORDER_TAB, *told]))
    moment = datetime.fromisoformat(made).timestamp()
    os.utime(path, (moment, moment))
    return path


def stored(warehouse: Warehouse, path: Path) -> None:
    """Ingest a file with the time that it has."""
    done = land(warehouse, path, at=int(path.stat().st_mtime))
    assert done.error is None, done.error


def final(
    folder: Path, month: str, made: str, pages: Sequence[Sequence[object]], prints: Sequence[Sequence[object]] = ()
) -> Path:
    """A final report of a month."""
    head = [["Sales Period", f"{date.fromisoformat(f'{month}-01'):%B %Y}"]]
    tabs: dict[str, Sequence[Sequence[object]]] = {"KENP Read": [*head, FINAL_KENP, *pages]}
    if prints:
        tabs["Paperback Royalty"] = [*head, FINAL_PRINT, *prints]
    return report(folder, f"KDP_Prior_Month_Royalties-{month}-01-x.xlsx", tabs, made)


def test_the_database_has_each_view_with_the_columns_that_are_declared(warehouse: Warehouse) -> None:
    """Incident: a column of the dictionary that no query could select."""
    with warehouse.read() as connection:
        here = inspect(connection)
        for view in declared_views():
            found = [column["name"] for column in here.get_columns(view.table.name)]
            assert found == [column.name for column in view.table.c], view.table.name
            assert connection.execute(select(view.table)).all() == []


def test_a_page_s_worth_is_that_of_the_final_report(warehouse: Warehouse, tmp_path: Path) -> None:
    """Incident: a month's pages valued at the rate of another shop, or of an estimate without money."""
    add_profiles(warehouse)
    land(warehouse, ESTIMATOR)
    assert rows(warehouse, KENP_RATES) == []
    pages = [["A", "X", ONE, "Amazon.com", 7_000, 30.1, "USD"], ["B", "X", TWO, "Amazon.com", 3_000, 13.11, "USD"]]
    land(
        warehouse,
        final(tmp_path, "2026-05", "2026-06-15T10:00:00Z", [*pages, ["A", "X", ONE, "Amazon.co.jp", 200, 100, "JPY"]]),
    )
    found = [
        (row["month"], row["marketplace"], row["pages"], row["royalty_micros"], row["currency"], row["rate"])
        for row in rows(warehouse, KENP_RATES)
    ]
    assert found == [
        (date(2026, 5, 1), "Amazon.co.jp", 200, 100_000_000, "JPY", Decimal("0.5")),
        (date(2026, 5, 1), "Amazon.com", 10_000, 43_210_000, "USD", Decimal("0.0043210000")),
    ]  # fmt: skip


def test_a_book_is_one_whichever_of_its_ids_a_tab_tells(warehouse: Warehouse, tmp_path: Path) -> None:
    """Incident: each paperback twice, once by ISBN and once by ASIN, and the title of two years ago."""
    add_profiles(warehouse, "alice", "chen")
    isbn, asin = "9781234567897", "B0PRINT001"
    both = [["Old Title", "X", isbn, "Amazon.com", 3, 0, "60%", 10.0, 10.0, 3.0, 9.0, "USD", asin]]
    land(
        warehouse,
        final(tmp_path, "2026-05", "2026-06-15T10:00:00Z", [["Ebook", "X", ONE, "Amazon.com", 10, 0.04, "USD"]], both),
    )
    newer = [["New Title", "X", isbn, "Amazon.com", 1, 0, "60%", 10.0, 10.0, 3.0, 3.0, "USD", asin]]
    land(
        warehouse,
        final(tmp_path, "2026-06", "2026-07-15T10:00:00Z", [["Ebook", "X", ONE, "Amazon.com", 20, 0.08, "USD"]], newer),
    )
    stored(warehouse, orders(tmp_path, "1", "2026-08-02T10:00:00Z", ("2026-07-03", asin, "Amazon.com", 2, 0)))
    found = {row["asin"]: row for row in rows(warehouse, BOOKS)}
    assert found.keys() == {ONE, asin}
    book = found[asin]
    assert (book["isbn"], book["author"]) == (isbn, "A. Author")
    assert (book["first_on"], book["last_on"], book["title"]) == (date(2026, 5, 1), date(2026, 7, 3), "A Title")
    assert f"{book['first_seen_at']:%F}" == "2026-06-15"
    assert f"{book['last_seen_at']:%F}" == "2026-08-02"
    assert rows(warehouse, BOOKS, "chen") == []


def test_orders_of_overlapping_reports_count_once(warehouse: Warehouse, tmp_path: Path) -> None:
    """Incident: an order for each export that it stood in."""
    add_profiles(warehouse)
    us, uk = "Amazon.com", "Amazon.co.uk"
    stored(
        warehouse,
        orders(tmp_path, "1", "2026-03-10T08:00:00Z", ("2026-03-08", ONE, us, 4, 1), ("2026-03-09", ONE, us, 2, 0)),
    )
    again = (
        ("2026-03-09", ONE, us, 3, 0),
        ("2026-03-10", TWO, us, 1, 0),
        ("2026-03-09", TWO, uk, 5, 0),
        ("2026-03-10", ONE, us, -1, 0),
    )
    stored(warehouse, orders(tmp_path, "2", "2026-03-11T08:00:00Z", *again))
    counted = {
        (str(row["day"]), row["asin"], row["marketplace"]): (row["paid_units"], row["free_units"])
        for row in rows(warehouse, ORDERS)
    }
    assert counted == {
        ("2026-03-08", ONE, us): (4, 1), ("2026-03-09", ONE, us): (3, 0), ("2026-03-10", TWO, us): (1, 0),
        ("2026-03-10", ONE, us): (-1, 0), ("2026-03-09", TWO, uk): (5, 0),
    }  # fmt: skip
    # The month of the shop takes the place of its days up to the day that it was made; the other shop's stay.
    stored(
        warehouse, orders(tmp_path, "3", "2026-03-09T08:00:00Z", ("2026-03", ONE, us, 9, 1), ("2026-02", ONE, us, 1, 0))
    )
    counted = {
        (str(row["day"]), row["grain"], row["asin"], row["marketplace"]): row["paid_units"]
        for row in rows(warehouse, ORDERS)
    }
    assert counted == {
        ("2026-02-01", "month", ONE, us): 1, ("2026-03-01", "month", ONE, us): 9, ("2026-03-10", "day", TWO, us): 1,
        ("2026-03-10", "day", ONE, us): -1, ("2026-03-09", "day", TWO, uk): 5,
    }  # fmt: skip
    assert rows(warehouse, ORDERS_PLACED) == []
    third = next(row["upload_id"] for row in rows(warehouse, ORDERS) if row["grain"] == "month")
    withdraw(warehouse, third)
    assert len(rows(warehouse, ORDERS)) == 5


def test_a_workbook_s_tabs_of_orders_are_told_as_they_stand(warehouse: Warehouse) -> None:
    """Guards: views that fit the rows of this test only."""
    add_profiles(warehouse)
    done = land(warehouse, ESTIMATOR)
    assert done.report
    for view, series in ((ORDERS, "orders:"), (ORDERS_PLACED, "orders_placed:")):
        told = [row for row in done.report.rows if row.dimensions.slice.startswith(series)]
        assert told
        found = rows(warehouse, view)
        assert sum(row["free_units"] for row in found) == sum(row.measures.free_units for row in told)
        paid = sum(row.measures.units_sold - row.measures.free_units for row in told)
        assert sum(row["paid_units"] for row in found) == paid


def test_a_payment_stands_once_with_what_was_withheld_and_both_rates(warehouse: Warehouse) -> None:
    """Incident: accrued twice, because a payment was pending in one report and paid in the next."""
    add_profiles(warehouse)
    land(warehouse, PENDING, at=1_776_000_000)
    land(warehouse, PAID, at=1_776_000_100)
    found = {row["payout_id"]: row for row in rows(warehouse, PAYMENTS_COUNTED)}
    assert len(found) == 6
    for row in found.values():
        assert (
            abs(row["accrued_micros"] - row["withheld_micros"] + row["adjustments_micros"] - row["net_micros"]) < 10_000
        )
        share = Decimal(row["withheld_micros"]) / row["accrued_micros"]
        assert row["withheld_share"] == round(share, 6)
        if row["payout_micros"] is not None:
            assert row["implied_rate"] == round(Decimal(row["payout_micros"]) / row["net_micros"], 6)
    assert {row["withheld_share"] for row in found.values()} >= {Decimal("0.05"), Decimal(0)}
    assert {row["printed_rate"] for row in found.values()} >= {"0.8951", None}
    assert sum(row["state"] == "released" for row in found.values()) == 1


def test_an_erased_profile_is_in_no_view(warehouse: Warehouse) -> None:
    """Incident: an author who was erased, and whose books stood in a table."""
    add_profiles(warehouse)
    for path in (ESTIMATOR, FINAL, PAID):
        land(warehouse, path)
    assert all(rows(warehouse, view) for view in VIEWS)
    erasure.erase_profile(warehouse, "alice", personal())
    with warehouse.read() as connection:
        assert not [view.name for view in VIEWS if connection.execute(select(view.table)).first()]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as made:
            yield made


def ingested(instance: dg.DagsterInstance, warehouse: Warehouse, path: Path) -> dict[tuple[str, str], object]:
    """Rows that a run told of the views, by asset and partition."""
    (file,) = register(warehouse, [path], "alice")
    instance.add_dynamic_partitions("kdp_uploads", [file.partition])
    job = defs.resolve_job_def("kdp_ingest")
    done = job.execute_in_process(instance=instance, partition_key=file.partition, run_config=small.QUIET)
    landed = [event.materialization for event in done.get_asset_materialization_events()]
    assets = {view.asset for view in VIEWS}
    return {
        (one.asset_key.to_user_string(), "new" if one.partition == file.partition else "old"): one.metadata["dagster/partition_row_count"].value
        for one in landed
        if one.asset_key.to_user_string() in assets
    }  # fmt: skip


def test_each_partition_says_what_its_report_counts_for(
    instance: dg.DagsterInstance, sqlite_warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a report whose partition said five orders long after a newer one told them all."""
    add_profiles(sqlite_warehouse)
    first = orders(
        tmp_path,
        "1",
        "2026-03-10T08:00:00Z",
        ("2026-03-08", ONE, "Amazon.com", 4, 1),
        ("2026-03-09", TWO, "Amazon.com", 2, 0),
    )
    assert ingested(instance, sqlite_warehouse, first) == {("kdp/orders", "new"): 2, ("kdp/books", "new"): 2}
    second = orders(tmp_path, "2", "2026-03-11T08:00:00Z", ("2026-03-09", TWO, "Amazon.com", 3, 0))
    assert ingested(instance, sqlite_warehouse, second) == {
        ("kdp/orders", "new"): 1, ("kdp/orders", "old"): 1, ("kdp/books", "new"): 1, ("kdp/books", "old"): 1,
    }  # fmt: skip
    upload = next(row["upload_id"] for row in rows(sqlite_warehouse, ORDERS) if row["paid_units"] == 3)
    log_withdrawal(instance, sqlite_warehouse, withdraw(sqlite_warehouse, upload))
    latest = instance.get_latest_materialization_event(dg.AssetKey(["kdp", "orders"]))
    assert latest
    assert latest.asset_materialization
    assert latest.asset_materialization.metadata["dagster/partition_row_count"].value in {0, 2}
    monkeypatch.setenv("STREAMS", "kdp/books")
    third = orders(tmp_path, "3", "2026-03-12T08:00:00Z", ("2026-03-11", THREE, "Amazon.com", 1, 0))
    assert ingested(instance, sqlite_warehouse, third) == {("kdp/books", "new"): 1}
