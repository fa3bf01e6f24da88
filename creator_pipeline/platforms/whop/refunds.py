"""Money that went back: refunds and disputes of a payment, and the payment's own row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import orjson

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json, is_whole
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.models import FIELDS, PaymentRow, money, optional_money, payment_raw

MOST_UNITS = 1_000_000


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def payment_of_refund(refund: Json) -> str:
    """Id of the payment a refund reverses."""
    return FIELDS.text("refund", refund, "payment_id")


def payment_of_dispute(dispute: Json) -> str:
    """Id of the payment a dispute is about.

    Raises:
        DataError: the payment or its id is missing.
    """
    payment = dispute.get("payment")
    if not isinstance(payment, dict):
        raise FIELDS.bad("dispute", dispute, "payment", "an object")
    return FIELDS.text("dispute's payment", cast("Json", payment), "id")


def refund_entry(refund: Json, currency: str) -> Json:
    """``{id, micros, status, at}`` of a refund, in the payment's settlement currency, at the time it was asked for.

    Raises:
        DataError: a key that matters is missing, or a refund that succeeded has no amount in ``currency``.
    """
    status = FIELDS.text("refund", refund, "status")
    settled = optional_money("refund", refund, "amount")
    if settled and settled.micros < 0:
        raise FIELDS.bad("refund", refund, "amount", "an amount that isn't negative")
    if status == catalog.REFUND_SUCCEEDED and (settled is None or settled.currency != currency):
        raise FIELDS.bad("refund", refund, "amount", f"the settled amount in {currency}")
    return {
        "id": FIELDS.text("refund", refund, "id"),
        "micros": settled.micros if settled and settled.currency == currency else 0,
        "status": status,
        "at": _utc(FIELDS.time("refund", refund, "created_at")),
    }


def dispute_entry(dispute: Json, currency: str, left_micros: int) -> Json:
    """``{id, micros, status, at, changed_at, inquiry, fee_micros, fee_currency}`` of a dispute.

    Args:
        currency: of the payment.
        left_micros: what refunds left of the payment: no dispute takes more, and one in another currency takes all of
            it, because its amount is told in the card's currency only.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    told = FIELDS.decimal_micros("dispute", dispute, "amount")
    if told < 0:
        raise FIELDS.bad("dispute", dispute, "amount", "an amount that isn't negative")
    same = FIELDS.text("dispute", dispute, "currency").upper() == currency
    status = FIELDS.text("dispute", dispute, "status")
    inquiry = dispute.get("inquiry")
    if not isinstance(inquiry, bool):
        raise FIELDS.bad("dispute", dispute, "inquiry", "true or false")
    fee = optional_money("dispute", dispute, "fee")
    return {
        "id": FIELDS.text("dispute", dispute, "id"),
        "micros": min(told, left_micros) if same else left_micros,
        "status": status,
        "at": _utc(FIELDS.time("dispute", dispute, "created_at")),
        "changed_at": _utc(FIELDS.time("dispute", dispute, "updated_at")),
        "inquiry": inquiry or status.startswith(catalog.INQUIRY_PREFIX),
        "fee_micros": abs(fee.micros) if fee else 0,
        "fee_currency": fee.currency if fee else None,
    }


def payment_of_alert(alert: Json) -> str:
    """Id of the payment an alert is about.

    Raises:
        DataError: it names none.
    """
    return FIELDS.text("dispute alert", alert, "payment_id")


def alert_entry(alert: Json) -> Json:
    """``{id, micros, at, fee_micros, fee_currency}`` of a dispute alert; both amounts are what was charged for it.

    Raises:
        DataError: a key that matters is missing, or its fee was charged and isn't told.
    """
    what = "dispute alert"
    fee = None if alert.get("fee") is None else money(what, alert, "fee")
    charged = alert.get("fee_charged")
    if charged is not None and not isinstance(charged, bool):
        raise FIELDS.bad(what, alert, "fee_charged", "true or false")
    if charged and fee is None:
        raise FIELDS.bad(what, alert, "fee", "an amount with its currency, as it was charged")
    # A fee is a cost, whichever sign it is told with.
    micros = abs(fee.micros) if fee is not None and charged is not False else 0
    return {
        "id": FIELDS.text(what, alert, "id"),
        "micros": micros,
        "at": _utc(FIELDS.time(what, alert, "reported_at")),
        "fee_micros": micros,
        "fee_currency": fee.currency if fee else None,
    }


