"""What sales tell of payouts: the affiliates' shares among their lines, and what moved between payouts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from creator_pipeline.core.money import MICROS_PER_CENT, from_cents
from creator_pipeline.platforms.gumroad import fees, payout_catalog
from creator_pipeline.platforms.gumroad.adjustments import Part
from creator_pipeline.platforms.gumroad.ledger import SaleLedger
from creator_pipeline.platforms.gumroad.payout_rows import Payout, Share
from creator_pipeline.platforms.gumroad.payouts import cents
from creator_pipeline.platforms.gumroad.sale_history import row_id
from creator_pipeline.platforms.gumroad.sale_lines import Row
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale, Refund
from creator_pipeline.platforms.gumroad.sale_rows import WHOLE_PRICE

GONE = "refund whose own line is listed no more"
ORDER = "the cent of a fee that depends on which of two refunds was the last"
REACH = 3
"""Payouts between which a fee or a credit is looked for."""
_ROUNDING = 2 * MICROS_PER_CENT
"""What an amount that was derived from a listed price, and its share of the fee, can be off."""
_KEPT_OPEN = 50
"""A kept fee that isn't told lies within a part of the refund, one in so many, of its estimate."""


class Known(NamedTuple):
    """A sale with everything that is known of it."""

    sale: GumroadSale | None
    ledger: SaleLedger


class Facts(NamedTuple):
    """What sales tell of one payout: see :func:`.payout_rows.rows_of`."""

    shares: list[Share]
    expected: list[Part]
    possible: list[Part]


class Found:
    """Facts by payout, as they are collected."""

    def __init__(self, payouts: Sequence[Payout]) -> None:
        self.all = sorted(payouts, key=lambda one: (one.created_at, one.payout_id))
        self.live = [one for one in self.all if one.live]
        self.position = {one.payout_id: place for place, one in enumerate(self.live)}
        self.shares: dict[str, list[Share]] = defaultdict(list)
        self.expected: dict[str, list[Part]] = defaultdict(list)
        self._possible: dict[str, list[tuple[int, int, Part]]] = defaultdict(list)

    def joined(self, day: date) -> int | None:
        """The live payout that pays what was the oldest unpaid balance on a day; None while there is none."""
        for one in self.all:
            if one.created_at.date() > day:
                return self.position.get(one.payout_id if one.live else one.paid_again or "")
        return None

    def maybe(self, place: int, day: date, part: Part, *, likely: bool = True) -> None:
        """Something that may be in a payout's adjustment.

        Args:
            place: of the payout among those that are live.
            day: on which it happened.
            part: of the adjustment.
            likely: whether it comes before what isn't.
        """
        if 0 <= place < len(self.live) and part.micros:
            payout = self.live[place]
            away = abs((payout.created_at.date() - day).days)
            self._possible[payout.payout_id].append((not likely, away, part))

    def possible(self, payout_id: str) -> list[Part]:
        """The likeliest first, then the nearest in time."""
        found = sorted(self._possible[payout_id], key=lambda item: (*item[:2], item[2].sale_id, item[2].micros))
        return [part for *_, part in found]

    def made_on(self, day: date) -> bool:
        """Whether a payout was made on a day: then it can't be told whether it took what happened on it."""
        return any(one.created_at.date() == day for one in self.all)


def facts(profile_id: str, payouts: Sequence[Payout], sales: Mapping[str, Known]) -> dict[str, Facts]:
    """What these sales tell of each of these payouts.

    Args:
        profile_id: whose they are.
        payouts: with their states; neighbours in time.
        sales: those that have a share, a refund, a dispute or a credit.
    """
    found = Found(payouts)
    for sale_id in sorted(sales):
        known = sales[sale_id]
        _shares(found, profile_id, sale_id, known)
        _shares_of_failed(found, sale_id, known)
        _kept_fees(found, sale_id, known)
        _estimated(found, profile_id, sale_id, known)
        _credits_and_disputes(found, sale_id, known)
    return {
        one.payout_id: Facts(found.shares[one.payout_id], found.expected[one.payout_id], found.possible(one.payout_id))
        for one in found.all
    }


