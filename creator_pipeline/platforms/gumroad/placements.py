"""Which payout each movement without a line of its own sits in: one search over all payouts' adjustments. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from creator_pipeline.platforms.gumroad.adjustments import Part

BOUND = 50_000
"""Steps of one search."""
_SHARED = 9
"""So many items, at most, may go to a payout or to one that is given up: of more, some sum fits by chance."""
_OPEN = 6
"""Payouts that are given up, one after the other, before all that are left are."""
_SUMS_A_STEP = 16
"""Sums that are made in the time of a step."""


class Move(NamedTuple):
    """A part in the payout of a place. ``micros`` is what the payout has of it: the part itself can be an estimate."""

    place: int
    micros: int
    part: Part


Choice = tuple[Move, ...]
"""Moves that come together; none where the movement is in no payout yet."""


class Item(NamedTuple):
    """A movement that is known, and its choices, the likeliest first: exactly one of them is true."""

    name: str
    choices: Sequence[Choice]


class Placed(NamedTuple):
    """By place of a payout whose adjustment is explained to the cent: its parts; and names of the items in them."""

    parts: Mapping[int, list[Part]]
    names: frozenset[str]


def place(rests: Sequence[int | None], items: Sequence[Item], bound: int = BOUND) -> Placed:
    """Give each item one of its choices so that every payout's rest comes to exactly nothing.

    A payout that can't be brought to nothing is given up, whatever its items are then, and stays for others to
    explain; so do those that could be brought to nothing by shifting things to it at will. So no sum that is merely
    near is ever taken for an explanation.

    Args:
        rests: by place, what is left of each payout's adjustment in micros; None where nothing is known of it.
        items: each in one payout at most, or in a pair of them.
        bound: of the steps of one search.
    """
    left = list(rests)
    for _ in range(_OPEN + 1):
        search = _Search(left, items, bound)
        chosen = search.run()
        if chosen is not None:
            return _placed(left, items, chosen)
        left[search.deepest] = None
    return Placed({}, frozenset())


def _placed(rests: Sequence[int | None], items: Sequence[Item], chosen: Mapping[str, Choice]) -> Placed:
    given_up = _given_up(rests, items)
    parts: dict[int, list[Part]] = {at: [] for at in range(len(rests)) if at not in given_up}
    names = set[str]()
    for name, choice in sorted(chosen.items()):
        for move in choice:
            if move.place in parts:
                parts[move.place].append(move.part)
                names.add(name)
    return Placed(parts, frozenset(names))


def _given_up(rests: Sequence[int | None], items: Sequence[Item]) -> set[int]:
    """Payouts without a rest to come to, and those whose rest says little beside them."""
    none = {at for at, rest in enumerate(rests) if rest is None}
    shared = [0] * len(rests)
    for item in items:
        touched = {move.place for choice in item.choices for move in choice}
        for at in touched if touched & none else ():
            shared[at] += 1
    return none | {at for at, number in enumerate(shared) if number > _SHARED}


class _Open(NamedTuple):
    """An item with what it can do at a place."""

    name: str
    options: list[_Taken]


class _Taken(NamedTuple):
    """What an item does at a place: a choice, or None where it waits for a later one; and the micros of it there."""

    choice: Choice | None
    micros: int


class _Search:
    """Depth first, one payout after the other in the order of time.

    Args:
        rests: by place; None where any sum will do.
        items: that are to be placed.
        bound: of the steps.

    Attributes:
        deepest: the latest place whose rest could not be made nothing.
    """

    def __init__(self, rests: Sequence[int | None], items: Sequence[Item], bound: int) -> None:
        self.deepest = 0
        self._rests = rests
        self._items = items
        self._bound = bound
        self._steps = 0
        self._chosen: dict[str, Choice] = {}
        self._beginning: list[list[_Open]] = [[] for _ in rests]
        for item in items:
            for at in {min(move.place for move in choice) for choice in item.choices if choice}:
                self._beginning[at].append(_Open(item.name, _options(item, at)))
        for here in self._beginning:
            # What has no later place goes first: it leaves the least to choose.
            here.sort(key=lambda one: (one.options[-1].choice is None, len(one.options), one.name))

    def run(self) -> dict[str, Choice] | None:
        if not self._at(0, [rest or 0 for rest in self._rests]):
            return None
        return {item.name: self._chosen.get(item.name, ()) for item in self._items}

    def _at(self, at: int, rests: list[int]) -> bool:
        if at == len(rests):
            return True
        if self._rests[at] is not None and self._steps <= self._bound:
            self.deepest = max(self.deepest, at)
        here = [one for one in self._beginning[at] if one.name not in self._chosen]
        for picked in self._fitting(here, None if self._rests[at] is None else rests[at]):
            left, names = list(rests), list[str]()
            for one, taken in zip(here, picked, strict=True):
                if taken.choice is not None:
                    names.append(one.name)
                    self._chosen[one.name] = taken.choice
                    for move in taken.choice:
                        left[move.place] -= move.micros
            if self._at(at + 1, left):
                return True
            for name in names:
                del self._chosen[name]
            if self._steps > self._bound:
                return False
        return False

    def _fitting(self, here: Sequence[_Open], rest: int | None) -> Iterator[list[_Taken]]:
        """The ways in which the items at a place come to its rest."""
        reached: list[set[int]] = [{0}]
        for one in reversed(here) if rest is not None else ():
            reached.append({micros + taken.micros for micros in reached[-1] for taken in one.options})
            self._steps += len(reached[-1]) // _SUMS_A_STEP
            if self._steps > self._bound:
                return
        reached.reverse()
        yield from self._picks(here, reached, rest, [])

    def _picks(
        self, here: Sequence[_Open], reached: Sequence[set[int]], rest: int | None, so: list[_Taken]
    ) -> Iterator[list[_Taken]]:
        self._steps += 1
        if self._steps > self._bound or (rest is not None and rest not in reached[len(so)]):
            return
        if len(so) == len(here):
            yield so
            return
        options = here[len(so)].options
        for taken in options if rest is not None else reversed(options):
            yield from self._picks(here, reached, None if rest is None else rest - taken.micros, [*so, taken])


def _options(item: Item, at: int) -> list[_Taken]:
    """What an item that is nowhere before a place can do there; waiting last."""
    found = list[_Taken]()
    later = False
    for choice in item.choices:
        first = min((move.place for move in choice), default=None)
        if first == at:
            found.append(_Taken(choice, sum(move.micros for move in choice if move.place == at)))
        later = later or first is None or first > at
    # Without any place left its own was before: then nothing is possible, and the payout is given up.
    return [*found, _Taken(None, 0)] if later or not found else found
