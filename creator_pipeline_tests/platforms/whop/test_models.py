"""From the dated dialect's JSON to rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.whop.ledger import WhopPayment, whop_events
from creator_pipeline.platforms.whop.models import FIELDS, address_hashes, membership_row, money, plan_of
from creator_pipeline.platforms.whop.refunds import has_refunds, payment_row
from creator_pipeline_tests.support.whop_samples import MOMENT, fixture

PERSONAL = ("@", "quillfeather", "ada", "4242", "visa", "+1555", "dark mode", "mpg", "crm_id", "192.0.2")


def memberships() -> list[dict]:
    return [row for n in (1, 2, 3) for row in fixture(f"memberships_page_{n}")["data"]]


def payments() -> list[dict]:
    return [row for n in (1, 2) for row in fixture(f"payments_page_{n}")["data"]]


def refunds_of(payment: dict) -> list[dict]:
    return [row for row in fixture("refunds_page_1")["data"] if row["payment_id"] == payment["id"]]


def dispute(**fields: object) -> dict:
    return fixture("webhooks/dispute.created.body")["data"] | fields


def row_of(payment: dict, disputes: list[dict] | None = None):
    return payment_row("alice", payment, refunds_of(payment), disputes or [], MOMENT)


def ledger(row) -> list:
    return whop_events(WhopPayment(*(getattr(row, name) for name in WhopPayment._fields)), MOMENT)


def payment_with(**fields: object) -> dict:
    return fixture("payment") | fields


@pytest.mark.parametrize(
    ("amount", "currency", "micros"),
    [
        ("29.00", "usd", 29_000_000),
        ("4980", "jpy", 4_980_000_000),
        ("12.505", "kwd", 12_505_000),
        ("0.1", "usdt", 100_000),
    ],
)
def test_money_is_exact_text_in_units_of_its_currency(amount, currency, micros) -> None:
    """Read as cents, a course at 4,980 yen was booked at 49.80."""
    value = {"amount": amount, "currency": currency, "decimals": 2, "display_decimals": 0}
    assert money("payment", {"total": value}, "total") == (micros, currency.upper())


@pytest.mark.parametrize(
    "value", [None, 29.0, "29.00", {"amount": 29.0, "currency": "usd"}, {"amount": "x", "currency": "usd"}]
)
def test_money_of_another_shape_is_refused_by_name(value) -> None:
    with pytest.raises(DataError) as refused:
        money("payment", {"id": "pay_1", "total": value}, "total")
    assert refused.value.column == "total"


@pytest.mark.parametrize("written", ["29.99", "0.1", "12.505", "1234567.89", "4980", "0.3"])
def test_a_json_number_becomes_what_was_written(written) -> None:
    """0.1 + 0.2 style arithmetic on a plan's float price put a stray micro into the table."""
    item = orjson.loads(f'{{"id": "plan_1", "price": {written}}}')
    assert FIELDS.decimal_micros("plan", item, "price") == int(Decimal(written) * 1_000_000)


def test_a_plan_of_the_fixtures() -> None:
    plan = plan_of(fixture("plan"))
    assert (plan.title, plan.currency, plan.initial_micros, plan.renewal_micros) == ("Monthly", "USD", 0, 29_000_000)


def test_every_membership_of_the_fixtures_becomes_a_row_without_anything_personal() -> None:
    rows = [membership_row("alice", item, {}, None, MOMENT) for item in memberships()]
    assert {row.status for row in rows} >= {"drafted", "trialing", "active", "unresolved", "canceling", "expired"}
    kwd = next(row for row in rows if row.currency == "KWD")
    assert kwd.price_micros == 12_500_000
    for row in rows:
        assert not any(word in row.raw.lower() for word in PERSONAL)


@pytest.mark.parametrize("key", ["status", "plan_id", "user_id", "updated_at", "cancel_at_period_end", "product"])
def test_a_membership_without_a_key_that_matters_is_refused_by_name(key) -> None:
    item = {name: value for name, value in fixture("membership").items() if name != key}
    with pytest.raises(DataError) as refused:
        membership_row("alice", item, {}, None, MOMENT)
    assert refused.value.column == key


