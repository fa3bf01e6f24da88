"""Says of each upload of a profile what of it counts, and which upload counts in its place elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from creator_pipeline.platforms.kdp.layers import Snapshot, is_month, month_of
from creator_pipeline.platforms.kdp.ledger import PARTITION_DIGITS
from creator_pipeline.platforms.kdp.ledger_rewrite import snapshots
from creator_pipeline.platforms.kdp.models import next_period, slice_period
from creator_pipeline.platforms.kdp.precedence import Decision, decide
from creator_pipeline.platforms.kdp.sizes import guarded
from creator_pipeline.store.tables import kdp_uploads


@dataclass(frozen=True)
class ToldUpload:
    """One upload for people.

    Attributes:
        upload: the beginning of its id.
        made_at: when KDP made the file, or the file's own time.
        counts: series and periods of which it counts, as ``sales/digital 2026-08 to 2026-10``.
        instead: series and periods of which it doesn't count, each with the names of the files that do.
        supersedes: names of the files in whose place it counts somewhere.
    """

    upload: str
    profile: str
    file: str
    kind: str
    finality: str
    status: str
    made_at: datetime | None
    counts: tuple[str, ...]
    instead: tuple[tuple[str, tuple[str, ...]], ...]
    supersedes: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What counts, slice by slice."""
        for part in self.counts:
            yield f"{part}: counts"
        for part, files in self.instead:
            yield f"{part}: doesn't count" + (f", {', '.join(files)} does" if files else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        made = self.made_at.isoformat() if self.made_at else None
        instead = [{"slices": part, "files": files} for part, files in self.instead]
        return {**self.__dict__, "made_at": made, "instead": instead}


def told_uploads(connection: Connection, profile_id: str) -> list[ToldUpload]:
    """Every upload of a profile, the newest first."""
    columns = kdp_uploads.c
    rows = connection.execute(
        select(kdp_uploads).where(columns.profile_id == profile_id).order_by(columns.snapshot_at.desc(), columns.id)
    ).all()
    names: dict[str, str] = {row.id: row.file_name for row in rows}
    stored = {each.upload_id: each for each in snapshots(connection, profile_id)}
    decided = decide(stored.values())
    beaten: defaultdict[str, set[str]] = defaultdict(set)
    told: dict[str, tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]] = {}
    for snapshot in stored.values():
        counts, instead = _of_snapshot(snapshot, decided)
        for winners in instead.values():
            for winner in winners:
                beaten[winner].add(names[snapshot.upload_id])
        grouped: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, winners in instead.items():
            grouped[tuple(names[winner] for winner in winners)].append(name)
        told[snapshot.upload_id] = (
            tuple(_ranges(counts)),
            tuple((part, files) for files, slices in grouped.items() for part in _ranges(slices)),
        )
    return [
        ToldUpload(
            row.id[:PARTITION_DIGITS],
            profile_id,
            row.file_name,
            row.kind or "unknown",
            row.finality or "",
            row.status,
            row.snapshot_at,
            *told.get(row.id, ((), ())),
            tuple(sorted(beaten[row.id])),
        )
        for row in rows
    ]


def _of_snapshot(snapshot: Snapshot, decided: Decision) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """The slices that count, and of the others the uploads that do. Empty slices are told where nothing else is."""
    slices = [name for name, size in snapshot.slices.items() if guarded(name) and size.books] or [*snapshot.slices]
    counts = [name for name in slices if snapshot.upload_id in decided.counts.get(name, ())]
    return counts, {name: _winners(name, decided) for name in slices if name not in counts}


def _winners(name: str, decided: Decision) -> tuple[str, ...]:
    if name in decided.counts:
        return tuple(sorted(decided.counts[name]))
    series, month = name.rpartition(":")[0], month_of(name)
    others = {
        upload_id
        for other, uploads in decided.counts.items()
        if other.rpartition(":")[0] == series and month_of(other) == month
        for upload_id in uploads
    }
    return tuple(sorted(others))


def _ranges(slices: Iterable[str]) -> Iterator[str]:
    """Slices of one series that follow each other, as one text."""
    by_series: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for name in slices:
        by_series[name.rpartition(":")[0], is_month(name)].append(slice_period(name))
    for (series, months), periods in sorted(by_series.items()):
        first = last = ""
        for period in [*sorted(periods), ""]:
            if last and period == _after(last, months=months):
                last = period
                continue
            if last:
                yield f"{series} {first}" + (f" to {last}" if last != first else "")
            first = last = period


def _after(period: str, *, months: bool) -> str:
    day = date.fromisoformat(f"{period}-01" if months else period)
    return next_period(day, "month" if months else "day").isoformat()[: len(period)]


def told_upload(connection: Connection, profile_id: str, upload_id: str) -> ToldUpload | None:
    """One upload of a profile; None where it isn't stored."""
    wanted: Mapping[str, ToldUpload] = {each.upload: each for each in told_uploads(connection, profile_id)}
    return wanted.get(upload_id[:PARTITION_DIGITS])
