"""What sales tell of payouts: parts of an adjustment that no line shows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from creator_pipeline.platforms.gumroad.ledger import sale_ledger
from creator_pipeline.platforms.gumroad.payout_facts import Known, facts
from creator_pipeline.platforms.gumroad.payout_rows import Payout
from creator_pipeline.platforms.gumroad.sale_history import NOTHING
from creator_pipeline.platforms.gumroad.sale_lines import SaleLine
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SALE = GumroadSale(
    profile_id="alice", id="one==", created_at=datetime(2026, 10, 1, tzinfo=UTC), product_id=None, product_name=None,
    quantity=1, price_micros=49_000_000, fee_micros=7_120_000, refunded_micros=0, chargedback=False, disputed=False,
    dispute_won=False, kind="sale", affiliate_micros=8_370_000,
)  # fmt: skip


def paid(number: int) -> Payout:
    return Payout(f"p{number}", datetime(2026, 10, 7 * number, 10, tzinfo=UTC), live=True, lines=(), adjusted=True)


def told(type_: str, day: int, gross: int, net: int, payout: str) -> SaleLine:
    made = datetime(2026, 10, 7 * int(payout[1:]), 10, tzinfo=UTC)
    return SaleLine(
        payout,
        1,
        live=True,
        created_at=made,
        type=type_,
        occurred_on=date(2026, 10, day),
        gross_micros=gross,
        fee_micros=gross - net,
        net_micros=net,
    )


@pytest.mark.parametrize(("gross", "net", "share"), [(49_000_000, 41_880_000, 8_370_000), (0, 0, 0)])
def test_a_share_goes_back_with_a_refund_and_is_owed_again_when_it_fails(gross: int, net: int, share: int) -> None:
    """Guards: 8.37 and -8.37 in two payouts that nobody can explain, because the refund between them failed."""
    lines = [
        told("Sale", 1, 49_000_000, 41_880_000, "p1"),
        told("Failed Refund", 9, -gross, -net, "p2"),
        told("Failed Refund Reversal", 18, gross, net, "p3"),
    ]
    ledger = sale_ledger("alice", "one==", SALE, lines, NOTHING, NOW)
    found = facts("alice", [paid(1), paid(2), paid(3)], {"one==": Known(SALE, ledger)})
    assert {name: sum(part.micros for part in one.expected) for name, one in found.items()} == {
        "p1": 0, "p2": share, "p3": -share,
    }  # fmt: skip
