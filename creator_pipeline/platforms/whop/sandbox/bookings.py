"""Which lines an event makes, with invented prices."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from creator_pipeline.platforms.whop.sandbox.books import Books, Line, settles_at
from creator_pipeline.platforms.whop.sandbox.object_json import Json, amount_of
from creator_pipeline.platforms.whop.sandbox.readings import Readings, written

PROCESSING = frozenset(
    {
        "payment_processing_percentage_fee",
        "payment_processing_fixed_fee",
        "billing_percentage_fee",
        "cross_border_percentage_fee",
        "fx_percentage_fee",
    }
)
SHARES = frozenset({"affiliate_fee", "payment_revshare"})
TAX = "sales_tax_remittance"
TRAITS = ("foreign", "fx", "tax", "affiliate", "revshare")
FIXED: Mapping[str, Decimal] = {"jpy": Decimal(45), "kwd": Decimal("0.095")}
"""The fixed fee of a payment where it isn't 0.30."""
ALERT_FEE = Decimal("5.00")
TAX_RATE = Decimal("0.0834")


def invented_traits(payment_id: str) -> frozenset[str]:
    """What makes a payment's fees: the same for the same id. A conversion only follows from a foreign card."""
    odds = dict(zip(TRAITS, hashlib.sha256(payment_id.encode()).digest(), strict=False))
    found = {name for name, every in zip(TRAITS, (3, 2, 4, 6, 9), strict=True) if odds[name] % every == 0}
    return frozenset(found if "foreign" in found else found - {"fx"})


def add_tax(payment: Json) -> None:
    """A part of the total is tax, which Whop remits."""
    total = amount_of(payment["total"])
    tax = written(total - total / (1 + TAX_RATE), payment["currency"])
    payment.update(
        tax_amount=payment["total"] | {"amount": f"{tax:f}"},
        subtotal=payment["total"] | {"amount": f"{total - tax:f}"},
        tax_behavior="inclusive",
    )


def _costs(payment: Json, traits: frozenset[str]) -> list[tuple[str, Decimal]]:
    """Lines beside the gross: word and what it costs."""
    total, tax = amount_of(payment["total"]), amount_of(payment["tax_amount"])
    currency, net = payment["currency"], amount_of(payment["total"]) - tax
    costs = [(TAX, tax)] if tax else []
    costs.append(("payment_processing_percentage_fee", total * Decimal("0.027")))
    if payment["billing_reason"] != "one_time":
        costs.append(("billing_percentage_fee", net * Decimal("0.005")))
    if "foreign" in traits:
        costs.append(("cross_border_percentage_fee", total * Decimal("0.015")))
    if "fx" in traits:
        # The rate of the moment has more digits than the books: the fee is cut at their last one.
        costs.append(("fx_percentage_fee", total * Decimal("0.010000023457")))
    costs.append(("payment_processing_fixed_fee", FIXED.get(currency, Decimal("0.30"))))
    if "affiliate" in traits:
        costs.append(("affiliate_fee", net * Decimal("0.20")))
    if "revshare" in traits:
        costs.append(("payment_revshare", net * Decimal("0.075")))
    return costs


def book_payment(books: Books, payment: Json, moment: datetime) -> None:
    """The gross and everything that is taken off it, pending until it settles."""
    total = amount_of(payment["total"])
    if not total:
        return
    more: dict[str, Any] = {"available_at": settles_at(moment), "payment_id": payment["id"]}
    books.post("payment_gross", total, payment["currency"], moment, **more)
    for word, cost in _costs(payment, books.traits[payment["id"]]):
        books.post(word, -cost, payment["currency"], moment, **more)


def _of_sale(books: Books, payment: Json) -> list[Line]:
    """Lines that were booked when the payment was paid."""
    return [line for line in books.of_payment(payment["id"]) if line.source is None]


def kept_of(books: Books, payment: Json, readings: Readings) -> Decimal:
    """``amount_after_fees``: the total less Whop's fees, as finely as the currency is written."""
    words = PROCESSING | SHARES | {TAX} if readings.kept_after_all else PROCESSING
    fees = sum((line.amount for line in _of_sale(books, payment) if line.line_type in words), Decimal(0))
    return written(amount_of(payment["total"]) + fees, payment["currency"])


def book_refund(books: Books, payment: Json, refund: Json, moment: datetime, readings: Readings) -> None:
    """The money leaves at once; tax and a partner's share come back in proportion, fees only by ``readings``.

    Args:
        books: of the account.
        payment: that is refunded.
        refund: its amount is in the payment's currency.
        moment: time of the refund, with its zone.
        readings: whether fees come back.
    """
    words = {TAX: f"{TAX}_reversal", "payment_revshare": "payment_revshare_refund"}
    if readings.fees_back:
        words |= {word: word for word in PROCESSING}
    given, currency = amount_of(refund["amount"]), payment["currency"]
    share = given / amount_of(payment["total"])
    costs = [line for line in _of_sale(books, payment) if line.line_type in words]
    more: dict[str, Any] = {"payment_id": payment["id"], "source": ("refund", refund["id"])}
    books.post("payment_refund", -given, currency, moment, **more)
    for line in costs:
        books.post(words[line.line_type], -line.amount * share, currency, moment, **more)


def book_failed_refund(books: Books, refund: Json, moment: datetime) -> None:
    """A refund fails after it was booked: everything that was booked with it is taken back."""
    source = ("refund", refund["id"])
    words = {
        "payment_refund": "payment_refund_reversal",
        f"{TAX}_reversal": TAX,
        "payment_revshare_refund": "payment_revshare",
    }
    for line in [line for line in books.lines if line.source == source]:
        word = words.get(line.line_type, line.line_type)
        books.post(word, -line.amount, line.currency, moment, payment_id=line.payment_id, source=source)


def book_dispute(books: Books, payment: Json, dispute: Json, moment: datetime) -> None:
    """What is left of the payment leaves at once, with a fee in the currency of the fee.

    Args:
        books: of the account.
        payment: that is disputed.
        dispute: tells the fee.
        moment: when, with its zone.
    """
    left = amount_of(payment["total"]) - amount_of(payment["refunded_amount"])
    more: dict[str, Any] = {"payment_id": payment["id"], "source": ("dispute", dispute["id"])}
    if left:
        books.post("payment_dispute", -left, payment["currency"], moment, **more)
    books.post("payment_dispute_fee", -amount_of(dispute["fee"]), dispute["fee"]["currency"], moment, **more)


def book_won(books: Books, dispute: Json, moment: datetime) -> None:
    """The amount comes back, the fee doesn't."""
    source = ("dispute", dispute["id"])
    for line in [line for line in books.lines if line.source == source and line.line_type == "payment_dispute"]:
        books.post(
            "payment_dispute_reversal",
            -line.amount,
            line.currency,
            moment,
            payment_id=line.payment_id,
            source=source,
        )


def book_alert(books: Books, payment: Json, moment: datetime) -> None:
    """The price of an alert; the refund that follows is booked as one."""
    books.post(
        "dispute_alert_fee", -ALERT_FEE, "usd", moment, payment_id=payment["id"], source=("alert", payment["id"])
    )