def places(found: Found, row: Row) -> Iterator[str]:
    """Payouts whose line tells this row: those that count, and those that came back and aren't paid again yet."""
    if row.processor:
        yield row.payout_id
        return
    told = {payout_id for payout_id, _ in row.places}
    yield from (one.payout_id for one in found.all if one.payout_id in told and (one.live or not one.paid_again))


def _shares(found: Found, profile_id: str, sale_id: str, known: Known) -> None:
    sale = known.sale
    whole = (sale.affiliate_micros or 0) if sale else 0
    if sale is None or not whole:
        return
    sold_in: dict[str, date] = {}
    for row in known.ledger.rows:
        if row.type == payout_catalog.SALE:
            for payout_id in places(found, row):
                sold_in[payout_id] = row.occurred_on
                name = row_id(profile_id, sale_id, "affiliate_share")
                share = Share(sale_id, name, (row.occurred_on,), -whole, -whole, sale.processor)
                found.shares[payout_id].append(share)
    back = _given_back(found, known)
    for payout_id, given in back.items():
        for number, (name, micros, day) in enumerate(given, 1):
            # Gumroad's line gives the whole share back, and once: its sale points to the last refund only.
            shown = micros if sale.processor else whole if number == len(given) else 0
            # What goes back of a sale that isn't paid yet joins the day of the sale.
            own_day = None if sale.processor else sold_in.get(payout_id)
            days = (day,) if own_day is None else (own_day,)
            ledger_id = row_id(profile_id, sale_id, name)
            found.shares[payout_id].append(
                Share(sale_id, ledger_id, days, shown, micros, sale.processor, anywhere=own_day is None)
            )
        off = sum(micros for _, micros, _ in given) - whole
        if off and not sale.processor:
            found.expected[payout_id].append(
                Part(off, "the part of an affiliate's share that a refund leaves", sale_id)
            )


def _shares_of_failed(found: Found, sale_id: str, known: Known) -> None:
    """An affiliate's share goes back with a refund, and is owed again when the refund fails: no line shows either."""
    sale = known.sale
    share = cents(sale.affiliate_micros or 0) if sale and not sale.processor else 0
    if sale is None or not share or sale.price_micros <= 0:
        return
    signs = {payout_catalog.FAILED_REFUND: 1, payout_catalog.FAILED_REFUND_REVERSAL: -1}
    for row in known.ledger.rows:
        sign, amount = signs.get(row.type, 0), cents(abs(row.gross_micros or 0))
        if not sign or not amount:
            continue
        (back,) = fees.affiliate_parts(cents(sale.price_micros), cents(sale.fee_micros), share, [amount])
        for payout_id in places(found, row) if back else ():
            text = "an affiliate's share of a refund that failed"
            found.expected[payout_id].append(Part(sign * from_cents(back), text, sale_id))


def _given_back(found: Found, known: Known) -> dict[str, list[tuple[str, int, date]]]:
    """By payout: rows of a share that came back, what they are, and the day of the line they came back with."""
    back: dict[str, list[tuple[str, int, date]]] = defaultdict(list)
    for refund in known.ledger.refunds:
        for payout_id in places(found, refund.row) if refund.row and refund.share_micros else ():
            back[payout_id].append((f"affiliate_share:{refund.name}", refund.share_micros, refund.day))
    opened = [row for row in known.ledger.rows if row.type == payout_catalog.CHARGEBACK]
    for event in known.ledger.events:
        if event.id.endswith(":affiliate_share:chargeback"):
            for row in opened:
                for payout_id in places(found, row):
                    back[payout_id].append(("affiliate_share:chargeback", event.gross_micros, row.occurred_on))
    return back