def _dumps(entries: Iterable[Json]) -> str:
    ordered = sorted(entries, key=lambda entry: (entry["at"], entry["id"]))
    return orjson.dumps(ordered, option=orjson.OPT_SORT_KEYS).decode()


def _items(payment: Json) -> list[Any]:
    items = payment.get("line_items")
    if items is None and "line_items" in payment:
        return []
    if not isinstance(items, list):
        raise FIELDS.bad("payment", payment, "line_items", "a list")
    return cast("list[Any]", items)


def _units(payment: Json) -> int:
    """Units of all line items; a payment without any is of one.

    Raises:
        DataError: a quantity is told that is no whole number.
    """
    told = [cast("Json", item).get("quantity") for item in _items(payment) if isinstance(item, dict)]
    units = [1 if each is None else each for each in told]
    if not all(is_whole(each, MOST_UNITS) and each >= 0 for each in units):
        raise FIELDS.bad("payment", payment, "line_items", f"quantities up to {MOST_UNITS}")
    return sum(units) or 1


def _product_name(payment: Json) -> str | None:
    for item in _items(payment):
        if isinstance(item, dict) and cast("Json", item).get("product_id") == payment.get("product_id"):
            title = cast("Json", item).get("product_title") or cast("Json", item).get("label")
            return title if isinstance(title, str) else None
    return None


def _fee(payment: Json, status: str, currency: str, total_micros: int) -> int | None:
    if status != "paid":
        # Before it is paid, what remains after fees is the total: that isn't a fee of nothing.
        return None
    after = money("payment", payment, "amount_after_fees")
    if after.currency != currency:
        raise FIELDS.bad("payment", payment, "amount_after_fees", f"an amount in {currency}")
    return total_micros - after.micros


def has_refunds(payment: Json) -> bool:
    """Whether a payment shows any sign of a refund, so that its refunds must be read; one that can't be read does."""
    try:
        refunded = optional_money("payment", payment, "refunded_amount")
        at = FIELDS.optional_time("payment", payment, "refunded_at")
    except DataError:
        return True
    return bool((refunded and refunded.micros) or at or "refund" in str(payment.get("substatus")))


def has_alerts(payment: Json) -> bool:
    """Whether a payment may have dispute alerts, which can cost a fee."""
    return bool(payment.get("dispute_alerted_at") or payment.get("auto_refunded")) or has_disputes(payment)


def has_disputes(payment: Json) -> bool:
    """Whether a payment may have a dispute that took money: a part refund can stand before it in the one substatus."""
    substatus = str(payment.get("substatus"))
    return any(sign in substatus for sign in catalog.DISPUTE_SIGNS) or substatus == "partially_refunded"


