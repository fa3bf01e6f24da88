"""What a Technical Adjustment is made of: parts that are known, tried against its amount. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

MOST = {1: 40, 2: 40, 3: 24, 4: 18, 5: 14}
"""How many parts are tried together in twos, threes and so on; of more, the likeliest."""
KEPT_BESIDE = "what processors kept beside the estimate"


class Part(NamedTuple):
    """Something that can have moved a payout's amount beside its lines. Amounts in micros of a US dollar.

    Attributes:
        micros: what it adds to the adjustment.
        reason: for people.
        sale_id: whose it is; empty where that can't be told.
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
    certain, open_ = list(expected), list(possible)
    rest = micros - _sum(certain)
    if not rest:
        return Explained(certain, 0, 0)
    every = [*certain, *open_]
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
    for size, most in MOST.items():
        found = [
            list(some)
            for some in combinations(candidates[:most], size)
            if abs(micros - _sum(some)) <= (sum(part.tolerance_micros for part in some) if within else 0)
            and _can_be_together(some)
        ]
        if within and len(found) > 1:
            return _common(micros, found)
        if found:
            # Each of them is known to have happened: of equal sums the likeliest.
            return found[0]
    return None


def _common(micros: int, fits: Sequence[list[Part]]) -> list[Part] | None:
    """What several sums within a tolerance have in common; any of them can be meant, so no sale is named.

    None where they differ in kind, or would settle a row of the ledger.
    """
    kinds = {tuple(sorted(part.reason for part in parts)) for parts in fits}
    if len(kinds) > 1 or any(part.ledger_id for parts in fits for part in parts):
        return None
    nearest = min(fits, key=lambda parts: abs(micros - _sum(parts)))
    return [part._replace(sale_id="", once="") for part in nearest]


def _can_be_together(parts: Sequence[Part]) -> bool:
    names = [part.once for part in parts if part.once]
    return len(names) == len(set(names))