def _kept_fees(found: Found, sale_id: str, known: Known) -> None:
    for refund in known.ledger.refunds:
        if refund.row is None or refund.row.type not in payout_catalog.REFUNDS or refund.kept_micros <= 0:
            continue
        for payout_id in places(found, refund.row):
            place = found.position.get(payout_id)
            if place is None:
                continue
            earlier = found.joined(refund.day)
            text, once = f"kept fee of the refund of {refund.day}, {{}} by another payout", f"{sale_id} {refund.name}"
            here = Part(refund.kept_micros, text.format("taken"), sale_id, once=f"{once} here")
            there = Part(-refund.kept_micros, text.format("listed"), sale_id, once=f"{once} there")
            if earlier is not None and place - REACH <= earlier < place:
                found.expected[payout_id].append(here)
                found.expected[found.live[earlier].payout_id].append(there)
                if more := order_cents(refund):
                    cent = Part(more, ORDER, sale_id, once=f"{once} order here")
                    found.maybe(place, refund.day, cent)
                    found.maybe(earlier, refund.day, cent._replace(micros=-more, once=f"{once} order there"))
                continue
            if earlier is None or found.made_on(refund.day):
                found.maybe(place, refund.day, here)
                for before in range(place - REACH, place):
                    found.maybe(before, refund.day, there)


def order_cents(refund: Refund) -> int:
    """What of its sale's fee a refund has more, in micros, if it was the last of the sale, or if it wasn't."""
    return refund.other_micros - refund.part_micros


def _estimated(found: Found, profile_id: str, sale_id: str, known: Known) -> None:
    """Refunds whose own line is gone, or isn't paid yet."""
    if known.sale is None or known.sale.processor:
        return
    sale_rows = [row for row in known.ledger.rows if row.type == payout_catalog.SALE]
    sold = [found.position[payout_id] for row in sale_rows for payout_id in live_places(found, row)]
    refunds = known.ledger.refunds
    for number, refund in enumerate(refunds):
        if refund.row is not None:
            continue
        once = f"{sale_id} {refund.name}"
        tolerance = refund.micros // _KEPT_OPEN + MICROS_PER_CENT
        taken = refund.part_micros - refund.micros + refund.share_micros
        last = found.joined(refund.day)
        end = len(found.live) if last is None else last + 1
        if number + 1 < len(refunds):
            # The sale points to its last refund only, so the line of this one is gone.
            after = [
                found.position[one]
                for next_ in refunds[number + 1 :]
                if next_.row
                for one in live_places(found, next_.row)
            ]
            text, ledger_id = GONE, row_id(profile_id, sale_id, refund.name)
            for place in range(min(sold, default=0), min(after, default=end - 1) + 1):
                whole = Part(taken - refund.kept_micros, text, sale_id, ledger_id, tolerance, once)
                found.maybe(place, refund.day, whole)
                found.maybe(place, refund.day, whole._replace(micros=taken, tolerance_micros=_ROUNDING))
            kept = Part(-refund.kept_micros, f"kept fee of a {text}", sale_id, None, tolerance, f"{once} kept")
            for place in range(min(sold, default=0) - REACH, min(after, default=end - 1) + 1):
                found.maybe(place, refund.day, kept)
        elif not sold or min(sold) >= end:
            text = "kept fee of a refund whose own line isn't paid yet"
            for place in range(max(0, end - 2), end):
                found.maybe(place, refund.day, Part(-refund.kept_micros, text, sale_id, None, tolerance, once))


def live_places(found: Found, row: Row) -> Iterable[str]:
    """Payouts that count whose line tells this row."""
    return (payout_id for payout_id in places(found, row) if payout_id in found.position)


def _credits_and_disputes(found: Found, sale_id: str, known: Known) -> None:
    events = {event.id: event for event in known.ledger.events}
    for row in known.ledger.rows:
        for payout_id in live_places(found, row):
            place = found.position[payout_id]
            if row.type == payout_catalog.CREDIT:
                text = f"credit of {row.occurred_on}, {{}} another payout"
                found.maybe(
                    place, row.occurred_on, Part(-row.net_micros, text.format("paid by"), sale_id), likely=False
                )
                for before in range(place - REACH, place):
                    found.maybe(
                        before, row.occurred_on, Part(row.net_micros, text.format("listed by"), sale_id), likely=False
                    )
            elif row.type == payout_catalog.CHARGEBACK:
                ledger_id, reason = known.ledger.settles.get(row.places[0], ("", None))
                if reason == WHOLE_PRICE:
                    gap = events[ledger_id].net_micros - row.net_micros
                    text = "what refunds had given back of a sale whose chargeback is listed in whole"
                    found.expected[payout_id].append(Part(gap, text, sale_id))
