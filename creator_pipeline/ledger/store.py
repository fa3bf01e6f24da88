"""Writing the ledger, and remembering which of its days changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import Connection, and_, select

from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.store.load import Change, replace, row_of, upsert
from creator_pipeline.store.tables import ledger_changes, sales_events
from creator_pipeline.store.upserts import FEW_ROWS, upsert_few


def replace_window(
    connection: Connection,
    platform: str,
    profile_id: str,
    window: DayWindow,
    events: Sequence[LedgerEvent],
    *,
    allow_shrink: bool = False,
) -> Change:
    """Make the ledger of one platform and profile equal to ``events`` for the days of ``window``.

    Raises:
        DataError: far fewer rows than are stored.
    """
    events_of = sales_events.c
    scope = and_(
        events_of.platform == platform,
        events_of.profile_id == profile_id,
        events_of.occurred_on >= window.start,
        events_of.occurred_on < window.end,
    )
    before = set(connection.execute(select(events_of.occurred_on).where(scope).distinct()).scalars())
    what = f"sales_events/{platform} {window.start} to {window.end} of {profile_id}"
    change = replace(connection, sales_events, events, scope, what=what, allow_shrink=allow_shrink)
    if change.any:
        note_changes(connection, platform, profile_id, before | {event.occurred_on for event in events})
    return change


def note_changes(connection: Connection, platform: str, profile_id: str, days: Iterable[date]) -> None:
    """Remember, in the same transaction, that these days of the ledger must be rolled up again."""
    change_id, moment = uuid.uuid4().hex, now()
    # In one order for everyone: two loads of one profile would wait for each other for ever.
    rows = [
        {
            "occurred_on": day,
            "profile_id": profile_id,
            "platform": platform,
            "change_id": change_id,
            "changed_at": moment,
        }
        for day in sorted(days)
    ]
    if len(rows) > FEW_ROWS:
        upsert(connection, ledger_changes, [row_of(ledger_changes, row) for row in rows])
    elif rows:
        upsert_few(connection, ledger_changes, rows)


def replace_sales(
    connection: Connection, platform: str, profile_id: str, external_ids: Sequence[str], events: Sequence[LedgerEvent]
) -> Change:
    """Make the ledger rows of the named sales, and of no others, equal to ``events``."""
    events_of = sales_events.c
    scope = and_(
        events_of.platform == platform, events_of.profile_id == profile_id, events_of.external_id.in_(external_ids)
    )
    before = set(connection.execute(select(events_of.occurred_on).where(scope).distinct()).scalars())
    change = replace(connection, sales_events, events, scope, what=f"sales of {profile_id}", allow_shrink=True)
    if change.any:
        note_changes(connection, platform, profile_id, before | {event.occurred_on for event in events})
    return change
