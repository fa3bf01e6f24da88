"""From Gumroad's payouts over HTTP to the tables and the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad.payout_assets import days_by_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_balances
from creator_pipeline_tests.support.gumroad_payouts import (
    KEPT,
    PayoutServer,
    answer,
    heads,
    ledger,
    line,
    lines,
    net_of,
    owner,
    payout,
    read_payouts,
    read_sales,
    sales,
    short,
)

TWICE, FULL, RETURNED = "U-RwnUJDnluITVQQaLHAPQ==", "5b_14fnF8ll5i336vTAH2A==", "n_e1_-SGpG8T5bjhQbFpwg=="


@pytest.fixture
def server() -> Iterator[PayoutServer]:
    made = PayoutServer()
    made.sales = sales()
    yield made
    made.close()


@pytest.fixture
def house(warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    owner(warehouse, ring)
    return warehouse


def test_everything_is_tied_to_its_sale(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: a payout that nobody can say what it was for."""
    server.has(*(payout(name) for name in KEPT), payout("payout_returned"))
    read_sales(house, server, ring)
    read_payouts(house, server)
    rows = ledger(house)
    for sale_id, wanted in answer("manifest")["net_effect_per_sale_cents"].items():
        assert net_of(rows, sale_id) == wanted["net"], wanted["name"]
    for one in answer("manifest")["refund_fee_per_refund"]:
        (row,) = [row for row in rows if row["id"] == f"gumroad:alice:{one['sale']}:refund:{one['date']}:1"]
        assert (row["gross_micros"], row["fee_micros"]) == (
            -one["refund_cents"] * 10_000,
            -one["given_back_exact"] * 10_000,
        )
        assert (str(row["occurred_on"]), row["fee_exact"]) == (one["date"], True)
    told = lines(house)
    assert not [one for one in told if one["ledger_id"] is None and one["reason"] is None]
    for head in heads(house).values():
        mine = sum(one["net_micros"] for one in told if one["payout_id"] == head["payout_id"])
        assert head["currency"] != "USD" or mine == head["amount_micros"]
    settled = {row["id"]: row["net_micros"] for row in rows}
    assert all(settled[one["ledger_id"]] == one["net_micros"] for one in told if one["ledger_id"])


