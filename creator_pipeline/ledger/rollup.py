"""``daily_revenue``: the ledger per day, profile, platform and currency; only days that changed are added up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal, select, tuple_

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock
from creator_pipeline.store.tables import daily_revenue, ledger_changes, sales_events

_KEYS_AT_ONCE = 200
_BACK = ("refund", "chargeback")


@dataclass(frozen=True)
class RolledUp:
    """What a roll-up did: how many (day, profile, platform) it added up, and what that changed in the table."""

    days: int
    change: Change


def pending(connection: Connection) -> int:
    """How many (day, profile, platform) wait to be added up."""
    return connection.execute(select(func.count()).select_from(ledger_changes)).scalar_one()


def roll_up(warehouse: Warehouse) -> RolledUp:
    """Add up every day whose ledger changed since the last time."""
    columns = ledger_changes.c
    with warehouse.read() as connection:
        waiting = connection.execute(
            select(columns.occurred_on, columns.profile_id, columns.platform, columns.change_id)
        ).all()
    total = Change()
    for part in _batches(waiting):
        with warehouse.write() as connection:
            # Of two runs at once both would add the days that neither sees yet.
            lock(connection, daily_revenue.name)
            total += _roll_up(connection, [(day, profile, platform) for day, profile, platform, _ in part])
            # Only the change that was seen: one that came meanwhile has another id and stays.
            connection.execute(
                ledger_changes.delete().where(
                    tuple_(columns.occurred_on, columns.profile_id, columns.platform, columns.change_id).in_(
                        [tuple(row) for row in part]
                    )
                )
            )
    return RolledUp(len(waiting), total)


def _batches(rows: Sequence[Any]) -> list[list[Any]]:
    source = iter(rows)
    return list(iter(lambda: list(islice(source, _KEYS_AT_ONCE)), []))


def _roll_up(connection: Connection, keys: list[tuple[date, str, str]]) -> Change:
    events = sales_events.c
    key = tuple_(events.occurred_on, events.profile_id, events.platform)
    back, won_back = events.event_type.in_(_BACK), events.event_type == "chargeback_reversal"
    pages = events.event_type == "pages_read"
    rows = connection.execute(
        select(
            events.occurred_on,
            events.profile_id,
            events.platform,
            events.currency,
            func.sum(case((back | won_back | pages, literal(0)), else_=events.quantity)),
            func.sum(case((back, literal(1)), (won_back, literal(-1)), else_=literal(0))),
            func.sum(events.gross_micros),
            func.sum(events.fee_micros),
            func.sum(events.net_micros),
        )
        .where(key.in_(keys))
        .group_by(events.occurred_on, events.profile_id, events.platform, events.currency)
    ).all()
    table = daily_revenue.c
    scope = and_(tuple_(table.occurred_on, table.profile_id, table.platform).in_(keys))
    # PostgreSQL sums bigints to numeric.
    whole = [(*row[:4], *(int(value) for value in row[4:])) for row in rows]
    return replace(connection, daily_revenue, whole, scope, what="daily_revenue", allow_shrink=True)


def last_days(
    warehouse: Warehouse, first: date, last: date, profile_id: str | None = None
) -> list[tuple[date, str, str, int]]:
    """(UTC day, platform, currency, net micros of ``currency``), in no order.

    Args:
        warehouse: where the roll-up is.
        first, last: UTC days, both inclusive.
        profile_id: whose days; None for the sum over all profiles.
    """
    table = daily_revenue.c
    whose = [] if profile_id is None else [table.profile_id == profile_id]
    with warehouse.read() as connection:
        rows = connection.execute(
            select(table.occurred_on, table.platform, table.currency, func.sum(table.net_micros))
            .where(table.occurred_on >= first, table.occurred_on <= last, *whose)
            .group_by(table.occurred_on, table.platform, table.currency)
        )
        return [(day, platform, currency, int(net)) for day, platform, currency, net in rows]


def both_sums(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Net micros by currency of the ledger and of the roll-up, without those that are 0; equal when all is added up."""
    ledger, rolled = (
        {
            currency: int(net)
            for currency, net in connection.execute(
                select(table.c.currency, func.sum(table.c.net_micros)).group_by(table.c.currency)
            )
            if net
        }
        for table in (sales_events, daily_revenue)
    )
    return ledger, rolled
