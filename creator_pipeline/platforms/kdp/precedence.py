"""Decides which upload counts where several cover the same time. Pure, and independent of the order of the uploads.

A slice is a series in one month, or in one day for daily files. In each slice a final report comes before a monthly
estimate, and a monthly estimate before daily ones, of which every day counts by itself. Within one rank the later
snapshot counts. A snapshot that holds less than the one it would replace was cut by the chosen range or lost rows: its
whole upload is held back until a person accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from creator_pipeline.platforms.kdp.models import Finality, Totals, slice_period


class Size(NamedTuple):
    """How much an upload holds of one slice. ``units`` are sold, not net: a refund that comes later is no loss."""

    rows: int
    units: int
    pages: int

    @classmethod
    def of(cls, totals: Totals) -> Size:
        """The size of a slice from its totals."""
        return cls(totals.rows, totals.units_sold, totals.pages_read)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One stored upload of one account.

    Attributes:
        snapshot_at: when KDP made the file; if the file doesn't say, the time of the file itself.
        slices: slices that it covers, with their sizes; empty slices are included.
        accepted_smaller: a person confirmed that this report may hold less than the one before.
    """

    upload_id: str
    finality: Finality | None
    snapshot_at: datetime
    slices: Mapping[str, Size]
    accepted_smaller: bool = False


class Loss(NamedTuple):
    """A slice that would lose units or pages if the upload counted."""

    upload_id: str
    slice: str
    stored_upload_id: str
    stored: Size
    found: Size

    def hint(self, file_name: str, profile_id: str) -> str:
        """Says what would get smaller, and the command that accepts it."""
        return (
            f"{self.slice} would shrink from {self.stored.units} units and {self.stored.pages} pages to"
            f" {self.found.units} and {self.found.pages}. If that is right:"
            f" creator-pipeline kdp ingest {file_name} --profile {profile_id} --accept-smaller"
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Which uploads of an account count.

    Attributes:
        counts: slice -> id of the upload whose rows count. A daily slice is missing if its month counts.
        quarantined: uploads that are held back; none of their rows count.
        superseded: uploads that cover something, are not held back, and count nowhere.
        losses: why uploads are held back.
    """

    counts: dict[str, str]
    quarantined: frozenset[str]
    superseded: frozenset[str]
    losses: tuple[Loss, ...] = field(default=())


def rank(name: str, finality: Finality | None) -> int:
    """Precedence of a slice in a report: 3 for a final report, 2 for a month, 1 for a day."""
    return 3 if finality == "final" else 2 if len(slice_period(name)) == len("2026-03") else 1


def decide(snapshots: Iterable[Snapshot]) -> Decision:
    """Decide over all stored uploads of one account together.

    The order of ``snapshots`` doesn't matter: they are compared by their own times, and by upload id where times are
    equal.
    """
    ordered = sorted(
        {each.upload_id: each for each in snapshots}.values(), key=lambda each: (each.snapshot_at, each.upload_id)
    )
    best: dict[tuple[str, int], tuple[str, Size]] = {}
    losses: list[Loss] = []
    for snapshot in ordered:
        own = [] if snapshot.accepted_smaller else _losses(snapshot, best)
        losses += own
        if not own:
            for name, size in snapshot.slices.items():
                best[name, rank(name, snapshot.finality)] = (snapshot.upload_id, size)
    counts = _counts(best)
    quarantined = frozenset(loss.upload_id for loss in losses)
    superseded = frozenset(
        each.upload_id
        for each in ordered
        if each.slices and each.upload_id not in quarantined and not _counts_still(each, counts)
    )
    return Decision(counts, quarantined, superseded, tuple(losses))


def _counts_still(snapshot: Snapshot, counts: Mapping[str, str]) -> bool:
    # Orders only check other measures: they alone keep no upload alive that has sales too.
    revenue = [name for name in snapshot.slices if not name.startswith("orders")]
    return any(counts.get(name) == snapshot.upload_id for name in revenue or snapshot.slices)


def _losses(snapshot: Snapshot, best: Mapping[tuple[str, int], tuple[str, Size]]) -> list[Loss]:
    losses: list[Loss] = []
    for name, size in sorted(snapshot.slices.items()):
        own = rank(name, snapshot.finality)
        stored = best.get((name, own))
        if stored and (size.units < stored[1].units or size.pages < stored[1].pages):
            losses.append(Loss(snapshot.upload_id, name, *stored, size))
            continue
        lower = best.get((name, 2)) if own == 3 else None
        # The final report rounds and folds rows, so only a sharp loss against the estimate means that a tab is missing.
        if stored is None and lower and (size.units * 2 < lower[1].units or size.pages * 2 < lower[1].pages):
            losses.append(Loss(snapshot.upload_id, name, *lower, size))
    return losses


def _counts(best: Mapping[tuple[str, int], tuple[str, Size]]) -> dict[str, str]:
    counts: dict[str, str] = {}
    for (name, _), (upload_id, _size) in sorted(best.items(), key=lambda item: item[0][1]):
        counts[name] = upload_id
    return {
        name: upload_id
        for name, upload_id in counts.items()
        if len(slice_period(name)) == len("2026-03") or _month_slice(name) not in counts
    }


def _month_slice(name: str) -> str:
    series, _, day = name.rpartition(":")
    return f"{series}:{day[:7]}"
