"""Rows that are handed out to one worker at a time: the queue's jobs and the outbox's mails.

A row is handed out by exactly one conditional UPDATE, which raises ``attempts`` by one. Only the holder of the newest
value of ``attempts`` may extend the lease, give the row back or end it. The counter never goes back, so an attempt
names one holder for ever: a worker that returns after its lease has ended can't undo what a later one did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, RowMapping, Table, and_, func, literal, select, tuple_
from sqlalchemy import update as sql_update

from creator_pipeline.store.engine import is_postgres
from creator_pipeline.store.types import UtcDateTime

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a row until the lease ends or someone else holds a higher attempt."""

    id: str
    attempt: int

    @property
    def key(self) -> str:
        """Names this attempt and no other."""
        return f"{self.id}:{self.attempt}"


def database_time(connection: Connection, seconds: float = 0.0) -> ColumnElement[datetime]:
    """So many seconds from now by the clock all workers share: the server's, or this machine's for a file."""
    if is_postgres(connection):
        return func.now(type_=UtcDateTime()) + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return literal(datetime.now(UTC) + timedelta(seconds=seconds), UtcDateTime())


class LeaseTable:
    """A table whose rows are handed out: it has the columns ``id``, ``status``, ``attempts`` and a moment.

    Args:
        table: where the rows are.
        due_at: the moment: when a row that waits may be handed out, or when the lease of its holder ends.
        open_statuses: of rows that wait or are held.
        held_statuses: of rows that a holder may change.
    """

    def __init__(
        self,
        table: Table,
        due_at: Column[datetime],
        *,
        open_statuses: Collection[str],
        held_statuses: Collection[str],
    ) -> None:
        self._table = table
        self._due_at = due_at
        self._open = table.c.status.in_(open_statuses)
        self._held = table.c.status.in_(held_statuses)

    def due(self, connection: Connection) -> ColumnElement[bool]:
        """The condition that a row may be handed out: it waits, or its holder's lease has ended."""
        return and_(self._open, self._due_at <= database_time(connection))

    def any_due(self, connection: Connection, *only: ColumnElement[bool]) -> bool:
        """Whether a row may be handed out. Takes no lock, so it is asked before a write transaction is begun."""
        found = select(self._table.c.id).where(self.due(connection), *only).limit(1)
        return connection.execute(found).first() is not None

    def lock_due(
        self,
        connection: Connection,
        columns: Sequence[Column[Any]],
        limit: int,
        *only: ColumnElement[bool],
        first: ColumnElement[Any] | None = None,
    ) -> Sequence[Row[Any]]:
        """Rows that may be handed out and that no other transaction is handing out, the longest due first.

        Args:
            columns: what is read of each.
            limit: rows at most.
            only: further conditions.
            first: what they are ordered by before the moment.
        """
        order = [] if first is None else [first]
        return connection.execute(
            select(*columns)
            .where(self.due(connection), *only)
            .order_by(*order, self._due_at, self._table.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()

    def hand_out(
        self,
        connection: Connection,
        ids: Collection[str],
        seconds: float,
        columns: Iterable[Column[Any]],
        **values: Any,
    ) -> Sequence[RowMapping]:
        """Hand out rows that this transaction has locked; returns them as they are then, in no order.

        Args:
            seconds: until the lease ends.
            columns: what is read of each.
            values: further columns to set.
        """
        table, until = self._table, database_time(connection, seconds)
        return (
            connection.execute(
                sql_update(table)
                .where(table.c.id.in_(ids))
                .values({**values, "attempts": table.c.attempts + 1, self._due_at.name: until})
                .returning(*columns)
            )
            .mappings()
            .all()
        )

    def extend(self, connection: Connection, leases: Iterable[Lease], seconds: float, **values: Any) -> list[str]:
        """Make the leases end so many seconds from now; returns the ids of those that were good."""
        return self.update(connection, leases, **{**values, self._due_at.name: database_time(connection, seconds)})

    def update(self, connection: Connection, leases: Iterable[Lease], **values: Any) -> list[str]:
        """Give rows back or end them, by setting these columns; returns the ids of the leases that were good."""
        table, pairs, changed = self._table, sorted({(lease.id, lease.attempt) for lease in leases}), list[str]()
        for start in range(0, len(pairs), _CHUNK):
            mine = and_(tuple_(table.c.id, table.c.attempts).in_(pairs[start : start + _CHUNK]), self._held)
            if len(pairs) > 1:
                # In order: two runs that hold the same rows, one of them by stale leases, must not lock crosswise.
                held = select(table.c.id).where(mine).order_by(table.c.id).with_for_update()
                mine = table.c.id.in_(connection.execute(held).scalars().all())
            statement = sql_update(table).where(mine).values(**values).returning(table.c.id)
            changed += connection.execute(statement).scalars()
        return changed
