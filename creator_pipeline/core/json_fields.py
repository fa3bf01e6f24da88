"""Typed readers of the fields of a platform's JSON objects, and the text of an object as it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeGuard, cast

import orjson

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.secrets import without_addresses
from creator_pipeline.core.windows import aware_utc

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Reads fields of one platform's objects; each reader raises DataError for a value that is not what it should be.

    The readers take the kind of the object (``sale``), for the error, then the object and the key.

    Attributes:
        platform: its name as people write it.
        hint: of the error.
        absent_is_null: whether an optional field may be left out; else its key must be there.
        shows_values: whether the error quotes the value: only where no field that is read can be personal.
    """

    platform: str
    hint: str
    absent_is_null: bool = False
    shows_values: bool = False

    def bad(self, what: str, item: Json, key: str, expected: str) -> DataError:
        """The error of a field that is missing or not what it should be.

        Args:
            what: kind of the object (``sale``).
            item: the object; the error names its ``id``.
            key: of the field.
            expected: what should have been there, in words.
        """
        value = item.get(key)
        found = "nothing" if value is None else type(value).__name__
        return DataError(
            f"A {self.platform} {what} ({item.get('id')}) has no usable {key}.",
            hint=self.hint,
            column=key,
            found=f"{found} {str(value)[:40]!r}" if self.shows_values and value is not None else found,
            expected=expected,
        )

    def text(self, what: str, item: Json, key: str) -> str:
        """A text that is not empty.

        Raises:
            DataError: it is missing, empty or no text.
        """
        value = item.get(key)
        if not isinstance(value, str) or not value:
            raise self.bad(what, item, key, "text")
        return value

    def optional_text(self, what: str, item: Json, key: str) -> str | None:
        """A text or null.

        Raises:
            DataError: it is neither, or its key is missing and ``absent_is_null`` is False.
        """
        value = item.get(key)
        if isinstance(value, str):
            return value
        if value is None and self._may_be_null(item, key):
            return None
        raise self.bad(what, item, key, "text or null")

    def time(self, what: str, item: Json, key: str) -> datetime:
        """An ISO time with its zone, as aware UTC.

        Raises:
            DataError: it is missing or no ISO time, has no zone, or is outside the years 1 to 9999 in UTC.
        """
        try:
            return aware_utc(self.text(what, item, key))
        except ValueError:
            raise self.bad(what, item, key, "an ISO time with its zone") from None

    def optional_time(self, what: str, item: Json, key: str) -> datetime | None:
        """An ISO time with its zone, as aware UTC, or null."""
        return None if self.optional_text(what, item, key) is None else self.time(what, item, key)

    def flag(self, what: str, item: Json, key: str) -> bool:
        """True or false.

        Raises:
            DataError: it is missing or neither of them.
        """
        value = item.get(key)
        if not isinstance(value, bool):
            raise self.bad(what, item, key, "true or false")
        return value

    def optional_flag(self, what: str, item: Json, key: str) -> bool:
        """True or false; null is false.

        Raises:
            DataError: it is neither, or its key is missing and ``absent_is_null`` is False.
        """
        value = item.get(key)
        if isinstance(value, bool):
            return value
        if value is None and self._may_be_null(item, key):
            return False
        raise self.bad(what, item, key, "true or false")

    def whole(self, what: str, item: Json, key: str, most: int, expected: str = "a whole number") -> int:
        """A whole number.

        Args:
            what: kind of the object, for the error.
            item: the object.
            key: of the field.
            most: the largest amount of it, of either sign.
            expected: what should have been there, for the error.

        Raises:
            DataError: it is missing, no whole number, or larger than ``most``.
        """
        value = item.get(key)
        if not is_whole(value, most):
            raise self.bad(what, item, key, expected)
        return value

    def decimal_micros(self, what: str, item: Json, key: str) -> int:
        """A JSON number in units of a currency, in micros.

        A float's repr is the shortest text that reads back as the same float: what the server wrote, up to 15 digits.

        Raises:
            DataError: it is missing, no number, not finite, or more than a million million units.
        """
        value = item.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(what, item, key, "a number")
        try:
            return from_decimal(Decimal(repr(value)))
        except ValueError:
            raise self.bad(what, item, key, "a number") from None

    def _may_be_null(self, item: Json, key: str) -> bool:
        return self.absent_is_null or key in item


def is_whole(value: object, most: int) -> TypeGuard[int]:
    """Whether a value is a whole number of at most this amount."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= most


def unknown_keys(items: Iterable[Json], known: frozenset[str]) -> frozenset[str]:
    """Keys of objects that are not among the known ones."""
    return frozenset(key for item in items if not known.issuperset(item) for key in item.keys() - known)


def stored(item: Json, known: frozenset[str], dropped: frozenset[str], *, ordered: bool = False) -> str:
    """The JSON of an object as it is kept: an unknown field may hold a buyer's address, which is cleaned out of it.

    Args:
        item: the object.
        known: keys whose values are kept as they are.
        dropped: keys that are left out.
        ordered: whether keys are sorted.

    Raises:
        DataError: it is nested deeper than can be written.
    """
    left = _without(item, dropped)
    if not known.issuperset(left):
        for key in left.keys() - known:
            left[key] = _without_addresses(left[key])
    return dumps(left, ordered=ordered)


def stored_as_known(item: Json, dropped: frozenset[str]) -> str:
    """:func:`stored` of an object all of whose keys are known.

    Args:
        item: the object.
        dropped: keys that are left out.

    Raises:
        DataError: it is nested deeper than can be written.
    """
    return dumps(_without(item, dropped))


def _without(item: Json, dropped: frozenset[str]) -> Json:
    left = item.copy()
    for key in dropped:  # a third of the time of a comprehension, which would ask for each of the object's keys
        left.pop(key, None)
    return left


def dumps(value: Any, *, ordered: bool = False) -> str:
    """Text of a JSON value that a platform sent.

    Args:
        value: the value.
        ordered: whether keys are sorted.

    Raises:
        DataError: it is nested deeper than can be written.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else None).decode()
    except orjson.JSONEncodeError as error:
        raise DataError(f"An object of an answer can't be stored: {error}.", hint="Nothing was written.") from None


def _without_addresses(value: Any) -> Any:
    # Value by value: in the text of the JSON an escape such as \\n runs into the address behind it.
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, list):
        return [_without_addresses(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {without_addresses(key): _without_addresses(each) for key, each in cast("Json", value).items()}
    return value
