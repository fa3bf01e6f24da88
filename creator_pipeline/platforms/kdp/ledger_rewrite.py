"""Marks the stored rows that count, and rewrites the ledger from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

import orjson
from sqlalchemy import Connection, and_, case, func, select, true, update

from creator_pipeline.core.windows import DayWindow, contiguous, now
from creator_pipeline.ledger.closing import Scope
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import own_days, replace_events
from creator_pipeline.platforms.kdp.layers import Snapshot
from creator_pipeline.platforms.kdp.ledger import PLATFORM, KdpGroup, kdp_event
from creator_pipeline.platforms.kdp.models import PAYMENTS, Report, next_period, slice_month
from creator_pipeline.platforms.kdp.precedence import Decision, decide
from creator_pipeline.platforms.kdp.sizes import Book, Size, book_of, from_json, guarded, to_json, without_books
from creator_pipeline.store.load import Change
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads

_COUNTED_KINDS = ("sales", "kenp")
EVENT_TYPES = ("royalty", "pages_read")
"""Kinds of ledger rows that royalty reports bring."""
_AT_ONCE = 500


@dataclass(frozen=True)
class Rewritten:
    """The ledger rows of the months that were rewritten, and what changed."""

    events: Sequence[LedgerEvent]
    change: Change


def snapshots(
    connection: Connection, profile_id: str, *, only: Collection[str] | None = None, keep: bool = False
) -> list[Snapshot]:
    """The stored uploads of a profile that were read without a problem that holds them back.

    Args:
        connection: of a transaction.
        profile_id: whose uploads.
        only: ids of those that are wanted; None for all.
        keep: store the sizes that an earlier release didn't; only where the transaction writes.
    """
    columns = kdp_uploads.c
    rows = connection.execute(
        select(
            columns.id,
            columns.finality,
            columns.snapshot_at,
            columns.slices,
            columns.accepted_smaller,
            columns.partial,
            columns.format,
            columns.authors,
        ).where(
            columns.profile_id == profile_id,
            columns.slices.is_not(None),
            true() if only is None else columns.id.in_(only),
        )
    )
    return [
        Snapshot(
            upload_id,
            finality,
            snapshot_at,
            _sizes(connection, upload_id, from_json(slices), keep=keep),
            accepted_smaller,
            partial,
            form == "xlsx",
            frozenset(orjson.loads(authors or "[]")),
        )
        for upload_id, finality, snapshot_at, slices, accepted_smaller, partial, form, authors in rows.all()
    ]


def _sizes(connection: Connection, upload_id: str, sizes: dict[str, Size], *, keep: bool) -> dict[str, Size]:
    """The sizes of an upload; those of an earlier release get their books from the stored rows."""
    if not without_books(sizes):
        return sizes
    columns = kdp_royalties.c
    sold = case((columns.units_sold > 0, columns.units_sold), else_=0)
    rows = connection.execute(
        select(
            columns.slice,
            columns.event_key,
            func.count(columns.source_row),
            func.sum(sold),
            func.sum(columns.pages_read),
        )
        .where(columns.upload_id == upload_id)
        .group_by(columns.slice, columns.event_key)
    )
    for name, key, count, copies, pages in rows:
        if guarded(name):
            books, book = sizes[name].books, book_of(key)
            before = books.get(book, Book("", 0, 0))
            books[book] = Book(key.split("|")[1], before.rows + count, before.copies + int(copies) + int(pages))
    if keep:
        connection.execute(update(kdp_uploads).where(kdp_uploads.c.id == upload_id).values(slices=to_json(sizes)))
    return sizes


def decision(connection: Connection, profile_id: str, only: Collection[str] | None = None) -> Decision:
    """Decide which uploads of a profile count. In a transaction that writes.

    Args:
        connection: of the transaction.
        profile_id: whose uploads.
        only: ids of :func:`connected` uploads; None for everything that is stored.
    """
    return decide(snapshots(connection, profile_id, only=only, keep=True))


def connected(connection: Connection, profile_id: str, upload_id: str, report: Report) -> set[str]:
    """The uploads whose counting can depend on this one: those of its months, those of their months, and so on.

    Args:
        connection: of the transaction.
        profile_id: whose uploads.
        upload_id: of the report; it is among them.
        report: as it is read now.
    """
    columns = kdp_uploads.c
    # Payments cover years and decide nothing of sales.
    alike = columns.kind == PAYMENTS if report.kind == PAYMENTS else columns.kind != PAYMENTS
    rows = connection.execute(
        select(columns.id, columns.period_start, columns.period_end).where(
            columns.profile_id == profile_id, columns.slices.is_not(None), alike, columns.period_start.is_not(None)
        )
    ).all()
    found, spans = {upload_id}, [(report.period_start, report.period_end)]
    spans += [(start, end) for id_, start, end in rows if id_ == upload_id]
    known = [(start, end) for start, end in spans if start and end]
    if not known:
        return found
    first = min(start for start, _ in known).replace(day=1)
    last = max(end for _, end in known)
    while True:
        more = [row for row in rows if row.id not in found and row.period_start <= _month_end(last)]
        more = [row for row in more if row.period_end > first]
        if not more:
            return found
        found |= {row.id for row in more}
        first = min([first, *(row.period_start.replace(day=1) for row in more)])
        last = max([last, *(row.period_end for row in more)])


def _month_end(end: date) -> date:
    """The last day of the month that the day before ``end`` is in."""
    return next_period(end - timedelta(days=1), "month") - timedelta(days=1)


def rewrite_ledger(
    connection: Connection, profile_id: str, before: Decision, after: Decision, *, own: Iterable[str]
) -> Rewritten:
    """Mark the rows that count, and rewrite the ledger of every month in which that changed.

    Args:
        connection: in a transaction.
        profile_id: whose uploads they are.
        before: the decision before the newest upload was stored.
        after: the decision with it.
        own: slices of the newest upload; they are rewritten even if the decision over them is the same.
    """
    names = before.counts.keys() | after.counts.keys()
    touched = {name for name in names if before.counts.get(name) != after.counts.get(name)} | set(own)
    _set_counted(connection, profile_id, after, touched)
    months = {slice_month(name) for name in touched if not name.startswith(("orders", "payments"))}
    return rewrite_months(connection, profile_id, months)


def rewrite_months(connection: Connection, profile_id: str, months: Iterable[date]) -> Rewritten:
    """Make the ledger's royalties and pages of these months equal to the stored rows that count.

    Args:
        connection: in a transaction.
        profile_id: whose ledger.
        months: by their first days.
    """
    days = (day for month in months for day in DayWindow(month, next_period(month, "month")).each())
    moment, events, change = now(), list[LedgerEvent](), Change()
    for window in contiguous(days):
        rows = [kdp_event(profile_id, group, moment) for group in _groups(connection, profile_id, window)]
        change += replace_events(
            connection,
            PLATFORM,
            profile_id,
            _royalties_of(window),
            rows,
            what=f"royalties {window.start} to {window.end} of {profile_id}",
            # Whether rows may go away was decided by slices; the check that counts rows would decide it again.
            allow_shrink=True,
        )
        events += rows
    return Rewritten(events, change)


def _royalties_of(window: DayWindow) -> Scope:
    days = own_days(window)
    # Other rows of these days come from payments.
    return lambda columns: and_(columns.event_type.in_(EVENT_TYPES), days(columns))


def _set_counted(connection: Connection, profile_id: str, decided: Decision, touched: Iterable[str]) -> None:
    columns = kdp_royalties.c
    by_winner: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(touched):
        uploads = decided.counts.get(name, {})
        whole = [upload_id for upload_id, books in uploads.items() if books is None]
        if len(uploads) <= len(whole) <= 1:
            by_winner["".join(whole)].append(name)
        else:
            _set_books_counted(connection, profile_id, name, uploads)
    for winner, names in by_winner.items():
        for part in _parts(names):
            here = and_(columns.profile_id == profile_id, columns.slice.in_(part))
            connection.execute(
                update(kdp_royalties).where(here, columns.upload_id != winner, columns.counted).values(counted=False)
            )
            connection.execute(
                update(kdp_royalties)
                .where(here, columns.upload_id == winner, ~columns.counted, columns.kind.in_(_COUNTED_KINDS))
                .values(counted=True)
            )


def _set_books_counted(
    connection: Connection, profile_id: str, name: str, uploads: Mapping[str, frozenset[str] | None]
) -> None:
    """Mark the rows of a slice of which several uploads count, or one with some of its books."""
    columns = kdp_royalties.c
    here = and_(columns.profile_id == profile_id, columns.slice == name)
    connection.execute(
        update(kdp_royalties).where(here, columns.upload_id.not_in(uploads), columns.counted).values(counted=False)
    )
    for upload_id, books in uploads.items():
        mine = and_(here, columns.upload_id == upload_id, columns.kind.in_(_COUNTED_KINDS))
        by_key = connection.execute(select(columns.event_key).where(mine).distinct()).scalars()
        keys = {key: books is None or book_of(key) in books for key in by_key}
        for counted in (True, False):
            for part in _parts([key for key, counts in keys.items() if counts == counted]):
                changed = and_(mine, columns.event_key.in_(part), columns.counted != counted)
                connection.execute(update(kdp_royalties).where(changed).values(counted=counted))


def _parts(names: list[str]) -> Iterator[list[str]]:
    source = iter(names)
    return iter(lambda: list(islice(source, _AT_ONCE)), [])


def _groups(connection: Connection, profile_id: str, window: DayWindow) -> Iterator[KdpGroup]:
    columns = kdp_royalties.c
    rows = connection.execute(
        select(
            columns.upload_id,
            columns.slice,
            columns.event_key,
            columns.kind,
            func.min(columns.occurred_on),
            func.min(columns.title),
            func.sum(columns.units_sold),
            func.sum(columns.units_refunded),
            func.sum(columns.pages_read),
            func.sum(columns.royalty_micros),
            func.min(columns.currency),
        )
        .where(
            columns.profile_id == profile_id,
            columns.counted,
            columns.occurred_on >= window.start,
            columns.occurred_on < window.end,
        )
        .group_by(columns.upload_id, columns.slice, columns.event_key, columns.kind)
        .order_by(columns.slice, columns.event_key)
    )
    for upload_id, slice_, key, kind, day, title, sold, refunded, pages, micros, currency in rows:
        # PostgreSQL sums bigints to numeric.
        yield KdpGroup(
            upload_id, slice_, key, kind, day, title, int(sold), int(refunded), int(pages), int(micros), currency
        )
