"""Decides what counts of one series in one month: of final reports, of monthly and of daily estimates. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline.platforms.kdp.layers import (
    Layer,
    Layers,
    books_of,
    fell,
    left_out,
    one_account,
    restricted,
    smaller,
)
from creator_pipeline.platforms.kdp.models import next_period, slice_period

_FARTHEST_EAST = timedelta(hours=14)


class Lost(NamedTuple):
    """A report that lacks most of what a lower one holds.

    Attributes:
        held: the layer that is to be held back.
        stored: the newest layer of what it would replace.
        missing: names of books.
        whole: number of books of what it would replace.
    """

    held: Layer
    stored: Layer
    missing: tuple[str, ...]
    whole: int


@dataclass
class Claims:
    """The layers of one series in one month by rank, each the newest first."""

    final: list[Layer] = field(default_factory=list[Layer])
    monthly: list[Layer] = field(default_factory=list[Layer])
    daily: dict[str, list[Layer]] = field(default_factory=dict[str, list[Layer]])

    def add(self, rank: int, name: str, layers: list[Layer]) -> None:
        """Add the layers of one slice."""
        if rank == 1:
            self.daily[name] = layers
        elif rank == 2:
            self.monthly = layers
        else:
            self.final = layers


def choose_month(month: str, claims: Claims) -> tuple[Layers, Lost | None]:
    """What counts, and the report that is to be held back because it lacks most of what it would replace.

    Args:
        month: ``2026-03``.
        claims: everything that covers the month or days of it.
    """
    estimates, lost = _estimates(month, claims)
    if not claims.final or lost:
        return (claims.final or estimates), lost
    beside, lost = _below(month, claims.final, estimates)
    return [*claims.final, *beside], lost


def _below(month: str, upper: Layers, lower: Layers) -> tuple[Layers, Lost | None]:
    """What still counts of ``lower`` beside ``upper``; and the loss, if most of it is in neither."""
    if any(layer.snapshot.accepted_smaller for layer in upper):
        return [], None
    before, now = books_of(lower), books_of(upper)
    apart, missing = left_out(upper, lower, month, one_account)
    less = smaller(now, before)
    lost = sum(before[name].copies for name in missing)
    lost += sum(max(0, before[name].copies - now[name].copies) for name in less)
    whole = sum(book.copies for name, book in before.items() if name not in apart)
    # A final report rounds and folds rows, so only a sharp loss means that a part of it is missing.
    if lost * 2 > whole and not any(layer.snapshot.partial for layer in upper):
        return [], Lost(upper[0], _newest(lower), tuple(sorted(missing | less)), len(before))
    return restricted(lower, apart), None


def _estimates(month: str, claims: Claims) -> tuple[Layers, Lost | None]:
    monthly = claims.monthly
    daily = [layer for layers in claims.daily.values() for layer in layers]
    if not monthly or not daily:
        return (monthly or daily), None
    made = monthly[0].snapshot.snapshot_at
    first = date.fromisoformat(f"{month}-01")
    still_open = made.date() < next_period(first, "month")
    if (rest := _days_hold_all(month, monthly, daily, still_open=still_open)) is not None:
        return [*daily, *rest], None
    # What had begun nowhere when the export was made isn't in it.
    last = (made + _FARTHEST_EAST).date().isoformat() if still_open else f"{month}-99"
    later = [layer for layer in daily if slice_period(layer.slice) > last]
    earlier = [layer for layer in daily if slice_period(layer.slice) <= last]
    if _newest(daily).snapshot.snapshot_at >= made:
        apart, _ = left_out(monthly, earlier, month, one_account)
        return [*monthly, *later, *restricted(earlier, apart)], None
    if _is_cut(month, monthly, earlier):
        return daily, None
    beside, lost = _below(month, monthly, earlier)
    return [*monthly, *later, *beside], lost


def _is_cut(month: str, monthly: Layers, daily: Layers) -> bool:
    """Whether a range that was chosen by hand begins or ends in this month, by the days that are stored of it."""
    top = monthly[0].snapshot
    if top.accepted_smaller or top.partial or month not in top.ends():
        return False
    now, before = books_of(monthly), books_of(daily)
    _, missing = left_out(monthly, daily, month, one_account)
    return bool(missing or smaller(now, before)) or fell(now, before)


def _days_hold_all(month: str, monthly: Layers, daily: Layers, *, still_open: bool) -> Layers | None:
    """What counts of the monthly export beside newer days that hold all of it; None where they don't."""
    if _newest(daily).snapshot.snapshot_at <= monthly[0].snapshot.snapshot_at:
        return None
    in_days, in_month = books_of(daily), books_of(monthly)
    apart, missing = left_out(daily, monthly, month, one_account)
    both = in_month.keys() - apart
    if missing or any(in_days[name].copies < in_month[name].copies for name in both):
        return None
    more = sum(book.copies for book in in_days.values()) > sum(in_month[name].copies for name in both)
    return restricted(monthly, apart) if still_open or more else None


def _newest(layers: Layers) -> Layer:
    return max(layers, key=lambda layer: (layer.snapshot.snapshot_at, layer.snapshot.upload_id))
