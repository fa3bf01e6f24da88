"""Decides which upload counts where several cover the same time. Pure, and independent of the order of the uploads.

A slice is a series in one month, or in one day for daily files. In each slice a final report comes before a monthly
estimate, and a monthly estimate before daily ones, of which every day counts by itself. A month that was still open
when its export was made gives way to daily ones that are newer and hold all of it; while they hold only a part of it,
the days after it was made count beside it. Within one rank the later snapshot counts.

A report takes nothing away by what it leaves out (:mod:`.layers`). One that lacks what it should hold was cut:

* where only the first or the last month of several is cut, by the chosen range, that month stays as it is stored;
* otherwise the whole upload is held back until a person says what it is.

Only series that count are guarded. Of orders and payments the newest report is as good as any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from creator_pipeline.platforms.kdp.layers import (
    Layer,
    Layers,
    Snapshot,
    books_of,
    fell,
    is_month,
    left_out,
    month_of,
    one_account,
    restricted,
    smaller,
)
from creator_pipeline.platforms.kdp.month_choice import Claims, choose_month
from creator_pipeline.platforms.kdp.sizes import Size, guarded

_FEW = 10  # of so many missing days of books one is a correction


class Loss(NamedTuple):
    """What would be lost in a slice if an upload counted: ``missing`` of the ``stored`` books, by their names."""

    upload_id: str
    slice: str
    stored_upload_id: str
    missing: tuple[str, ...]
    stored: int


class Kept(NamedTuple):
    """A slice that an upload has too, but cut off, so that the stored one stays."""

    upload_id: str
    slice: str
    stored_upload_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Which uploads of an account count.

    Attributes:
        counts: slice -> id of each upload of which rows count -> the books that count, None for all of them. A slice
            of which nothing counts is missing.
        quarantined: uploads that are held back; none of their rows count.
        superseded: uploads that cover something, are not held back, and count nowhere.
        losses: why uploads are held back.
        kept: slices of uploads that count elsewhere, which stay as they are stored.
    """

    counts: dict[str, dict[str, frozenset[str] | None]]
    quarantined: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    losses: tuple[Loss, ...] = field(default=())
    kept: tuple[Kept, ...] = field(default=())

    def counts_of(self, upload_id: str) -> list[str]:
        """The slices of which rows of an upload count."""
        return sorted(name for name, uploads in self.counts.items() if upload_id in uploads)

    def has(self, name: str, upload_id: str, book: str) -> bool:
        """Whether a row counts, by its slice, upload and book."""
        books = self.counts.get(name, {}).get(upload_id, frozenset())
        return books is None or book in books


def decide(snapshots: Iterable[Snapshot]) -> Decision:
    """Decide over all stored uploads of one account together.

    The order of ``snapshots`` doesn't matter: they are compared by their own times, and by upload id where times are
    equal.
    """
    ordered = sorted(
        {each.upload_id: each for each in snapshots}.values(), key=lambda each: (each.snapshot_at, each.upload_id)
    )
    held: dict[str, Loss] = {}
    while True:
        taken = _Taken()
        for snapshot in ordered:
            if snapshot.upload_id not in held:
                taken.take(snapshot)
        counts, losses = taken.combined()
        if not losses:
            break
        # What was taken because of these is taken anew without them.
        held |= {loss.upload_id: loss for loss in losses}
    every = [*taken.losses, *held.values()]
    quarantined = frozenset(loss.upload_id for loss in every)
    superseded = frozenset(
        each.upload_id
        for each in ordered
        if each.slices and each.upload_id not in quarantined and not _counts_still(each, counts)
    )
    return Decision(counts, quarantined, superseded, tuple(sorted(every)), tuple(sorted(taken.kept)))


def _counts_still(snapshot: Snapshot, counts: Mapping[str, Mapping[str, object]]) -> bool:
    # Orders only check other measures: they alone keep no upload alive that has sales too.
    revenue = [name for name in snapshot.slices if not name.startswith("orders")]
    return any(snapshot.upload_id in counts.get(name, ()) for name in revenue or snapshot.slices)


