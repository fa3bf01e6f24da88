"""Marks the stored rows that count, and rewrites the ledger from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

import orjson
from sqlalchemy import Connection, and_, func, select, update

from creator_pipeline.core.windows import DayWindow, contiguous, now
from creator_pipeline.ledger.closing import Scope
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import own_days, replace_events
from creator_pipeline.platforms.kdp.ledger import PLATFORM, KdpGroup, kdp_event
from creator_pipeline.platforms.kdp.models import next_period, slice_month
from creator_pipeline.platforms.kdp.precedence import Decision, Size, Snapshot, decide
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


def snapshots(connection: Connection, profile_id: str) -> list[Snapshot]:
    """The stored uploads of a profile that were read without a problem that holds them back."""
    columns = kdp_uploads.c
    rows = connection.execute(
        select(columns.id, columns.finality, columns.snapshot_at, columns.slices, columns.accepted_smaller).where(
            columns.profile_id == profile_id, columns.slices.is_not(None)
        )
    )
    return [
        Snapshot(
            upload_id,
            finality,
            snapshot_at,
            {name: Size(*size) for name, size in orjson.loads(slices).items()},
            accepted_smaller,
        )
        for upload_id, finality, snapshot_at, slices, accepted_smaller in rows
    ]


def decision(connection: Connection, profile_id: str) -> Decision:
    """Decide which uploads of a profile count, by everything that is stored."""
    return decide(snapshots(connection, profile_id))


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
        by_winner[decided.counts.get(name, "")].append(name)
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
