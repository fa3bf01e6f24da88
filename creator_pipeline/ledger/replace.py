"""Writing the ledger, and remembering which of its days changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import ARRAY, Connection, Date, Text, and_, cast, func, literal, select

from creator_pipeline.core import json_fields
from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.store.engine import is_postgres
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import ledger_changes, sales_events
from creator_pipeline.store.upserts import insert_into


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
    # In one order for everyone: two loads of one profile would wait for each other for ever.
    given = [day.isoformat() for day in sorted(days)]
    # One value holds all days: a statement for each, or a stage, costs several times as much as the sales' own rows.
    if is_postgres(connection):
        day = func.unnest(cast(literal("{" + ",".join(given) + "}", Text), ARRAY(Date))).column_valued("day")
    else:
        day = func.json_each(json_fields.dumps(given)).table_valued("value").c.value
    said = {"profile_id": profile_id, "platform": platform, "change_id": uuid.uuid4().hex, "changed_at": now()}
    values = [literal(value, ledger_changes.c[name].type) for name, value in said.items()]
    statement = insert_into(connection, ledger_changes).from_select(
        ["occurred_on", *said], select(day, *values).order_by(day)
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(ledger_changes.primary_key),
            set_={name: statement.excluded[name] for name in ("change_id", "changed_at")},
        )
    )


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