@dataclass
class _Taken:
    """What counts by rank, while uploads are taken from the oldest to the newest."""

    layers: dict[tuple[str, int], list[Layer]] = field(default_factory=dict[tuple[str, int], list[Layer]])
    others: dict[str, str] = field(default_factory=dict[str, str])
    losses: list[Loss] = field(default_factory=list[Loss])
    kept: list[Kept] = field(default_factory=list[Kept])

    def take(self, snapshot: Snapshot) -> None:
        own = {name: size for name, size in snapshot.slices.items() if guarded(name) and self._says(snapshot, name)}
        if snapshot.accepted_smaller:
            for name, size in own.items():
                self.layers[name, snapshot.rank(name)] = [Layer(snapshot, name, size.books)]
        else:
            compared = {name: self._compare(snapshot, name, size) for name, size in own.items()}
            cut, held = _cut_months(snapshot, own, compared)
            if held:
                self.losses += [compared[name].loss for name in own if month_of(name) in held and compared[name].worth]
                return
            for name, each in compared.items():
                if month_of(name) in cut and each.stored:
                    self.kept.append(Kept(snapshot.upload_id, name, each.loss.stored_upload_id))
                else:
                    self.layers[name, snapshot.rank(name)] = [each.layer, *restricted(each.layers, each.apart)]
        self.others |= {name: snapshot.upload_id for name in snapshot.slices if not guarded(name)}

    def _says(self, snapshot: Snapshot, name: str) -> bool:
        """Whether an upload says something of a slice. A tab that came alone is silent of what it has no row of."""
        stored = self.layers.get((name, snapshot.rank(name)))
        return snapshot.dated or bool(snapshot.slices[name].books) or not stored or not books_of(stored)

    def _compare(self, snapshot: Snapshot, name: str, size: Size) -> _Compared:
        new = Layer(snapshot, name, size.books)
        stored = self.layers.get((name, snapshot.rank(name)), [])
        before = books_of(stored)
        apart, missing = left_out([new], stored, month_of(name), one_account)
        if not snapshot.partial:
            missing = missing | smaller(size.books, before)
        less = fell(size.books, before) and not snapshot.partial
        owner = stored[0].snapshot.upload_id if stored else ""
        loss = Loss(snapshot.upload_id, name, owner, tuple(sorted(missing)), len(before))
        return _Compared(new, stored, apart, less, loss)

    def combined(self) -> tuple[dict[str, dict[str, frozenset[str] | None]], list[Loss]]:
        """What counts over all ranks, and the losses that only the comparison of two ranks shows."""
        claims: defaultdict[tuple[str, str], Claims] = defaultdict(Claims)
        for (name, rank), layers in self.layers.items():
            claims[name.rpartition(":")[0], month_of(name)].add(rank, name, layers)
        counts: dict[str, dict[str, frozenset[str] | None]] = {
            name: {upload_id: None} for name, upload_id in self.others.items()
        }
        losses: list[Loss] = []
        for (_, month), each in sorted(claims.items()):
            chosen, lost = choose_month(month, each)
            if lost:
                held, stored, missing, whole = lost
                name = held.slice
                losses.append(Loss(held.snapshot.upload_id, name, stored.snapshot.upload_id, missing, whole))
            for layer in chosen:
                whole_slice = layer.books.keys() == layer.snapshot.slices[layer.slice].books.keys()
                books = None if whole_slice else frozenset(layer.books)
                counts.setdefault(layer.slice, {})[layer.snapshot.upload_id] = books
        return counts, losses


class _Compared(NamedTuple):
    """A slice of an upload beside what is stored: what it leaves out, and what would be lost."""

    layer: Layer
    layers: Layers
    apart: set[str]
    less: bool
    loss: Loss

    @property
    def stored(self) -> int:
        return self.loss.stored

    @property
    def worth(self) -> bool:
        """Whether something would be lost."""
        undated = not self.layer.snapshot.dated and self.less
        return bool(self.loss.missing) or undated


def _cut_months(
    snapshot: Snapshot, own: Mapping[str, Size], compared: Mapping[str, _Compared]
) -> tuple[set[str], set[str]]:
    """The months that the chosen range has cut, and those of which too much is missing."""
    months, ends = {month_of(name) for name, size in own.items() if size.books}, snapshot.ends()
    cut, held = set[str](), set[str]()
    days: defaultdict[str, list[_Compared]] = defaultdict(list)
    for name, each in compared.items():
        month = month_of(name)
        if not is_month(name):
            days[month].append(each)
        elif month in ends and (each.worth or each.less):
            cut.add(month)
        elif each.worth:
            held.add(month)
    for month, several in days.items():
        missing = sum(len(each.loss.missing) for each in several)
        if missing * _FEW > sum(each.stored for each in several) or any(
            each.worth and not each.loss.missing for each in several
        ):
            held.add(month)
    # Nothing would be left that counts.
    return (set(), held | cut) if cut and cut >= months else (cut, held)
