"""Pure: everything stored of a Whop payment or payout to rows of the ledger.

Whop's own lines go before what a payment or its refunds and disputes tell. What they tell is booked as long as its line
isn't known, marked as estimated, and replaced by the line in whatever order the two arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from creator_pipeline.core.windows import partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.whop.ledger_lines import Booked, Origin, line_events, origin_of
from creator_pipeline.platforms.whop.line_types import (
    ALERT_FEE_WORDS,
    COST_WORDS,
    DISPUTE_FEE_WORDS,
    Family,
    meaning_of,
)
from creator_pipeline.platforms.whop.payout_lines import own_lines
from creator_pipeline.platforms.whop.refunds import all_back

Entry = dict[str, Any]
"""A refund or dispute of ``whop_payments``."""


class WhopPayment(NamedTuple):
    """What the ledger needs of a row of ``whop_payments``. Amounts in micros of ``currency``.

    ``refunds``, ``disputes`` and ``alerts`` are the JSON lists of that table.
    """

    profile_id: str
    id: str
    created_at: datetime
    paid_at: datetime | None
    product_id: str | None
    product_name: str | None
    status: str
    currency: str
    total_micros: int
    fee_micros: int | None
    refunds: str
    disputes: str
    substatus: str | None = None
    units: int = 1
    alerts: str = "[]"


class WhopPayout(NamedTuple):
    """What the ledger needs of a row of ``payouts``, in micros of the balance's currency.

    ``net_micros`` is what it sends, ``fee_micros`` what the account pays for it.
    """

    payout_id: str
    state: str
    created_at: datetime
    currency: str
    net_micros: int
    fee_micros: int


def whop_events(
    payment: WhopPayment,
    moment: datetime,
    lines: Sequence[Booked] = (),
    families: Mapping[str, Family] | None = None,
) -> list[LedgerEvent]:
    """The ledger rows of one payment, each at Whop's own time, in the settlement currency.

    A payment that was never paid gives none but its lines'. Every refund that succeeded is a row of its own; so is
    every dispute that took money (an inquiry doesn't), its fee and an alert's where Whop tells one, and the reversal of
    a dispute that was won. All of them name the partition of the payment as their source, whatever day they are of.

    Until the sale's lines are known, its fee is the total less what Whop says is left after fees: the sum is Whop's,
    but tax and partners' shares may be in it, so it counts as estimated. That nothing of a fee came back with a refund
    or a dispute is assumed until their lines are known.

    Args:
        payment: as stored.
        moment: of the load.
        lines: of the feed, all of this payment, in any order.
        families: Whop's own family of each word.
    """
    source = partition_key(payment.created_at.date(), payment.profile_id)
    origin = Origin(payment.profile_id, payment.id, payment.product_id, payment.product_name, source, moment)
    paid = payment.status == "paid" and payment.paid_at is not None
    events = line_events(origin, lines, families or {}, payment.total_micros if paid else 0, payment.units)
    if payment.status != "paid" or payment.paid_at is None:
        return events
    if not any(event.event_type == "sale" for event in events):
        # Where some of its costs have lines, the sum would hold them a second time.
        parts = any(line.line_type in COST_WORDS for line in lines)
        fee = 0 if parts else payment.fee_micros or 0
        total = payment.total_micros
        sale = origin.event(
            "sale",
            payment.paid_at,
            payment.currency,
            gross=total,
            fee=fee,
            quantity=payment.units,
            exact=not (total or fee),
        )
        events.insert(0, sale)
    return _with_units_back(payment, events + _estimates(payment, origin, _Known(lines, families or {})))


def _with_units_back(payment: WhopPayment, events: list[LedgerEvent]) -> list[LedgerEvent]:
    """The rows, with the units where Whop says that they are back, or that they aren't, whatever the amounts say."""
    given = sum(each["micros"] for each in _entries(payment.refunds))
    taken = sum(
        each["micros"] for each in _entries(payment.disputes) if not each["inquiry"] and each["status"] != "won"
    )
    back = all_back(payment.substatus, given, payment.total_micros)
    if back is False:
        return [event._replace(quantity=0) if event.event_type == "refund" else event for event in events]
    moved = sum(event.quantity for event in events if event.event_type != "sale")
    disputed = bool(taken) and given + taken >= payment.total_micros
    if moved or not (back or disputed):
        return events
    kind = "chargeback" if disputed else "refund"
    last = max(
        (event for event in events if event.event_type == kind and event.gross_micros < 0),
        key=lambda event: (event.occurred_at, event.id),
        default=None,
    )
    return [event._replace(quantity=-payment.units) if event is last else event for event in events]


def payout_events(
    profile_id: str, payout: WhopPayout, moment: datetime, lines: Sequence[Booked], families: Mapping[str, Family]
) -> list[LedgerEvent]:
    """The ledger rows of one payout: what it cost. The money that is paid out is no row.

    Where the line by which the money left holds the fee, the fee is what the line is more than what was sent; it came
    back where as much came back as had left.

    Args:
        profile_id: whose account.
        payout: as stored.
        moment: of the load.
        lines: of the feed, all of this payout.
        families: Whop's own family of each word.
    """
    origin = origin_of(profile_id, payout.payout_id, lines, moment)
    events = line_events(origin, lines, families)
    own = own_lines(lines, families)
    inside = own.fee_inside(payout.net_micros, payout.fee_micros)
    if inside:
        at = own.at or payout.created_at
        events.append(origin.event("payout_fee", at, payout.currency, fee=inside))
        if sum(line.amount_micros for line in own.back) == own.taken:
            back = max(line.posted_at for line in own.back)
            events.append(origin.event("payout_fee", back, payout.currency, fee=-inside, part="back"))
        return events
    known = any(meaning_of(line.line_type, families) == "payout_fee" for line in lines)
    if payout.state == "paid" and payout.fee_micros and not known:
        events.append(
            origin.event("payout_fee", payout.created_at, payout.currency, fee=payout.fee_micros, exact=False)
        )
    return events


class _Known:
    """The lines that may be what a refund or a dispute tells."""

    def __init__(self, lines: Sequence[Booked], families: Mapping[str, Family]) -> None:
        meanings = [(line, meaning_of(line.line_type, families)) for line in lines]
        self.refunds = [line for line, meaning in meanings if meaning == "refund" and line.amount_micros < 0]
        self.taken = [line for line, meaning in meanings if meaning == "dispute" and line.amount_micros < 0]
        self.returned = [line for line, meaning in meanings if meaning == "dispute" and line.amount_micros > 0]
        self.alert_fees = [line for line, _ in meanings if line.line_type in ALERT_FEE_WORDS]
        self.dispute_fees = [line for line, _ in meanings if line.line_type in DISPUTE_FEE_WORDS]


def _estimates(payment: WhopPayment, origin: Origin, known: _Known) -> list[LedgerEvent]:
    """What refunds and disputes tell and no line does yet."""
    refunds = [each for each in _entries(payment.refunds) if each["status"] == "succeeded" and each["micros"]]
    disputes = [each for each in _entries(payment.disputes) if not each["inquiry"]]
    taken = [each for each in disputes if each["micros"] > 0]
    late_refunds, other_refunds = _paired(refunds, known.refunds)
    late_taken, other_taken = _paired(taken, known.taken)
    # A refund before a ruling can be booked as either of the two.
    late_refunds, _ = _paired(late_refunds, other_taken, equal=True)
    late_taken, _ = _paired(late_taken, other_refunds, equal=True)
    late_returned, _ = _paired([each for each in taken if each["status"] == "won"], known.returned)
    late_fees, _ = _paired(_with_fee(disputes), known.dispute_fees)
    late_fees += _paired(_with_fee(_entries(payment.alerts)), known.alert_fees)[0]
    late_ids = {each["id"] for each in late_refunds}
    events: list[LedgerEvent] = []
    left = payment.total_micros
    for refund in refunds:
        left -= refund["micros"]
        if refund["id"] in late_ids:
            # The unit is back with the refund that gives the rest back.
            whole = -payment.units if left <= 0 < left + refund["micros"] else 0
            events.append(_estimate(origin, payment, "refund", refund, gross=-refund["micros"], quantity=whole))
    units = payment.units
    events += [
        _estimate(origin, payment, "chargeback", each, gross=-each["micros"], quantity=-units) for each in late_taken
    ]
    events += [
        _estimate(
            origin,
            payment,
            "chargeback_reversal",
            {**each, "at": each["changed_at"]},
            gross=each["micros"],
            quantity=payment.units,
        )
        for each in late_returned
    ]
    events += [
        _estimate(origin, payment, "fee", each, fee=each["fee_micros"])._replace(currency=each["fee_currency"])
        for each in late_fees
    ]
    return events


def _with_fee(entries: Iterable[Entry]) -> list[Entry]:
    return [{**each, "micros": each["fee_micros"]} for each in entries if each["fee_micros"]]


def _estimate(origin: Origin, payment: WhopPayment, event_type: str, entry: Entry, **amounts: int) -> LedgerEvent:
    return origin.event(event_type, _at(entry["at"]), payment.currency, part=entry["id"], exact=False, **amounts)


def _paired(
    entries: Iterable[Entry], lines: Iterable[Booked], *, equal: bool = False
) -> tuple[list[Entry], list[Booked]]:
    """The entries and the lines that have no partner.

    One that names the entry goes first, then one of the same amount, then, as no money may count twice, any other in
    the order of time.

    Args:
        entries: refunds or disputes, oldest first.
        lines: that may be theirs.
        equal: pair only what is of the same amount.
    """
    left, free = list(entries), sorted(lines, key=lambda line: (line.posted_at, line.id))
    rules: list[Callable[[Entry, Booked], bool]] = [
        lambda entry, line: line.resource_id == entry["id"],
        lambda entry, line: abs(line.amount_micros) == entry["micros"],
    ]
    if not equal:
        rules.append(lambda _entry, _line: True)
    for fits in rules:
        unpaired: list[Entry] = []
        for entry in left:
            line = next((each for each in free if fits(entry, each)), None)
            if line is None:
                unpaired.append(entry)
            else:
                free.remove(line)
        left = unpaired
    return left, free


def _entries(text: str) -> list[Entry]:
    return orjson.loads(text)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
