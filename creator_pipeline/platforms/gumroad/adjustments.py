"""What a Technical Adjustment is made of: parts that are known, tried against its amount. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

MOST = 24
"""Parts that are tried together; of more, the likeliest."""
_SIZES = (1, 2, 3)
KEPT_BESIDE = "what processors kept beside the estimate"


class Part(NamedTuple):
    """Something that can have moved a payout's amount beside its lines. Amounts in micros of a US dollar.

    Attributes:
        micros: what it adds to the adjustment.
        reason: for people.
        sale_id: whose it is.
        ledger_id: the row of the ledger that it belongs to.
        tolerance_micros: how far off the amount can be, where a fee in it is an estimate.
        once: names what can be in one adjustment only; parts of one name exclude each other.
    """

    micros: int
    reason: str
    sale_id: str
    ledger_id: str | None = None
    tolerance_micros: int = 0
    once: str = ""


class Explained(NamedTuple):
    """The parts of an adjustment, what is known to be beside their estimates, and what they leave."""

    parts: Sequence[Part]
    beside_micros: int
    rest_micros: int


def explain(micros: int, expected: Sequence[Part], possible: Sequence[Part]) -> Explained:
    """Take an adjustment apart.

    What is expected by the service's rules goes first. Only a sum that fits exactly, or within what an estimated fee
    leaves open, counts; else it stays unexplained.

    Args:
        micros: the adjustment.
        expected: parts that the rules say are in it.
        possible: parts that may be in it, the nearest in time first.
    """
    certain, open_ = list(expected), list(possible)[:MOST]
    rest = micros - _sum(certain)
    if not rest:
        return Explained(certain, 0, 0)
    every = [*certain[:MOST], *open_]
    for within in (False, True):
        for kept, left, candidates in ((certain, rest, open_), ([], micros, every)):
            found = _fitting(left, candidates, within=within)
            if found is not None:
                return Explained([*kept, *found], left - _sum(found), 0)
    return Explained(certain, 0, rest) if certain and abs(rest) < abs(micros) else Explained([], 0, micros)


def _sum(parts: Sequence[Part]) -> int:
    return sum(part.micros for part in parts)


def _fitting(micros: int, candidates: Sequence[Part], *, within: bool) -> list[Part] | None:
    """The fewest parts that come to an amount; None where there are none."""
    for size in _SIZES:
        found = [
            list(some)
            for some in combinations(candidates, size)
            if abs(micros - _sum(some)) <= (sum(part.tolerance_micros for part in some) if within else 0)
            and _can_be_together(some)
        ]
        if found:
            # Each of them is known to have happened: the nearest sum stands, of equal ones the likeliest.
            return min(found, key=lambda some: abs(micros - _sum(some)))
    return None


def _can_be_together(parts: Sequence[Part]) -> bool:
    names = [part.once for part in parts if part.once]
    return len(names) == len(set(names))
