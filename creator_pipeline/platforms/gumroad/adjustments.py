"""What a Technical Adjustment is made of: parts that are known, tried against its amount. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

MOST = 14
"""Parts that are tried together; of more, those nearest in time."""
_SIZES = (1, 2, 3)


class Part(NamedTuple):
    """Something that can have moved a payout's amount beside its lines. Amounts in micros of a US dollar.

    Attributes:
        micros: what it adds to the adjustment.
        reason: for people.
        sale_id: whose it is.
        ledger_id: the row of the ledger that it belongs to.
        tolerance_micros: how far off the amount can be, where a fee in it is an estimate.
    """

    micros: int
    reason: str
    sale_id: str
    ledger_id: str | None = None
    tolerance_micros: int = 0


class Explained(NamedTuple):
    """The parts of an adjustment, and what they leave."""

    parts: Sequence[Part]
    rest_micros: int


def explain(micros: int, expected: Sequence[Part], possible: Sequence[Part]) -> Explained:
    """Take an adjustment apart.

    What is expected by the service's rules goes first. Only a sum that fits exactly, or within what an estimated fee
    leaves open, counts; where several sums fit, none does: it stays unexplained.

    Args:
        micros: the adjustment.
        expected: parts that the rules say are in it.
        possible: parts that may be in it, the nearest in time first.
    """
    certain, open_ = list(expected), list(possible)[:MOST]
    rest = micros - _sum(certain)
    if not rest:
        return Explained(certain, 0)
    for kept, left, candidates in ((certain, rest, open_), ([], micros, [*certain[:MOST], *open_])):
        found = _fitting(left, candidates)
        if found is not None:
            return Explained([*kept, *found], 0)
    about = _about(rest, [part for part in open_ if part.tolerance_micros])
    if about is not None:
        return Explained([*certain, *about], 0)
    return Explained(certain, rest) if certain and abs(rest) < abs(micros) else Explained([], micros)


def _sum(parts: Sequence[Part]) -> int:
    return sum(part.micros for part in parts)


def _fitting(micros: int, candidates: Sequence[Part]) -> list[Part] | None:
    for size in _SIZES:
        found = [list(some) for some in combinations(candidates, size) if _sum(some) == micros]
        if found:
            # Equal amounts can't be told apart, and needn't be: the nearest in time stands for them.
            same = {tuple(sorted(part.micros for part in some)) for some in found}
            return found[0] if len(same) == 1 else None
    return None


def _about(micros: int, candidates: Sequence[Part]) -> list[Part] | None:
    """Parts with an estimated fee that come near enough; the last one takes the cents between."""
    for size in (*_SIZES, len(candidates)):
        if not 0 < size <= len(candidates):
            continue
        found = [
            list(some)
            for some in combinations(candidates, size)
            if abs(micros - _sum(some)) <= sum(part.tolerance_micros for part in some)
        ]
        if len(found) == 1:
            *others, last = found[0]
            return [*others, last._replace(micros=micros - _sum(others))]
        if found:
            return None
    return None
