"""The ledger in one currency, row by row: amount, rate, its day and who tells it; what has no rate is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import CODES, to_decimal
from creator_pipeline.fx.rates import MOST_DAYS, Converted, OwnRate, stored
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.store.tables import sales_events

if TYPE_CHECKING:
    import pyarrow as pa


class Line(NamedTuple):
    """A row of the ledger and its net amount in the base currency."""

    id: str
    profile_id: str
    platform: str
    event_type: str
    occurred_on: date
    currency: str
    net_micros: int
    base: str
    converted: Converted


def revenue_in(connection: Connection, base: str, conditions: Iterable[ColumnElement[bool]] = ()) -> list[Line]:
    """Net amounts of the ledger in one currency, in the order of their ids.

    Args:
        connection: to read from.
        base: the currency.
        conditions: which rows of the ledger.

    Raises:
        ConfigError: ``base`` is no currency.
    """
    code = base.strip().upper()
    if code not in CODES:
        raise ConfigError(f"{base!r} is no currency.", hint="Write its code, as EUR.")
    columns = sales_events.c
    rows = connection.execute(select(sales_events).where(*conditions).order_by(columns.id)).all()
    if not rows:
        return []
    days = [row.occurred_on for row in rows]
    rates = stored(connection, min(days) - timedelta(days=MOST_DAYS), max(days))
    own = _own_rates(connection, code, rows)
    return [
        Line(
            row.id,
            row.profile_id,
            row.platform,
            row.event_type,
            row.occurred_on,
            row.currency,
            row.net_micros,
            code,
            rates.convert(to_decimal(row.net_micros), row.currency, code, row.occurred_on, own.get(row.id)),
        )
        for row in rows
    ]


def _own_rates(connection: Connection, base: str, rows: Sequence[Row[Any]]) -> Mapping[str, OwnRate]:
    found = dict[str, OwnRate]()
    for platform in PLATFORMS:
        mine = [row for row in rows if row.platform == platform.in_ledger and row.currency != base]
        if mine and platform.own_rates is not None:
            told = platform.own_rates.get()(connection, mine)
            found |= {id_: OwnRate(*one) for id_, one in told.items()}
    return found


def as_table(lines: Sequence[Line]) -> pa.Table:
    """An Arrow table, a row for each line; money as in the datasets."""
    import pyarrow as pa

    text, money, day = pa.string(), pa.decimal128(24, 6), pa.date32()
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "id": (text, [line.id for line in lines]),
        "profile_id": (text, [line.profile_id for line in lines]),
        "platform": (text, [line.platform for line in lines]),
        "event_type": (text, [line.event_type for line in lines]),
        "occurred_on": (day, [line.occurred_on for line in lines]),
        "currency": (text, [line.currency for line in lines]),
        "net": (money, [to_decimal(line.net_micros) for line in lines]),
        "base": (text, [line.base for line in lines]),
        "net_in_base": (money, [line.converted.amount for line in lines]),
        "rate": (pa.decimal128(28, 10), [line.converted.rate for line in lines]),
        "rate_on": (day, [line.converted.rate_on for line in lines]),
        "rate_source": (text, [line.converted.source or None for line in lines]),
        "missing": (text, [line.converted.missing or None for line in lines]),
    }
    return pa.table({name: pa.array(values, type=kind) for name, (kind, values) in columns.items()})
