"""Movements that are known from sales, and the payouts that each can sit in by the rules of the balance. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from creator_pipeline.core.money import from_cents
from creator_pipeline.platforms.gumroad import fees, payout_catalog
from creator_pipeline.platforms.gumroad.adjustments import Part
from creator_pipeline.platforms.gumroad.payout_facts import GONE, Facts, Found, Known, live_places, order_cents, places
from creator_pipeline.platforms.gumroad.payout_rows import Payout
from creator_pipeline.platforms.gumroad.payouts import cents
from creator_pipeline.platforms.gumroad.placements import Choice, Item, Move, place
from creator_pipeline.platforms.gumroad.sale_history import row_id
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale, Refund

_ENDS = ("", " kept", " here", " there", " order here", " order there")
"""What the names of the parts of an item end with in :mod:`.payout_facts`."""


def placed_parts(
    profile_id: str, payouts: Sequence[Payout], sales: Mapping[str, Known], told: Mapping[str, Facts]
) -> tuple[dict[str, list[Part]], set[str]]:
    """The parts of each payout whose adjustment is known to the cent, and names of what can be in no other.

    Args:
        profile_id: whose they are.
        payouts: with their states; neighbours in time.
        sales: those that have a share, a refund, a dispute or a credit.
        told: of :func:`.payout_facts.facts`.
    """
    live = Found(payouts).live
    fixed = [[part for part in told[one.payout_id].expected if not part.once] for one in live]
    shown = [
        [line.net_micros for line in one.lines if line.type == payout_catalog.TECHNICAL_ADJUSTMENT] for one in live
    ]
    if not any(shown):
        return {}, set()
    rests = [
        sum(lines) - sum(part.micros for part in parts) if one.adjusted or lines else None
        for one, lines, parts in zip(live, shown, fixed, strict=True)
    ]
    placed = place(rests, items_of(profile_id, payouts, sales))
    parts = {live[at].payout_id: [*fixed[at], *found] for at, found in placed.parts.items()}
    return parts, {f"{name}{end}" for name in placed.names for end in _ENDS}


def items_of(profile_id: str, payouts: Sequence[Payout], sales: Mapping[str, Known]) -> list[Item]:
    """What :func:`.placements.place` is to place; places count the payouts that are live, oldest first.

    Args:
        profile_id: whose they are.
        payouts: with their states; neighbours in time.
        sales: those that have a refund, a dispute or a credit.
    """
    found = Found(payouts)
    items = list[Item]()
    for sale_id in sorted(sales):
        known = sales[sale_id]
        items += _listed_kept(found, sale_id, known)
        items += _gone(found, profile_id, sale_id, known)
    return items


def _item(name: str, choices: Sequence[Choice]) -> Iterator[Item]:
    distinct = list(dict.fromkeys(choices))
    if any(distinct):
        yield Item(name, distinct)


def _spans(found: Found, first: date, last: date | None) -> Iterator[int]:
    """Places among all payouts of the next one that was made, for what happened from one day to another."""
    for number in range(len(found.all) + 1):
        ends = found.all[number].created_at.date() if number < len(found.all) else date.max
        begins = found.all[number - 1].created_at.date() if number else date.min
        # Neither day tells the hour: what happened on a payout's own day can be on either side of it.
        if ends >= first and (last is None or begins <= last):
            yield number


def _pays(found: Found, number: int) -> int | None:
    """The live payout of what was the oldest unpaid balance before a payout was made."""
    if number == len(found.all):
        return None
    one = found.all[number]
    return found.position.get(one.payout_id if one.live else one.paid_again or "")


def _listed_kept(found: Found, sale_id: str, known: Known) -> Iterator[Item]:
    """Kept fees of refunds with a line: the line holds them, the oldest unpaid balance paid them."""
    for refund in known.ledger.refunds:
        if refund.row is None or refund.row.type not in payout_catalog.REFUNDS or refund.kept_micros <= 0:
            continue
        text = f"kept fee of the refund of {refund.day}, {{}} by another payout"
        for payout_id in places(found, refund.row):
            at = found.position.get(payout_id)
            if at is None:
                continue
            choices = list[Choice]()
            for number in _spans(found, refund.day, refund.day):
                paid = _pays(found, number)
                if paid is None or paid == at:
                    choices.append(())
                    continue
                for kept in dict.fromkeys((refund.kept_micros, refund.kept_micros + order_cents(refund))):
                    here = Part(kept, text.format("taken"), sale_id)
                    there = Part(-kept, text.format("listed"), sale_id)
                    choices.append((Move(at, here.micros, here), Move(paid, there.micros, there)))
            yield from _item(f"{sale_id} {refund.name}", choices)


def _gone(found: Found, profile_id: str, sale_id: str, known: Known) -> Iterator[Item]:
    """Refunds whose line a later one replaced."""
    sale = known.sale
    if sale is None or sale.processor:
        return
    told = [row for row in known.ledger.rows if row.type == payout_catalog.SALE]
    sold = next((found.position[one] for row in told for one in live_places(found, row)), None)
    numbers = {one.payout_id: number for number, one in enumerate(found.all)}
    listed = [numbers[one] for row in told for one, _ in row.places if one in numbers]
    first, last = min(listed, default=-1), max(listed, default=-1)
    refunds = known.ledger.refunds
    for at, refund in enumerate(refunds[:-1]):
        if refund.row is not None:
            continue
        name = f"{sale_id} {refund.name}"
        after = next((one for one in refunds[at + 1 :] if one.row is not None), None)
        choices = list[Choice]()
        for number in _spans(found, sale.created_at.date(), after.day if after else None):
            pays = _pays(found, number)
            joins = [pays] if number > first else [sold]
            if first < number <= last:
                # The sale's payout may have come back by then.
                joins.append(sold)
            for joined in joins:
                choices += _whole(joined, pays, row_id(profile_id, sale_id, refund.name), sale, refund, after)
        if sold is None or after is None or refund.order_open:
            # It may have come after what the payouts list, and be in none of them yet.
            choices.append(())
        yield from _item(name, choices)


def _whole(
    joined: int | None, pays: int | None, ledger_id: str, sale: GumroadSale, refund: Refund, after: Refund | None
) -> Iterator[Choice]:
    """A refund in the payout that it joined, and its kept fee in the one that paid it.

    Args:
        joined: place of the refund's payout.
        pays: place of its kept fee's.
        ledger_id: of the refund's row.
        sale: that was refunded.
        refund: whose line is gone.
        after: a later one with a line.
    """
    estimate = refund.part_micros - refund.micros + refund.share_micros
    for more in dict.fromkeys((0, order_cents(refund))):
        taken = estimate + more
        for kept in _kept(sale, refund, after):
            if joined is not None and joined == pays:
                part = Part(estimate - refund.kept_micros, GONE, sale.id, ledger_id)
                yield (Move(joined, taken - kept, part),)
                continue
            moves = list[Move]()
            if joined is not None:
                moves.append(Move(joined, taken, Part(estimate, GONE, sale.id, ledger_id)))
            if pays is not None and kept:
                moves.append(Move(pays, -kept, Part(-refund.kept_micros, f"kept fee of a {GONE}", sale.id)))
            yield tuple(moves)


def _kept(sale: GumroadSale, refund: Refund, after: Refund | None) -> list[int]:
    """What can have been kept of a refund, in micros, the likeliest first: a later one of the same sale leaves open
    a cent, or everything where the service waived it."""
    price, amount = cents(sale.price_micros), cents(refund.micros)
    found = [cents(refund.kept_micros)]
    if after is None or price <= 0:
        pass
    elif after.kept_micros > 0:
        other, kept = cents(after.micros), cents(after.kept_micros)
        least, most = (2 * kept - 1) * price // (2 * other), (2 * kept + 1) * price // (2 * other) + 1
        found += [
            fees.kept_fee(price, amount, (price, charged))
            for charged in range(least, most + 1)
            if fees.kept_fee(price, other, (price, charged)) == kept
        ]
    else:
        found.append(fees.kept_fee(price, amount))
    return [from_cents(one) for one in dict.fromkeys(found)]
