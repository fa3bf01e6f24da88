"""Which upload counts, where several cover the same time: pure, and independent of the order of the uploads.

A slice is a measure in one month, or one day in daily files. Per slice: a final report is better than a monthly
estimate, that is better than daily ones (of which every day counts by itself), and within one rank the later snapshot
wins. A snapshot that holds less than the one it would replace was cut by the chosen range or lost rows: its whole
upload is held back until a person accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from creator_pipeline.platforms.kdp.model import Finality, Totals


class Size(NamedTuple):
    """What an upload holds of one slice. ``units`` are sold (not net: refunds come later and are no loss)."""

    rows: int
    units: int
    pages: int

    @classmethod
    def of(cls, totals: Totals) -> Size:
        """The size of a slice of a report."""
        return cls(totals.rows, totals.units_sold, totals.pages_read)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One stored upload of one account.

    Attributes:
        snapshot_at: when KDP made it; else when it was first seen.
        slices: those it covers, empty ones included.
        accepted_smaller: a person said that less is right.
    """

    upload_id: str
    finality: Finality | None
    snapshot_at: datetime
    slices: Mapping[str, Size]
    accepted_smaller: bool = False


class Shrunk(NamedTuple):
    """A slice that would lose something."""

    upload_id: str
    slice: str
    stored_upload_id: str
    stored: Size
    found: Size

    def hint(self, file_name: str, profile_id: str) -> str:
        """The command that accepts the smaller report."""
        return (
            f"{self.slice} would shrink from {self.stored.units} units and {self.stored.pages} pages to"
            f" {self.found.units} and {self.found.pages}. If that is right:"
            f" creator-pipeline kdp ingest {file_name} --profile {profile_id} --accept-smaller"
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Attributes:
    counts: slice -> the upload whose rows count. A slice that isn't here is covered by a better one.
    quarantined: uploads held back; none of their rows count.
    superseded: uploads that are neither held back nor count anywhere, though they cover something.
    shrunk: why uploads are held back.
    """

    counts: dict[str, str]
    quarantined: frozenset[str]
    superseded: frozenset[str]
    shrunk: tuple[Shrunk, ...] = field(default=())


def rank(name: str, finality: Finality | None) -> int:
    """3 final, 2 of a month, 1 of a day."""
    return 3 if finality == "final" else 2 if len(_period(name)) == len("2026-03") else 1


def decide(snapshots: Iterable[Snapshot]) -> Decision:
    """Judge all stored uploads of one account together.

    The same set gives the same answer in any order: snapshots are taken by their own time, ties by upload id.
    """
    ordered = sorted(
        {each.upload_id: each for each in snapshots}.values(), key=lambda each: (each.snapshot_at, each.upload_id)
    )
    best: dict[tuple[str, int], tuple[str, Size]] = {}
    shrunk: list[Shrunk] = []
    for snapshot in ordered:
        losses = [] if snapshot.accepted_smaller else _losses(snapshot, best)
        shrunk += losses
        if not losses:
            for name, size in snapshot.slices.items():
                best[name, rank(name, snapshot.finality)] = (snapshot.upload_id, size)
    counts = _counts(best)
    quarantined = frozenset(loss.upload_id for loss in shrunk)
    superseded = frozenset(
        each.upload_id
        for each in ordered
        if each.slices and each.upload_id not in quarantined and not _counts_still(each, counts)
    )
    return Decision(counts, quarantined, superseded, tuple(shrunk))


def _counts_still(snapshot: Snapshot, counts: Mapping[str, str]) -> bool:
    # Orders only check other figures: they alone keep no upload alive that has sales too.
    revenue = [name for name in snapshot.slices if not name.startswith("orders")]
    return any(counts.get(name) == snapshot.upload_id for name in revenue or snapshot.slices)


def _losses(snapshot: Snapshot, best: Mapping[tuple[str, int], tuple[str, Size]]) -> list[Shrunk]:
    losses: list[Shrunk] = []
    for name, size in sorted(snapshot.slices.items()):
        own = rank(name, snapshot.finality)
        stored = best.get((name, own))
        if stored and (size.units < stored[1].units or size.pages < stored[1].pages):
            losses.append(Shrunk(snapshot.upload_id, name, *stored, size))
            continue
        lower = best.get((name, 2)) if own == 3 else None
        # The final report rounds and folds rows, so only a sharp loss against the estimate means that a tab is missing.
        if stored is None and lower and (size.units * 2 < lower[1].units or size.pages * 2 < lower[1].pages):
            losses.append(Shrunk(snapshot.upload_id, name, *lower, size))
    return losses


def _counts(best: Mapping[tuple[str, int], tuple[str, Size]]) -> dict[str, str]:
    counts: dict[str, str] = {}
    for (name, _), (upload_id, _size) in sorted(best.items(), key=lambda item: item[0][1]):
        counts[name] = upload_id
    return {
        name: upload_id
        for name, upload_id in counts.items()
        if len(_period(name)) == len("2026-03") or _month_of(name) not in counts
    }


def _period(name: str) -> str:
    return name.rpartition(":")[2]


def _month_of(name: str) -> str:
    measure, _, day = name.rpartition(":")
    return f"{measure}:{day[:7]}"
