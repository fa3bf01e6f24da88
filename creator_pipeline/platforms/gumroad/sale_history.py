"""When what went back of a sale was first seen, as far as a sale tells it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from creator_pipeline.core.money import MICROS_PER_CENT

MAX_STEPS = 12
"""Refunds of one sale that keep a day of their own; what comes after goes with the last one."""
ROUNDING = 2 * MICROS_PER_CENT
"""An amount that was derived can move by so much once it is settled; that is no new refund."""


class Seen(NamedTuple):
    """What had gone back of a sale in all when it was first seen, in micros; None where that couldn't be derived."""

    gross_micros: int | None
    at: datetime


class History(NamedTuple):
    """What was seen of one sale, oldest first."""

    refunds: tuple[Seen, ...] = ()
    chargeback: datetime | None = None
    reversal: datetime | None = None


class Step(NamedTuple):
    """A refund known from its sale alone: its part of what went back. ``number`` counts from 1."""

    number: int
    micros: int
    at: datetime


NOTHING = History()


def row_id(profile_id: str, sale_id: str, what: str) -> str:
    """Id of a row of the ledger that belongs to a sale."""
    return f"gumroad:{profile_id}:{sale_id}:{what}"


def refund_name(number: int) -> str:
    """``refund``, then ``refund:2`` and so on."""
    return "refund" if number == 1 else f"refund:{number}"


def first_ids(profile_id: str, sale_id: str) -> list[str]:
    """The ids under which something of a sale was seen first; further refunds have those of :func:`next_ids`."""
    return [row_id(profile_id, sale_id, name) for name in (refund_name(1), "chargeback", "chargeback_reversal")]


def next_ids(profile_id: str, sale_ids: Iterable[str], number: int, known: Mapping[str, Seen]) -> dict[str, str]:
    """Of the sales whose refund of a number is known, the id of the next one, to the sale.

    Args:
        profile_id: whose sales.
        sale_ids: the sales.
        number: of the refund, from 1 on.
        known: what was seen.
    """
    if number >= MAX_STEPS:
        return {}
    return {
        row_id(profile_id, sale_id, refund_name(number + 1)): sale_id
        for sale_id in sale_ids
        if row_id(profile_id, sale_id, refund_name(number)) in known
    }


def history_of(profile_id: str, sale_id: str, known: Mapping[str, Seen]) -> History:
    """The history of a sale out of that of several."""
    refunds: list[Seen] = []
    for number in range(1, MAX_STEPS + 1):
        seen = known.get(row_id(profile_id, sale_id, refund_name(number)))
        if seen is None:
            break
        refunds.append(seen)
    lost, won = (known.get(row_id(profile_id, sale_id, name)) for name in ("chargeback", "chargeback_reversal"))
    return History(tuple(refunds), lost and lost.at, won and won.at)


class Flags(NamedTuple):
    """What a sale says of what went back of it."""

    refunded_micros: int | None
    partially_refunded: bool
    lost: bool
    won: bool


def news(profile_id: str, sale_id: str, flags: Flags, history: History) -> dict[str, int | None]:
    """What a sale says that wasn't seen before: id to what has gone back in all, None where that isn't known.

    Args:
        profile_id: whose sale.
        sale_id: Gumroad's id.
        flags: what the sale says.
        history: what was seen of it.
    """
    found: dict[str, int | None] = {}
    name = row_id(profile_id, sale_id, refund_name(len(history.refunds) + 1))
    told = flags.refunded_micros
    if not history.refunds:
        if told or (told is None and flags.partially_refunded):
            found[name] = told
    elif told is not None and len(history.refunds) < MAX_STEPS:
        last = history.refunds[-1].gross_micros
        if last is not None and abs(told - last) > ROUNDING:
            found[name] = told
    if flags.lost and history.chargeback is None:
        found[row_id(profile_id, sale_id, "chargeback")] = None
    if flags.won and history.reversal is None:
        found[row_id(profile_id, sale_id, "chargeback_reversal")] = None
    return found


def steps(refunded: int, history: History, moment: datetime) -> list[Step]:
    """The refunds that a sale's amount is made of, each with the moment when it was first seen.

    A refund that failed makes the amount smaller: it takes the newest ones away again.

    Args:
        refunded: what has gone back by now, in micros.
        history: of the sale.
        moment: of what was never seen before.
    """
    found: list[Step] = []
    total = 0
    for number, seen in enumerate(history.refunds, 1):
        told = refunded if seen.gross_micros is None else seen.gross_micros
        found = _moved(found, told - total, number, seen.at)
        total = told
    if refunded > total and found:
        last = found.pop()
        return [*found, last._replace(micros=last.micros + refunded - total)]
    return _moved(found, refunded - total, len(history.refunds) + 1, moment)


def _moved(found: list[Step], by: int, number: int, at: datetime) -> list[Step]:
    if by > 0:
        return [*found, Step(number, by, at)]
    return _newest_taken(found, -by)


def _newest_taken(found: list[Step], micros: int) -> list[Step]:
    left = list(found)
    while micros and left:
        last = left.pop()
        if last.micros > micros:
            left.append(last._replace(micros=last.micros - micros))
        micros = max(0, micros - last.micros)
    return left


class Left(NamedTuple):
    """What lines leave of the refunds known from the sale; and of each line, the last of those that it is part of."""

    steps: list[Step]
    seen_as: list[int | None]


def without(found: Iterable[Step], lines: Iterable[tuple[datetime, int]]) -> Left:
    """What the platform's own lines leave of the refunds known from the sale.

    A line is the oldest refund of its amount that was seen on its day or later: it can't be one that was seen before.
    Where none has its amount, it is part of the oldest.

    Args:
        found: of :func:`steps`.
        lines: (midnight of the line's day, micros), oldest first.
    """
    left, seen_as = list(found), list[int | None]()
    for day, micros in lines:
        rest, last = micros, None
        places = range(len(left))
        for place in sorted(places, key=lambda at: (left[at].at < day, left[at].micros != micros, at)):
            part = min(rest, left[place].micros)
            if part:
                last = max(last or 0, left[place].number)
            left[place] = left[place]._replace(micros=left[place].micros - part)
            rest -= part
        seen_as.append(last)
    return Left([step for step in left if step.micros], seen_as)