def payment_row(
    profile_id: str,
    payment: Json,
    refunds: Iterable[Json],
    disputes: Iterable[Json],
    moment: datetime,
    alerts: Iterable[Json] = (),
) -> PaymentRow:
    """The row of one payment with its refunds, disputes and alerts, as the API tells them.

    Args:
        profile_id: the profile whose account was paid.
        payment: the payment.
        refunds, disputes: all of this payment; one that comes twice counts once.
        moment: of the load; stored as ``ingested_at``.
        alerts: all dispute alerts of this payment.

    Raises:
        DataError: a key that matters is missing, or a refund or dispute is of another payment.
    """
    what = "payment"
    status, currency = FIELDS.text(what, payment, "status"), FIELDS.text(what, payment, "currency").upper()
    total = optional_money(what, payment, "total")
    if total is None and status == "paid":
        raise FIELDS.bad(what, payment, "total", "the amount that was paid")
    if total is not None and total.currency != currency:
        raise FIELDS.bad(what, payment, "total", f"an amount in {currency}")
    if status not in catalog.PAYMENT_STATUSES:
        raise FIELDS.bad(what, payment, "status", f"one of {', '.join(sorted(catalog.PAYMENT_STATUSES))}")
    total_micros = total.micros if total else 0
    if total_micros < 0:
        raise FIELDS.bad(what, payment, "total", "an amount that isn't negative")
    paid_at = FIELDS.optional_time(what, payment, "paid_at")
    if status == "paid" and total_micros and paid_at is None:
        raise FIELDS.bad(what, payment, "paid_at", "the time it was paid")
    payment_id = FIELDS.text(what, payment, "id")
    read = [refund_entry(refund, currency) for refund in _of(payment_id, refunds, payment_of_refund)]
    # Only what went back: an attempt that failed is seen or not seen depending on the way the payment was read.
    given_back = [entry for entry in read if entry["status"] == catalog.REFUND_SUCCEEDED]
    left = max(0, total_micros - sum(entry["micros"] for entry in given_back))
    taken: list[Json] = []
    for dispute in sorted(_of(payment_id, disputes, payment_of_dispute), key=lambda item: str(item.get("created_at"))):
        entry = dispute_entry(dispute, currency, left)
        taken.append(entry)
        if not entry["inquiry"] and entry["status"] != "won":
            left -= entry["micros"]
    refunded = optional_money(what, payment, "refunded_amount")
    substatus = FIELDS.optional_text(what, payment, "substatus")
    created_at = FIELDS.time(what, payment, "created_at")
    FIELDS.optional_time(what, payment, "refunded_at")  # decides whether refunds are read
    return PaymentRow(
        profile_id=profile_id,
        id=payment_id,
        partition_day=created_at.date(),
        created_at=created_at,
        paid_at=paid_at,
        updated_at=FIELDS.time(what, payment, "updated_at"),
        status=status,
        substatus=substatus,
        billing_reason=FIELDS.optional_text(what, payment, "billing_reason"),
        membership_id=FIELDS.optional_text(what, payment, "membership_id"),
        product_id=FIELDS.optional_text(what, payment, "product_id"),
        product_name=_product_name(payment),
        plan_id=FIELDS.optional_text(what, payment, "plan_id"),
        units=_units(payment),
        currency=currency,
        total_micros=total_micros,
        fee_micros=_fee(payment, status, currency, total_micros),
        refunded_micros=refunded.micros if refunded else 0,
        refunds=_dumps(given_back),
        disputes=_dumps(taken),
        alerts=_dumps(alert_entry(alert) for alert in _of(payment_id, alerts, payment_of_alert)),
        final=_final(status, taken, left_open=_left_open(substatus, given_back, total_micros, left)),
        raw=payment_raw(payment),
        ingested_at=moment,
    )


def _of(payment_id: str, items: Iterable[Json], owner: Any) -> list[Json]:
    unique = {str(item.get("id")): item for item in items}
    for item in unique.values():
        if owner(item) != payment_id:
            raise DataError(f"Whop's {item.get('id')} is of another payment than {payment_id}.", column="payment_id")
    return list(unique.values())


def all_back(substatus: str | None, given_back: int, total_micros: int) -> bool | None:
    """Whether Whop says that all of a payment, or only a part, went back by refunds; None where the amounts decide.

    A refund is converted at its own day's rate, so it can be more or less than the payment.

    Args:
        substatus: of the payment.
        given_back: by its refunds, in micros.
        total_micros: of the payment.
    """
    if substatus in catalog.WHOLE_BACK and given_back:
        return True
    return False if substatus == catalog.PART_BACK and given_back > total_micros else None


def _left_open(substatus: str | None, given_back: Iterable[Json], total_micros: int, left: int) -> bool:
    back = all_back(substatus, sum(entry["micros"] for entry in given_back), total_micros)
    return left > 0 if back is None else not back


def _final(status: str, disputes: list[Json], *, left_open: bool) -> bool:
    if any(entry["status"] not in catalog.DISPUTE_CLOSED for entry in disputes):
        return False
    return status in catalog.DEAD_PAYMENTS or (status == "paid" and not left_open)
