"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, UserDefinedType


class PlainText(TypeDecorator[str]):
    """Text that both databases take: NUL, which PostgreSQL refuses, is stored and looked for as U+FFFD.

    COPY's escapes do the same, so a row is the same whichever way it came.
    """

    impl = Text
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        """What a value is here."""
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base's
        """To the driver."""
        return value.replace("\0", "\ufffd") if value and "\0" in value else value


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; ``timestamptz`` on PostgreSQL, naive UTC text on SQLite. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the driver.

        Raises:
            ValueError: the time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the driver."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class ExactNumber(UserDefinedType[Decimal]):
    """A number with digits after the point, of a view: ``numeric`` on PostgreSQL, text on SQLite, ``Decimal`` here."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name."""
        return "NUMERIC"

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - the base's
        """From the driver."""

        def read(value: Any) -> Decimal | None:
            return None if value is None else Decimal(str(value))

        return read
