"""Payments as sellers' accounts have them: with holes, in units, and refunded at another day's rate."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.whop import PLATFORM, probes
from creator_pipeline.platforms.whop.answers import NotFoundError
from creator_pipeline.platforms.whop.checks import Payments
from creator_pipeline.platforms.whop.sync import load_payments, rebuild_ledger, refresh_changed_payments
from creator_pipeline.store.tables import sales_events, whop_payments
from creator_pipeline.store.unreadable import unreadable_of
from creator_pipeline_tests.support.whop_samples import EVERYTHING


@pytest.fixture
def part(server):
    return server.world.whop


def bought(part, **more):
    return part.buy("alice", "Course", traits=(), **more)[1]


def rows(warehouse, *names):
    columns = [sales_events.c[name] for name in names]
    with warehouse.read() as connection:
        found = connection.execute(select(sales_events.c.external_id, sales_events.c.event_type, *columns))
        return {tuple(row[:2]): tuple(row[2:]) for row in found}


def odd(warehouse):
    with warehouse.read() as connection:
        return {(one.part, one.object_id): one.detail for one in unreadable_of(connection, PLATFORM.in_ledger, "alice")}


def verdicts(loaded):
    tally = Payments()
    tally.add(loaded)
    return {one.name: one for one in tally.verdicts()}


def test_objects_with_holes_are_told_and_stop_no_other(two_profiles, client, account, part) -> None:
    """One refund without an amount kept every payment of the account out of the tables, night after night."""
    good, refunded, no_total, no_fee = (bought(part) for _ in range(4))
    refund = part.refund("alice", refunded["id"], "1")
    refund["amount"] = refunded["refunded_amount"] = None
    no_total["total"] = no_fee["amount_after_fees"] = None
    loaded = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    found = rows(two_profiles, "gross_micros")
    assert {(good["id"], "sale"), (refunded["id"], "sale")} <= found.keys()
    assert not {(no_total["id"], "sale"), (no_fee["id"], "sale"), (refunded["id"], "refund")} & found.keys()
    told = odd(two_profiles)
    assert told.keys() == {
        ("refunds", refund["id"]),
        ("payments", no_total["id"]),
        ("payments", no_fee["id"]),
    }
    assert "total" in told["payments", no_total["id"]]
    assert "amount_after_fees" in told["payments", no_fee["id"]]
    verdict = verdicts(loaded)
    assert not verdict["objects_readable"].passed
    assert verdict["objects_readable"].metadata["count"] == 3
    assert verdict["ledger_agrees"].passed


def test_what_can_be_read_again_counts_and_is_no_longer_told(two_profiles, client, account, part) -> None:
    payment, refunded = bought(part), bought(part)
    refund = part.refund("alice", refunded["id"], "1")
    whole, amount = payment["total"], refund["amount"]
    payment["total"] = refund["amount"] = None
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    payment["total"], refund["amount"] = whole, amount
    refresh_changed_payments(two_profiles, client, "alice", account.id, now() - timedelta(days=900))
    assert odd(two_profiles) == {}
    assert rows(two_profiles, "gross_micros")[refunded["id"], "refund"] == (-1_000_000,)
    assert rows(two_profiles, "event_type")[payment["id"], "sale"]


def test_what_was_read_before_stands_while_it_cant_be_read(two_profiles, client, account, part) -> None:
    """Guards: a sale of last month that goes, because tonight's answer has no total."""
    payment, refunded = bought(part), bought(part)
    refund = part.refund("alice", refunded["id"], "1")
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    before = rows(two_profiles, "gross_micros", "net_micros", "quantity")
    payment["total"] = refund["amount"] = None
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert rows(two_profiles, "gross_micros", "net_micros", "quantity") == before
    assert odd(two_profiles).keys() == {("payments", payment["id"]), ("refunds", refund["id"])}
    rebuild_ledger(two_profiles, "alice", EVERYTHING)
    assert rows(two_profiles, "gross_micros", "net_micros", "quantity") == before


