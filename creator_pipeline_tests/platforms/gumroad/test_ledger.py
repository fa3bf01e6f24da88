"""From a sale to its ledger rows: pure, and true for every sale."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad.ledger import gumroad_events
from creator_pipeline.platforms.gumroad.sale_rows import RowsOfSale
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.ledger_samples import NOW, sale


def short(events) -> list[tuple[str, int, int, int]]:
    """What matters of the rows: type, units, gross, fee (dollars)."""
    return [
        # Not //: a stray micro would be rounded away.
        (event.event_type, event.quantity, event.gross_micros / 10**6, event.fee_micros / 10**4)
        for event in events
    ]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, [("sale", 2, 10, 209)]),
        ({"price_micros": 0, "fee_micros": 0}, [("sale", 2, 0, 0)]),
        # Of the fee 2.9 % and 30 cents are kept.
        ({"refunded_micros": 10_000_000}, [("sale", 2, 10, 209), ("refund", -2, -10, -150)]),
        ({"refunded_micros": 4_000_000}, [("sale", 2, 10, 209), ("refund", 0, -4, -59)]),
        ({"refunded_micros": None}, [("sale", 2, 10, 209)]),
        ({"chargedback": True, "disputed": True}, [("sale", 2, 10, 209), ("chargeback", -2, -10, -209)]),
        (
            {"disputed": True, "dispute_won": True},
            [("sale", 2, 10, 209), ("chargeback", -2, -10, -209), ("chargeback_reversal", 2, 10, 209)],
        ),
        (
            # Won once, and lost in the end: lost is what counts.
            {"chargedback": True, "disputed": True, "dispute_won": True},
            [("sale", 2, 10, 209), ("chargeback", -2, -10, -209)],
        ),
        (
            {"refunded_micros": 4_000_000, "chargedback": True, "disputed": True},
            [("sale", 2, 10, 209), ("refund", 0, -4, -59), ("chargeback", -2, -6, -126)],
        ),
        (
            {"refunded_micros": 10_000_000, "chargedback": True},
            [("sale", 2, 10, 209), ("refund", -2, -10, -150)],
        ),
        ({"price_micros": 0, "fee_micros": 0, "chargedback": True}, [("sale", 2, 0, 0)]),
        # What a processor keeps of money that it paid by itself is told nowhere, and not guessed.
        (
            {"refunded_micros": 10_000_000, "processor": "paypal"},
            [("sale", 2, 10, 209), ("refund", -2, -10, -209)],
        ),
        (
            {"affiliate_micros": 230_000, "refunded_micros": 10_000_000},
            [
                ("sale", 2, 10, 209),
                ("affiliate_share", 0, -0.23, 0),
                ("refund", -2, -10, -150),
                ("affiliate_share", 0, 0.23, 0),
            ],
        ),
        ({"kind": "trial"}, []),
        ({"kind": "bundle_part"}, []),
        ({"kind": "gift_receipt"}, []),
    ],
)
def test_each_way_of_money_is_its_own_row(over, expected):
    """Guards: money that went back and stays in the sum, or goes back twice."""
    assert short(gumroad_events(sale(**over), NOW)) == expected


def test_each_row_says_whose_it_is_and_where_it_came_from():
    """Guards: rows that no replace of their partition finds again."""
    for event in gumroad_events(sale(refunded_micros=4_000_000), NOW):
        assert (event.profile_id, event.platform, event.external_id, event.currency) == (
            "alice",
            "gumroad",
            "x==",
            "USD",
        )
        assert (event.id, event.source) == (f"gumroad:alice:x==:{event.event_type}", "2026-10-01|alice")
        assert (event.product_id, event.product_name) == ("p==", "Zine")
        assert (event.first_seen_at, event.ingested_at) == (NOW, NOW)


PRICES = st.integers(0, 10**8).flatmap(
    lambda price: st.tuples(st.just(price), st.integers(0, price), st.one_of(st.none(), st.integers(0, price)))
)


@given(PRICES, st.integers(1, 50), st.booleans(), st.booleans(), st.sampled_from(["sale", "trial", "bundle_part"]))
def test_what_is_true_of_every_sale(money, quantity, chargedback, won, kind):
    """Guards: net that is not gross less fee, a sale that costs more than it brought, an id that comes twice."""
    price, fee, refunded = money
    one = sale(
        price_micros=price, fee_micros=fee, refunded_micros=refunded, quantity=quantity,
        chargedback=chargedback, disputed=chargedback or won, dispute_won=won, kind=kind,
    )  # fmt: skip
    events = gumroad_events(one, NOW)
    assert all(event.net_micros == event.gross_micros - event.fee_micros for event in events)
    assert sum(event.gross_micros for event in events) >= 0
    assert sum(event.quantity for event in events) >= -quantity * (refunded == price and bool(price))
    assert len({event.id for event in events}) == len(events)
    assert gumroad_events(one, NOW) == events
    assert {event.occurred_at for event in events} <= {one.created_at, max(NOW, one.created_at)}
    assert all(event.fee_exact == (event.event_type == "sale") for event in events)
    assert all(event.gross_micros < 0 for event in events if event.event_type in ("refund", "chargeback"))


def test_ids_are_of_the_platform_the_profile_and_the_sale():
    """Guards: two profiles who sell the same bundle overwriting each other's rows."""
    (mine,) = gumroad_events(sale(), NOW)
    (theirs,) = gumroad_events(sale(profile_id="bea"), NOW)
    assert mine.id == "gumroad:alice:x==:sale"
    assert theirs.id != mine.id
    assert (mine.occurred_on.isoformat(), mine.source, mine.currency) == ("2026-10-01", "2026-10-01|alice", "USD")


def test_a_row_has_the_columns_of_the_table_in_their_order():
    """Guards: a fee in the column of the net."""
    assert list(LedgerEvent._fields) == sales_events.c.keys()


@pytest.mark.parametrize("over", [{}, {"fee_micros": 0, "fee_told": False}, {"processor": "paypal"}, {"quantity": 3}])
def test_a_sale_that_nothing_else_tells_of_has_the_row_that_any_sale_has(over: dict[str, Any]) -> None:
    """Guards: two ways to make a row that drift apart."""
    one = sale(**over)
    made = RowsOfSale(one.profile_id, one.id, one, True, one.created_at.date(), NOW, bool(one.processor))
    made.sale([])
    assert gumroad_events(one, NOW) == made.events
