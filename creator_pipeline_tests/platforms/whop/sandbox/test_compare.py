"""The ledger beside the platform's books: equal where it is, and a difference in a single line is told."""

import orjson
import pytest

from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.whop.sandbox import truth
from creator_pipeline.platforms.whop.sandbox.compare import books_differences, meanings_from, meanings_of
from creator_pipeline.sandbox.responses import json_response
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.sandbox import World
from creator_pipeline_tests.support.whop_samples import MOMENT, TODAY


@pytest.fixture(scope="module")
def books():
    return World.invented(today=TODAY, whop_sizes={"alice": 30}).whop.books("alice")


def rows_of(found) -> list[dict]:
    """A ledger of one row for each meaning of each day."""
    rows = []
    for number, (((day, currency), meaning), booked) in enumerate(meanings_of(found).items()):
        cost = meaning in ("fee", "payout_fee")
        gross, fee = (0, -booked.micros) if cost else (booked.micros, 0)
        event = LedgerEvent(
            f"whop:{number}", "alice", "whop", meaning, str(number), None, None, MOMENT, day, 1,
            gross, fee, gross - fee, currency, f"{day}|alice", MOMENT, MOMENT,
        )  # fmt: skip
        rows.append(event._asdict())
    return rows


def write(warehouse, rows) -> None:
    with warehouse.write() as connection:
        connection.execute(sales_events.insert(), rows)


def test_a_ledger_that_is_the_books_differs_in_nothing(warehouse, books) -> None:
    write(warehouse, rows_of(books))
    assert books_differences(warehouse, "alice", meanings_of(books)) == []
    told = orjson.loads(json_response(truth.as_json(books)).body)
    assert meanings_from(told) == meanings_of(books)


def test_a_missing_and_a_wrong_row_are_told(warehouse, books) -> None:
    """Guards: a comparison that nets one error against another, or calls a missing cent a rounding."""
    rows = rows_of(books)
    missing = rows.pop()
    share = next(row for row in rows if row["event_type"] == "affiliate_share")
    share.update(gross_micros=share["gross_micros"] + 10_000, net_micros=share["net_micros"] + 10_000)
    write(warehouse, rows)
    off = books_differences(warehouse, "alice", meanings_of(books))
    kinds = {(one.meaning[0], one.meaning[1]): one.ledger - one.platform for one in off}
    key = (missing["occurred_on"], missing["currency"]), missing["event_type"]
    assert kinds == {
        key: missing["fee_micros"] or -missing["gross_micros"],
        ((share["occurred_on"], share["currency"]), "affiliate_share"): 10_000,
    }
