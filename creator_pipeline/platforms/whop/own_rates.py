"""Whop's own value of a line in US dollars, at the rate of the moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select

from creator_pipeline.store.tables import whop_financial_activity as feed

_AT_ONCE = 500


def own_rates(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, tuple[str, int, int, date, str]]:
    """Id of a row of the ledger to (USD, its micros, for so many micros of the row's currency, day, source).

    A row that is a line of its own has that line's rate; a sale that of its payment's largest line of that day.
    """
    lines = dict[tuple[str, str], list[Row[Any]]]()
    wanted = iter(sorted({row.external_id for row in rows}))
    while some := list(islice(wanted, _AT_ONCE)):
        columns = feed.c
        told = columns.usd_micros.is_not(None) & (columns.amount_micros != 0) & (columns.usd_micros != 0)
        owner = columns.payment_id.in_(some) | columns.resource_id.in_(some) | columns.id.in_(some)
        for line in connection.execute(select(feed).where(told, owner)):
            for name in {line.payment_id, line.resource_id, line.id} - {None}:
                lines.setdefault((line.profile_id, name), []).append(line)
    found = dict[str, tuple[str, int, int, date, str]]()
    for row in rows:
        mine = [
            line
            for line in lines.get((row.profile_id, row.external_id), ())
            if line.currency == row.currency and (line.usd_micros > 0) == (line.amount_micros > 0)
        ]
        named = [line for line in mine if row.id.endswith(f":{line.id}")]
        of_day = named or [line for line in mine if line.posted_on == row.occurred_on]
        if of_day:
            line = max(of_day, key=lambda one: (abs(one.amount_micros), one.id))
            found[row.id] = ("USD", line.usd_micros, line.amount_micros, line.posted_on, "Whop usd_amount")
    return found