def test_keys_and_words_that_are_new_are_kept_without_addresses() -> None:
    """Guards: a field that was lost for all the time until somebody wanted it; and one with a buyer's address in it."""
    new = {"loyalty": {"points": 7, "contact": "Ada <ada@example.com>"}, "status": "dormant"}
    row = membership_row("alice", fixture("membership") | new, {}, None, MOMENT)
    assert row.status == "dormant"
    assert orjson.loads(row.raw)["loyalty"] == {"points": 7, "contact": "Ada <[address]>"}
    payment = payment_row("alice", fixture("payment") | {"surcharge": {"amount": "1.00"}}, [], [], MOMENT)
    assert orjson.loads(payment.raw)["surcharge"] == {"amount": "1.00"}


@pytest.mark.parametrize(
    "key", ["billing_reason", "line_items", "membership_id", "plan_id", "product_id", "refunded_at"]
)
def test_a_key_of_a_payment_that_is_lost_or_of_another_type_is_named(key: str) -> None:
    """Guards: a column that was null from one night on, and nobody knew since when."""
    whole = fixture("payment")
    for item in ({name: value for name, value in whole.items() if name != key}, whole | {key: 7}):
        with pytest.raises(DataError) as refused:
            assert payment_row("alice", item, [], [], MOMENT) is has_refunds(item)
        assert refused.value.column == key


def test_addresses_are_kept_as_keyed_hashes_only(ring) -> None:
    hashes = address_hashes(fixture("members_page_1")["data"], ring)
    assert hashes["mber_H3gjwfx874SXdL"] == ring.hash_address("ADA.Quillfeather@example.com ")
    assert len(hashes) == 5
    assert "mber_oeyL0zp9nZrZhy" not in address_hashes(fixture("members_page_2")["data"], ring)


def test_every_payment_of_the_fixtures_becomes_a_row_without_anything_personal() -> None:
    rows = {item["id"]: row_of(item) for item in payments()}
    yen = rows["pay_weQSNq26guHxoA"]
    assert (yen.currency, yen.total_micros, yen.refunded_micros, yen.final) == (
        "JPY",
        4_980_000_000,
        4_980_000_000,
        True,
    )
    assert rows["pay_pEeHbrVhnfQuMl"].final
    assert not rows["pay_JBxo7C8L2xRnJp"].final
    for row in rows.values():
        assert not any(word in row.raw.lower() for word in PERSONAL)


def test_the_ledger_of_the_fixtures() -> None:
    events = [event for item in payments() for event in ledger(row_of(item))]
    told = {
        (e.id.split(":", 2)[2], e.currency, e.gross_micros, e.occurred_on) for e in events if e.event_type == "refund"
    }
    assert told == {
        ("pay_weQSNq26guHxoA:refund:rf_umBF2Bdb9hHjXK", "JPY", -4_980_000_000, date(2026, 9, 2)),
        ("pay_7CmvEdIUlvcb85:refund:rf_StIaJprcX0TC3p", "EUR", -15_000_000, date(2026, 3, 5)),
    }
    ada = next(event for event in events if event.external_id == "pay_UbvgCeBnVZuZbf")
    assert (ada.gross_micros, ada.fee_micros, ada.net_micros) == (23_200_000, 1_620_000, 21_580_000)
    assert ada.source == "2026-10-02|alice"
    assert not {event.external_id for event in events} & {"pay_JBxo7C8L2xRnJp", "pay_QhuF3hXfgvIfBx"}


def test_a_refund_that_failed_gives_no_row() -> None:
    """A refund can fail after it was announced; booking the announcement took 29 dollars that never left."""
    item = next(row for row in payments() if row["id"] == "pay_E7v8nOoUEY3R3i")
    assert [event.event_type for event in ledger(row_of(item))] == ["sale"]


def refund(name: str, amount: str, day: int, status: str = "succeeded") -> dict:
    base = fixture("refunds_page_1")["data"][0]
    value = {"amount": amount, "currency": "usd", "decimals": 2, "display_decimals": 2}
    at = f"2026-10-{day:02}T00:00:00.000Z"
    return base | {
        "id": name, "payment_id": fixture("payment")["id"], "amount": value, "status": status, "created_at": at,
    }  # fmt: skip