def test_what_the_sale_alone_tells_is_an_estimate_with_the_manifest_s_figures(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: minus 2.09 for a sale that was refunded in full, because its fee never came back."""
    read_sales(house, server, ring)
    for one in answer("manifest")["refund_fee_per_refund"]:
        found = [row for row in short(ledger(house), one["sale"]) if row[0] == "refund"]
        whole = sum(
            other["refund_cents"]
            for other in answer("manifest")["refund_fee_per_refund"]
            if other["sale"] == one["sale"]
        )
        assert [row[2] for row in found] == [-whole]
        assert not found[0][4]
        if whole == one["refund_cents"]:
            assert found[0][3] == -one["given_back_estimate"]


def test_lines_come_before_sales_and_give_way_to_them(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: hours of a long history without a figure, or twice its money once the details come."""
    server.has(*(payout(name) for name in KEPT))
    read_payouts(house, server)
    before = ledger(house)
    for sale_id, wanted in answer("manifest")["net_effect_per_sale_cents"].items():
        assert net_of(before, sale_id) == wanted["net"], wanted["name"]
    assert {row["source"][:7] for row in before if row["event_type"] == "sale"} == {"payout "}
    assert days_by_payouts(house, "alice") == len({row["occurred_on"] for row in before if row["event_type"] == "sale"})
    read_sales(house, server, ring)
    after = ledger(house)
    assert days_by_payouts(house, "alice") == 0
    assert {row["id"] for row in before if row["event_type"] == "sale"} <= {row["id"] for row in after}
    assert not [row for row in after if row["event_type"] == "sale" and row["source"].startswith("payout ")]
    assert [row["net_micros"] for row in after if row["event_type"] == "affiliate_share"] == [-12_820_000]
    assert sum(row["net_micros"] for row in after) == sum(row["net_micros"] for row in before)


def test_a_payout_read_twice_keeps_its_first_reading(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: a refund that disappears from a completed payout, with an adjustment in its place."""
    server.has(payout("payout_B_first_reading"))
    read_sales(house, server, ring)
    read_payouts(house, server)
    before, told = ledger(house), lines(house)
    server.has(payout("payout_B_later_reading"))
    assert read_payouts(house, server, since=date(2026, 8, 1)).read == 1
    assert lines(house) == told
    (head,) = heads(house).values()
    assert head["differs"].startswith("17.84 USD in 1 line that")
    assert ledger(house) == before
    server.has(payout("payout_B_first_reading"))
    read_payouts(house, server, since=date(2026, 8, 1))
    assert [head["differs"] for head in heads(house).values()] == [None]


def test_a_row_that_was_gone_at_the_first_reading_explains_the_adjustment(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: 17.84 called unexplained, although the sale says what was given back."""
    server.has(payout("payout_B_later_reading"), payout("payout_after_return"))
    read_payouts(house, server)
    (open_,) = [one for one in lines(house) if one["type"] == "Technical Adjustment"]
    assert (open_["reason"], open_["ledger_id"][-9:], open_["net_micros"]) == (None, "technical", -17_840_000)
    read_sales(house, server, ring)
    (known,) = [one for one in lines(house) if one["type"] == "Technical Adjustment"]
    assert (known["net_micros"], known["sale_id"]) == (-17_840_000, TWICE)
    assert known["reason"]
    assert net_of(ledger(house), TWICE) == 2470
    assert not [row for row in ledger(house) if row["event_type"] == "adjustment"]


def test_a_payout_that_came_back_counts_once(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: a sale that is paid twice because its first payout was returned."""
    first = payout("payout_returned", status="completed", processed_at="2026-09-14T07:00:00Z")
    fees = [
        line("Affiliate Credit", "2026-09-02", 2.37, sale_price=2.37),
        line("Payout Fee", "2026-09-04", -1.0, gumroad_fees=1.0),
    ]
    first["transactions"] += fees
    server.has(first)
    read_sales(house, server, ring)
    read_payouts(house, server)
    kinds = [row["event_type"] for row in ledger(house) if row["external_id"] == first["id"]]
    assert kinds == ["affiliate_credit", "payout_fee"]
    server.has(first | {"status": "returned", "processed_at": None})
    assert read_payouts(house, server).ledger.deleted == 1
    head = heads(house)[first["id"]]
    assert (head["state"], head["released_on"] is not None) == ("released", True)
    assert [row["event_type"] for row in ledger(house) if row["external_id"] == first["id"]] == ["affiliate_credit"]
    again = payout("payout_after_return")
    again["transactions"].append(fees[0])
    server.has(again)
    read_payouts(house, server)
    rows = ledger(house)
    assert [row["external_id"] for row in rows if row["event_type"] == "affiliate_credit"] == [again["id"]]
    assert [row["id"] for row in rows if row["external_id"] == RETURNED] == [f"gumroad:alice:{RETURNED}:sale"]
    assert {one["payout_id"] for one in lines(house) if one["sale_id"] == RETURNED} == {first["id"], again["id"]}


def test_an_instant_payout_and_one_in_euro(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: euros that are added to dollars, and a fee that is lost."""
    server.has(payout("payout_instant"), payout("payout_eur"))
    read_sales(house, server, ring)
    read_payouts(house, server)
    by_currency = {head["currency"]: head for head in heads(house).values()}
    euro, dollar = by_currency["EUR"], by_currency["USD"]
    assert (euro["amount_micros"], euro["balance_micros"], euro["balance_currency"]) == (
        103_710_000,
        115_980_000,
        "USD",
    )
    assert (dollar["amount_micros"], dollar["balance_micros"]) == (101_540_000, 101_540_000)
    (fee,) = [row for row in ledger(house) if row["event_type"] == "payout_fee"]
    assert (fee["net_micros"], str(fee["occurred_on"])) == (-3_050_000, "2026-10-06")


def test_a_quiet_night_costs_two_requests_and_writes_nothing(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: a hundred and fifty payouts that are read again each night, and rows that are stamped anew."""
    server.has(*(payout(name) for name in KEPT))
    server.upcoming = answer("payouts_upcoming")["payouts"]
    read_sales(house, server, ring)
    assert read_payouts(house, server).read == len(KEPT)
    before = (ledger(house), lines(house), heads(house))
    asked = server.requests
    done = read_payouts(house, server)
    assert (done.read, done.ledger.any, server.requests - asked) == (0, False, 2)
    assert (ledger(house), lines(house), heads(house)) == before
    with house.read() as connection:
        assert connection.execute(select(platform_balances.c.amount_micros)).scalars().all() == [55_150_000]


def test_what_can_still_change_is_read_again(house: Warehouse, server: PayoutServer) -> None:
    """Guards: a payout on its way whose end is never seen."""
    server.has(payout("payout_eur"), payout("payout_instant", status="processing", processed_at=None))
    assert read_payouts(house, server).read == 2
    assert read_payouts(house, server).read == 1
    server.has(payout("payout_instant"))
    assert read_payouts(house, server).read == 1
    assert heads(house)[payout("payout_instant")["id"]]["state"] == "paid"
    assert read_payouts(house, server).read == 0


def test_the_first_time_all_pages_are_read_and_odd_payouts_stop_nobody(house: Warehouse, server: PayoutServer) -> None:
    """Guards: a date that is none in one payout of sixteen, and no payout at all."""
    server.has(*(payout(name) for name in KEPT))
    server.extra_heads = [*answer("payouts_page_1")["payouts"][2:], *answer("payouts_page_2")["payouts"]]
    server.extra_heads = [one for one in server.extra_heads if one["id"] not in server.payouts]
    done = read_payouts(house, server)
    assert done.listed == len(KEPT) + len(server.extra_heads)
    assert server.seen["/v2/payouts"] == 2
    assert done.read == len(KEPT)
    assert any("no usable created_at" in text for text in done.odd.lines())
    assert any("isn't found by its id" in text for text in done.odd.lines())
    assert len(heads(house)) == done.listed - 1
    assert [head["estimated"] for head in heads(house).values()].count(True) == len(server.extra_heads) - 1


def test_a_line_of_an_unknown_type_is_kept_shown_and_counted(house: Warehouse, server: PayoutServer) -> None:
    """Guards: money that is dropped because its word is new."""
    one = payout("payout_instant")
    one["transactions"] += [
        line("Loyalty Bonus", "2026-10-06", 1.25),
        line("Refund Fee Written Off", "2026-10-06", 0.21, "x=="),
    ]
    server.has(one)
    assert read_payouts(house, server).new_types == {"Loyalty Bonus"}
    found = {row["event_type"]: row["net_micros"] for row in ledger(house)}
    assert found["adjustment"] == 1_250_000
    assert found["fee_refund"] == 210_000
