"""What is true of an account: its sales by day, and its books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.whop.sandbox.books import Balance, Books, Line, total_of
from creator_pipeline.platforms.whop.sandbox.object_json import Json, amount_of
from creator_pipeline.platforms.whop.sandbox.payout import Payout
from creator_pipeline.platforms.whop.sandbox.payouts import lines_of
from creator_pipeline.platforms.whop.sandbox.words import meaning_of
from creator_pipeline.sandbox.compare import Day, DayFigures


class Sum(NamedTuple):
    """Lines added up.

    Attributes:
        amount: exact, signed, in units of the currency.
        micros: each line rounded to a millionth, half to even, then added.
        lines: how many.
    """

    amount: Decimal
    micros: int
    lines: int


class PayoutTruth(NamedTuple):
    """A payout; amounts in units of its currency.

    Attributes:
        payout: with its terms.
        booked: what its lines changed in the balance: negative, and zero once all of it came back.
        opening, closing: available just after the payout before it, and just before this one.
        statement: lines between the two: ``opening + statement = closing``.
    """

    payout: Payout
    booked: Decimal
    opening: Decimal
    statement: Sum
    closing: Decimal


class BooksTruth(NamedTuple):
    """The books of an account at a moment.

    Attributes:
        at: the moment.
        balances: by currency.
        words: by currency and line type, of everything that enters or leaves.
        meanings: by UTC day, currency (upper case) and meaning, as ``words``.
        payments: by payment and currency: what it left.
        payouts: oldest first.
    """

    at: datetime
    balances: dict[str, Balance]
    words: dict[tuple[str, str], Sum]
    meanings: dict[tuple[Day, str], Sum]
    payments: dict[tuple[str, str], Sum]
    payouts: list[PayoutTruth]


def totals(tables: Mapping[str, Mapping[str, Json]]) -> dict[Day, DayFigures]:
    """Sales by UTC day and currency, as their objects tell them.

    Money that went back stands on the day on which it did.
    """
    sums: dict[Day, list[int]] = {}

    def add(at: str, currency: str, place: int, amount: Decimal) -> None:
        key = (datetime.fromisoformat(at).date(), currency.upper())
        sums.setdefault(key, [0] * 6)[place] += from_decimal(amount)

    for payment in tables["payments"].values():
        if payment["status"] != "paid":
            continue
        total = amount_of(payment["total"])
        add(payment["paid_at"], payment["currency"], 1, total)
        add(payment["paid_at"], payment["currency"], 2, total - amount_of(payment["amount_after_fees"]))
        sums[datetime.fromisoformat(payment["paid_at"]).date(), payment["currency"].upper()][0] += sum(
            item["quantity"] for item in payment["line_items"]
        )
    for refund in tables["refunds"].values():
        if refund["status"] == "succeeded":
            add(refund["created_at"], refund["amount"]["currency"], 3, amount_of(refund["amount"]))
    for alert in tables["dispute_alerts"].values():
        if alert["fee_charged"]:
            add(alert["reported_at"], alert["fee"]["currency"], 5, amount_of(alert["fee"]))
    for dispute in tables["disputes"].values():
        payment = tables["payments"][dispute["payment"]["id"]]
        left = amount_of(payment["total"]) - amount_of(payment["refunded_amount"])
        add(dispute["created_at"], payment["currency"], 4, left)
        add(dispute["created_at"], "usd", 5, amount_of(dispute["fee"]))
        if dispute["status"] == "won":
            add(dispute["updated_at"], payment["currency"], 4, -left)
    return {key: DayFigures(*values) for key, values in sorted(sums.items()) if any(values)}


def sum_of(lines: Iterable[Line]) -> Sum:
    """Lines of one currency added up."""
    found = list(lines)
    return Sum(total_of(found), sum(from_decimal(line.total) for line in found), len(found))


def as_json(found: BooksTruth) -> Json:
    """The truth for another process: amounts are exact decimal text."""

    def told(one: Sum) -> Json:
        return {"amount": f"{one.amount:f}", "micros": one.micros, "lines": one.lines}

    return {
        "at": found.at,
        "balances": {
            currency: {**{name: f"{part:f}" for name, part in parts._asdict().items()}, "total": f"{parts.total:f}"}
            for currency, parts in found.balances.items()
        },
        "words": [{"currency": code, "line_type": word, **told(one)} for (code, word), one in found.words.items()],
        "meanings": [
            {"day": day, "currency": code, "meaning": meaning, **told(one)}
            for ((day, code), meaning), one in found.meanings.items()
        ],
        "payments": [{"id": name, "currency": code, **told(one)} for (name, code), one in found.payments.items()],
        "payouts": [
            {
                "id": one.payout.id,
                "currency": one.payout.currency,
                "status": one.payout.status,
                "state": one.payout.state,
                "principal": f"{one.payout.principal:f}",
                "charged": f"{one.payout.charged:f}",
                "taken": f"{one.payout.taken:f}",
                "fee_type": one.payout.fee_type,
                "created_at": one.payout.created_at,
                "returned_at": one.payout.returned_at,
                "booked": f"{one.booked:f}",
                "opening": f"{one.opening:f}",
                "statement": told(one.statement),
                "closing": f"{one.closing:f}",
            }
            for one in found.payouts
        ],
    }


def books_truth(books: Books, at: datetime) -> BooksTruth:
    """The books at a moment, lines of that moment included."""
    lines = [line for line in books.lines if line.posted_at <= at and not line.inner]
    words: dict[tuple[str, str], list[Line]] = {}
    meanings: dict[tuple[Day, str], list[Line]] = {}
    payments: dict[tuple[str, str], list[Line]] = {}
    inside: dict[tuple[Day, str], list[Decimal]] = {}
    for line in lines:
        day = line.posted_at.astimezone(UTC).date(), line.currency.upper()
        words.setdefault((line.currency, line.line_type), []).append(line)
        meanings.setdefault((day, meaning_of(line.line_type)), []).append(line)
        if line.payment_id:
            payments.setdefault((line.payment_id, line.currency), []).append(line)
    for day, currency, amount in _fees_inside(books, at):
        key = (day, currency.upper()), "payout_fee"
        inside.setdefault(key, []).append(amount)
    told = {key: sum_of(group) for key, group in meanings.items()}
    for key, amounts in inside.items():
        one, all_ = told.get(key, Sum(Decimal(0), 0, 0)), sum(amounts, Decimal(0))
        told[key] = Sum(one.amount + all_, one.micros + from_decimal(all_), one.lines + len(amounts))
    return BooksTruth(
        at,
        books.balances(at),
        {key: sum_of(group) for key, group in sorted(words.items())},
        dict(sorted(told.items())),
        {key: sum_of(group) for key, group in sorted(payments.items())},
        [_payout(books, payout) for payout in books.payouts.values()],
    )


def _fees_inside(books: Books, at: datetime) -> Iterator[tuple[date, str, Decimal]]:
    """(UTC day, currency, signed amount) of fees that no line tells, because they are inside that of the payout."""
    for payout in books.payouts.values():
        lines = [line for line in lines_of(books, payout) if meaning_of(line.line_type) == "payout_fee"]
        if payout.fee_type != "inclusive" or not payout.charged or lines or payout.created_at > at:
            continue
        yield payout.created_at.astimezone(UTC).date(), payout.currency, -payout.charged
        if payout.returned_at is not None and payout.returned_at <= at:
            yield payout.returned_at.astimezone(UTC).date(), payout.currency, payout.charged


def _payout(books: Books, payout: Payout) -> PayoutTruth:
    def available(moment: datetime) -> Decimal:
        return books.balances(moment).get(payout.currency, Balance()).available

    own, statement, before = lines_of(books, payout), books.statement(payout), books.previous(payout)
    at_once = [line for line in own if line.posted_at <= payout.created_at]
    counted = Sum(
        sum((line.amount for line in statement), Decimal(0)),
        sum(from_decimal(line.amount) for line in statement),
        len(statement),
    )
    return PayoutTruth(
        payout,
        booked=total_of(own),
        opening=available(before.created_at) if before else Decimal(0),
        statement=counted,
        closing=available(payout.created_at) - total_of(at_once),
    )