def test_units_are_those_of_the_line_items_and_come_back_together(two_profiles, client, account, part) -> None:
    """Three places of a course were one unit."""
    three, back = bought(part, quantity=3), bought(part, quantity=2)
    part.refund("alice", back["id"])
    loaded = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    found = rows(two_profiles, "quantity", "gross_micros")
    price = int(Decimal(three["total"]["amount"]) * 1_000_000)
    assert found[three["id"], "sale"] == (3, price)
    assert (found[back["id"], "sale"][0], found[back["id"], "refund"][0]) == (2, -2)
    assert verdicts(loaded)["ledger_agrees"].passed


@pytest.mark.parametrize("rate", ["1.03", "0.97"])
def test_a_refund_at_another_days_rate_gives_the_unit_back_and_is_no_error(
    two_profiles, client, account, part, rate
) -> None:
    """At 1.03 a check was red for ever, at 0.97 the unit never came back."""
    payment = bought(part)
    part.refund("alice", payment["id"], rate=rate)
    loaded = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    given = -int(Decimal(payment["refunded_amount"]["amount"]) * 1_000_000)
    assert rows(two_profiles, "quantity", "gross_micros")[payment["id"], "refund"] == (-1, given)
    assert next(row for row in loaded.payments if row.id == payment["id"]).final
    sale = ("alice", payment["id"])
    with two_profiles.read() as connection:
        assert probes.gave_more(connection, [sale]) == {sale}
    payment["refunded_amount"]["amount"] = "1.00"
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    with two_profiles.read() as connection:
        assert probes.gave_more(connection, [sale]) == frozenset()


def test_a_part_that_went_back_at_a_high_rate_keeps_the_unit(two_profiles, client, account, part) -> None:
    payment = bought(part)
    total = Decimal(payment["total"]["amount"])
    part.refund("alice", payment["id"], total - 1, rate="1.5")
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert rows(two_profiles, "quantity")[payment["id"], "refund"] == (0,)


@pytest.mark.parametrize("changed", [False, True])
def test_an_alerts_fee_reaches_the_ledger_by_a_load_and_by_the_night(
    two_profiles, client, account, part, changed
) -> None:
    """An alert's fee was in no list that was read: 25.00 of each one were missing without the money feed."""
    payment, free = bought(part), bought(part)
    if changed:
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    part.alert("alice", payment["id"])
    part.alert("alice", free["id"], kind="early_fraud_warning")
    told = next(one for one in account.tables["dispute_alerts"].values() if one["payment_id"] == payment["id"])
    told["fee"]["amount"] = "25.00"
    if changed:
        refresh_changed_payments(two_profiles, client, "alice", account.id, now() - timedelta(days=900))
    else:
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    found = rows(two_profiles, "fee_micros", "currency", "fee_exact")
    assert found[payment["id"], "fee"] == (25_000_000, "USD", False)
    assert (free["id"], "fee") not in found


def test_a_server_without_alerts_is_told_and_payments_go_on(two_profiles, client, server, account, part) -> None:
    server.whop.without = frozenset({"dispute_alerts"})
    part.alert("alice", bought(part)["id"])
    loaded = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert loaded.payments
    assert "/dispute_alerts" in verdicts(loaded)["alerts_listed"].metadata["refused"]


def test_an_amount_finer_than_a_millionth_is_named(two_profiles, client, account, part) -> None:
    """Eight digits of a bitcoin were cut to six, and nobody said so."""
    payment = bought(part)
    fine = {"amount": "0.00012345", "currency": "btc", "decimals": 8, "display_decimals": 8}
    payment.update(currency="btc", total=fine, amount_after_fees=fine)
    verdict = verdicts(load_payments(two_profiles, client, "alice", account.id, EVERYTHING))["amounts_exact"]
    assert not verdict.passed
    assert f"{payment['id']}: total 0.00012345 BTC" in verdict.metadata["amounts"]


def test_a_missing_list_and_another_dialect_are_named(two_profiles, client, server, account, part) -> None:
    """ "Whop: not found." told nobody which list of which server."""
    payment = bought(part)
    server.whop.without = frozenset({"payments"})
    with pytest.raises(NotFoundError, match=r"payments \(GET /payments\)"):
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    server.whop.without = frozenset()
    payment["total"] = 29.0
    with pytest.raises(DataError, match="/payments in another version"):
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    with two_profiles.read() as connection:
        assert connection.execute(select(whop_payments.c.id)).all() == []