def test_several_part_refunds_are_rows_of_their_own_and_the_last_brings_the_unit_back() -> None:
    parts = [refund("rf_2", "13.20", 9), refund("rf_1", "10.00", 5), refund("rf_3", "1.00", 6, "pending")]
    events = ledger(payment_row("alice", payment_with(), parts, [], MOMENT))
    assert [(e.id.rpartition(":")[2], e.quantity, e.gross_micros, e.occurred_on.day) for e in events[1:]] == [
        ("rf_1", 0, -10_000_000, 5),
        ("rf_2", -1, -13_200_000, 9),
    ]
    assert sum(event.gross_micros for event in events) == 0


def test_a_dispute_takes_the_money_and_a_won_one_brings_it_back_less_the_fee() -> None:
    item = next(row for row in payments() if row["id"] == "pay_E7v8nOoUEY3R3i")
    fee = {"amount": "15.00", "currency": "eur", "decimals": 2, "display_decimals": 2}
    opened = ledger(row_of(item, [dispute(fee=fee)]))
    assert [(e.event_type, e.gross_micros, e.fee_micros, e.currency) for e in opened[1:]] == [
        ("chargeback", -29_000_000, 0, "USD"),
        ("fee", 0, 15_000_000, "EUR"),
    ]
    won = ledger(row_of(item, [dispute(status="won", updated_at="2026-11-01T00:00:00.000Z")]))
    assert [(e.event_type, e.occurred_on) for e in won[1:]] == [
        ("chargeback", date(2026, 9, 15)),
        ("chargeback_reversal", date(2026, 11, 1)),
    ]
    assert sum(event.gross_micros for event in won) == 29_000_000
    assert [event.quantity for event in won] == [1, -1, 1]
    assert [event.quantity for event in opened] == [1, -1, 0]


def test_an_inquiry_moves_no_money() -> None:
    item = next(row for row in payments() if row["id"] == "pay_E7v8nOoUEY3R3i")
    events = ledger(row_of(item, [dispute(status="warning_needs_response", inquiry=True)]))
    assert [event.event_type for event in events] == ["sale"]


def test_a_dispute_takes_only_what_refunds_left() -> None:
    """Rapid Dispute Resolution shows as a refund and as a dispute: booked twice, the payment cost the seller double."""
    both = [dispute(payment={"id": fixture("payment")["id"]}, amount=23.2)]
    events = ledger(payment_row("alice", payment_with(), [refund("rf_1", "23.20", 5)], both, MOMENT))
    assert [event.event_type for event in events] == ["sale", "refund"]


@pytest.mark.parametrize("key", ["id", "status", "currency", "total", "created_at", "updated_at", "amount_after_fees"])
def test_a_payment_without_a_key_that_matters_is_refused_by_name(key) -> None:
    item = {name: value for name, value in fixture("payment").items() if name != key}
    with pytest.raises(DataError) as refused:
        payment_row("alice", item, [], [], MOMENT)
    assert refused.value.column == key


def test_the_list_and_the_retrieved_payment_give_the_same_row() -> None:
    """A key the list leaves empty made every second sync rewrite the row."""
    retrieved = fixture("payment") | {"settlement_time_at": "2026-10-04T00:00:00.000Z", "recovery_url": "https://x"}
    assert payment_row("alice", retrieved, [], [], MOMENT) == payment_row("alice", fixture("payment"), [], [], MOMENT)


def test_times_are_aware_utc() -> None:
    assert row_of(fixture("payment")).paid_at == datetime(2026, 10, 2, 9, 15, 29, tzinfo=UTC)


def test_the_rows_of_a_payment_are_named_by_what_they_are() -> None:
    """Guards: ids that another release makes otherwise, and so a ledger with everything twice."""
    payment = next(each for each in payments() if refunds_of(each) and each["status"] == "paid")
    names = {event.id.removeprefix(f"whop:alice:{payment['id']}:") for event in ledger(row_of(payment))}
    given_back = {f"refund:{refund['id']}" for refund in refunds_of(payment) if refund["status"] == "succeeded"}
    assert names == {"sale"} | given_back
    where = {(event.platform, event.profile_id, event.external_id, event.source) for event in ledger(row_of(payment))}
    assert where == {("whop", "alice", payment["id"], f"{payment['created_at'][:10]}|alice")}
