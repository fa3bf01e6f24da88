"""The table ``products``, and what it names as not mapped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.ledger.works import read_works
from creator_pipeline.orchestration import products as module
from creator_pipeline.orchestration.products import build, unmapped, works_of
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_royalties, products, sales_events
from creator_pipeline_tests.support.at_once import met
from creator_pipeline_tests.support.ledger_samples import event

BOOK = {
    "source_row": 1,
    "sheet": "Combined Sales",
    "event_key": "k",
    "slice": "sales",
    "finality": "final",
    "counted": True,
    "kind": "sales",
    "occurred_on": date(2026, 10, 1),
    "units_sold": 1,
    "units_refunded": 0,
    "free_units": 0,
    "pages_read": 0,
    "royalty_micros": 2_000_000,
}
"""A row of a report of KDP."""


@pytest.fixture
def stored(warehouse: Warehouse) -> Warehouse:
    sold = [
        event(1)._replace(product_id="kit=="),
        event(2, date(2026, 10, 9), gross=3_000_000)._replace(product_id="kit=="),
        event(3, name="Mug", gross=1_000_000)._replace(product_id="mug=="),
        event(4, name="The Tide")._replace(platform="amazon_kdp", product_id="B0TIDE"),
        event(5, name="Free", gross=0)._replace(product_id="free==", net_micros=0, fee_micros=0),
    ]
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        connection.execute(insert(sales_events), [one._asdict() for one in sold])
        connection.execute(
            insert(kdp_royalties).values(upload_id="u", profile_id="alice", asin="B0TIDE", isbn="9783161484100", **BOOK)
        )
    return warehouse


def test_two_at_once_wait_for_each_other(stored: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: two runs that add the same new products, each in its order, and wait for each other for ever."""
    assert not met(monkeypatch, module, "replace", lambda: build(stored, {}))


def test_what_was_sold_anywhere_is_tied_to_its_work_and_the_rest_is_named(stored: Warehouse) -> None:
    """Incident: one novel as four products on three platforms, and no figure for it; a fifth that nobody had mapped."""
    works = read_works(
        "product,work,series,author\n978-3-16-148410-0,The Tide,Harbour,A. Writer\nkit==,The Tide,,\n", "w.csv"
    )
    assert build(stored, works).inserted == 4
    table = products.c
    with stored.read() as connection:
        rows = connection.execute(
            select(
                table.platform,
                table.product_id,
                table.first_sold_on,
                table.last_sold_on,
                table.work,
                table.series,
                table.other_ids,
            ).order_by(table.product_id)
        ).all()
        missing = unmapped(connection)
    first = date(2026, 10, 1)
    assert [tuple(row) for row in rows] == [
        ("amazon_kdp", "B0TIDE", first, first, "The Tide", "Harbour", "9783161484100"),
        ("gumroad", "free==", first, first, None, None, None),
        ("gumroad", "kit==", first, date(2026, 10, 9), "The Tide", None, None),
        ("gumroad", "mug==", first, first, None, None, None),
    ]
    assert len(missing) == 1
    assert "mug== (Mug)" in missing[0]
    assert not build(stored, works).any
    assert build(stored, {}).updated == 2


def test_a_file_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    """Incident: a path with a slip, and a table without works that looked like a choice."""
    assert works_of(None) == {}
    with pytest.raises(ConfigError, match="WORKS_FILE"):
        works_of(str(tmp_path / "none.csv"))
