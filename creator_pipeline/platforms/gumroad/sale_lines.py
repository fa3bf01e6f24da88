"""Lines of payouts about one sale: which of them are one and the same, and what each is called. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from creator_pipeline.platforms.gumroad import payout_catalog

Place = tuple[str, int]
"""A payout's id and the number of one of its lines."""

_KINDS = {
    payout_catalog.SALE: "sale",
    payout_catalog.CHARGEBACK: "chargeback",
    payout_catalog.CREDIT: "credit",
    **dict.fromkeys(payout_catalog.REFUNDS | payout_catalog.CONNECT_REFUNDS, "refund"),
}


class SaleLine(NamedTuple):
    """A stored line of a payout that names a sale. Amounts in micros of a US dollar.

    Attributes:
        live: whether the payout's money is not in the balance any more.
        elsewhere: whether the processor has paid the sale by itself.
        read_at: when the payout was read.
    """

    payout_id: str
    number: int
    live: bool
    created_at: datetime
    type: str
    occurred_on: date
    gross_micros: int | None
    fee_micros: int | None
    net_micros: int
    elsewhere: bool = False
    read_at: datetime | None = None


class Row(NamedTuple):
    """One thing that happened to a sale's money, in however many payouts it is listed.

    Attributes:
        kind: sale, refund, chargeback, credit or adjustment.
        name: its day and its number among those of its kind on that day: ``2026-08-06:1``.
        places: the lines that tell it.
        processor: not empty where the processor has paid it by itself.
        read_at: when its payout was read.
    """

    kind: str
    name: str
    type: str
    occurred_on: date
    gross_micros: int | None
    fee_micros: int | None
    net_micros: int
    payout_id: str
    places: tuple[Place, ...]
    processor: str | None
    read_at: datetime | None = None


_What = tuple[str, date, int | None, int | None, int]


def distinct(lines: Sequence[SaleLine]) -> list[Row]:
    """What the lines tell, each thing once, in an order that doesn't depend on theirs.

    What a payout that came back lists stands in a later one again. What a processor paid by itself can be listed by
    two payouts that both count: the window of such lines moves with the payout before.
    """
    alike: dict[_What, list[SaleLine]] = defaultdict(list)
    for line in lines:
        # Of an ordinary refund the fee isn't looked at: a later fraud refund of the sale changes it in old lines.
        ordinary = line.type in payout_catalog.REFUNDS
        amounts = (None, 0) if ordinary else (line.fee_micros, line.net_micros)
        alike[line.type, line.occurred_on, line.gross_micros, *amounts].append(line)
    merged: list[tuple[SaleLine, tuple[Place, ...]]] = []
    for same in alike.values():
        merged += _merged(same)
    named: dict[tuple[str, date], int] = defaultdict(int)
    rows: list[Row] = []
    for line, places in sorted(merged, key=lambda item: _order(item[0])):
        given_back = payout_catalog.WRITTEN_OFF in line.type.lower()
        kind = "credit" if given_back else _KINDS.get(line.type, "adjustment")
        named[kind, line.occurred_on] += 1
        rows.append(
            Row(
                kind,
                f"{line.occurred_on}:{named[kind, line.occurred_on]}",
                line.type,
                line.occurred_on,
                line.gross_micros,
                line.fee_micros,
                line.net_micros,
                line.payout_id,
                places,
                _processor(line),
                line.read_at,
            )
        )
    return rows


def _merged(same: Sequence[SaleLine]) -> list[tuple[SaleLine, tuple[Place, ...]]]:
    """Equal lines, as so many things as there are: those of live payouts, and what one that came back has beyond."""
    of_payout: dict[str, list[SaleLine]] = defaultdict(list)
    for line in sorted(same, key=_order):
        of_payout[line.payout_id].append(line)
    live = [line for line in sorted(same, key=_order) if line.live]
    if live and (live[0].elsewhere or live[0].type in payout_catalog.CONNECT_REFUNDS):
        live = of_payout[live[0].payout_id]
    most = max((ones for ones in of_payout.values()), key=len)
    things = live + (most[len(live) :] if len(most) > len(live) else [])
    places: list[list[Place]] = [[(line.payout_id, line.number)] for line in things]
    taken = {place[0] for place in places}
    for ones in of_payout.values():
        free = [line for line in ones if (line.payout_id, line.number) not in taken]
        own = {index for index, line in enumerate(things) if line.payout_id == ones[0].payout_id}
        rest = [index for index in range(len(things)) if index not in own]
        for line, index in zip(free, rest, strict=False):
            places[index].append((line.payout_id, line.number))
    return [(line, tuple(found)) for line, found in zip(things, places, strict=True)]


def _order(line: SaleLine) -> tuple[object, ...]:
    return (
        line.occurred_on,
        line.type,
        line.net_micros,
        line.gross_micros or 0,
        not line.live,
        line.created_at,
        line.payout_id,
        line.number,
    )


def _processor(line: SaleLine) -> str | None:
    if line.type == "PayPal Refund":
        return "paypal"
    if line.type == "Stripe Connect Refund":
        return "stripe"
    return "other" if line.elsewhere else None
