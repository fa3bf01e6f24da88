"""Rows of a dataset as an Arrow table: exact decimals, aware UTC, never a float."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, ColumnElement, Connection, Date, Integer, select

from creator_pipeline.core.money import to_decimal
from creator_pipeline.datasets.declared import Dataset
from creator_pipeline.store.types import UtcDateTime

if TYPE_CHECKING:
    import pyarrow as pa

MICROS = "_micros"
"""Ends the name of a column of the warehouse that holds millionths; the dataset's column is called without it."""
_IN_UNITS = "in units of the currency"
DECIMAL = (24, 6)
"""Digits and decimals of money: all that 64 bits hold, and room for sums."""


class Field(NamedTuple):
    """A column of a dataset.

    Attributes:
        name: of the column.
        type: decimal, text, integer, boolean, date or timestamp.
        about: what it holds, for people.
    """

    name: str
    type: str
    about: str

    @property
    def arrow(self) -> pa.DataType:
        """Its type in Arrow and Parquet."""
        import pyarrow as pa

        types = {
            "decimal": pa.decimal128(*DECIMAL),
            "text": pa.string(),
            "integer": pa.int64(),
            "boolean": pa.bool_(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }
        return types[self.type]


def fields(dataset: Dataset) -> list[Field]:
    """The columns of a dataset, in order; what they hold is said in the warehouse's tables."""
    return [_field(column) for column in dataset.statement().selected_columns]


def _field(column: ColumnElement[Any]) -> Field:
    about: str = getattr(getattr(column, "element", column), "comment", None) or "Name of the platform"
    about = about.replace("price_micros", "price").replace("in millionths of the currency's unit", _IN_UNITS)
    name = str(getattr(column, "name", ""))
    if name.endswith(MICROS):
        return Field(name.removesuffix(MICROS), "decimal", about)
    kinds = {BigInteger: "integer", Integer: "integer", Boolean: "boolean", Date: "date", UtcDateTime: "timestamp"}
    return Field(name, next((word for kind, word in kinds.items() if isinstance(column.type, kind)), "text"), about)


def schema(dataset: Dataset) -> pa.Schema:
    """The Arrow schema of a dataset; each field carries its description."""
    import pyarrow as pa

    return pa.schema([pa.field(one.name, one.arrow, metadata={"description": one.about}) for one in fields(dataset)])


def rows(
    connection: Connection,
    dataset: Dataset,
    *,
    since: date | None = None,
    until: date | None = None,
    only: Iterable[tuple[str, str]] = (),
) -> list[tuple[Any, ...]]:
    """Rows of a dataset as the warehouse holds them, money in micros, in the order of their key.

    Args:
        connection: to read from.
        dataset: which table.
        since: first UTC day; None for the beginning.
        until: the UTC day after the last one; None for the end.
        only: (column, value) that a row must have.
    """
    table = dataset.statement().subquery()
    columns = table.c
    conditions = [columns[name] == value for name, value in only]
    if dataset.day and (since or until):
        day = columns[dataset.day]
        moments = isinstance(day.type, UtcDateTime)
        conditions += [] if since is None else [day >= (_midnight(since) if moments else since)]
        conditions += [] if until is None else [day < (_midnight(until) if moments else until)]
    statement = select(table).where(*conditions).order_by(*(columns[name] for name in dataset.key))
    return [tuple(row) for row in connection.execute(statement)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def as_table(dataset: Dataset, found: list[tuple[Any, ...]]) -> pa.Table:
    """An Arrow table of rows as :func:`rows` gives them."""
    import pyarrow as pa

    declared, columns = fields(dataset), list(zip(*found, strict=True)) or [()] * len(fields(dataset))
    arrays = [
        pa.array([_money(value) for value in values] if one.type == "decimal" else values, type=one.arrow)
        for one, values in zip(declared, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema(dataset))


def _money(micros: int | None) -> Any:
    return None if micros is None else to_decimal(micros)
