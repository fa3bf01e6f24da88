"""From a platform's object to a row of a declared table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from creator_pipeline.core.json_fields import FieldReader, Json
from creator_pipeline.core.secrets import KeyRing, without_addresses
from creator_pipeline.store.table_streams import Field, TableStream

_INTEGER = 2**31 - 1
_BIGINT = 2**63 - 1

Row = dict[str, Any]
"""Column to value."""


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes the rows of one profile.

    Attributes:
        stream: the declaration.
        fields: reads the platform's objects.
        ring: hashes addresses.
        forgotten: hashes of persons of whom nothing is kept.
        profile_id: the owner.
        moment: of the reading.
    """

    stream: TableStream
    fields: FieldReader
    ring: KeyRing
    forgotten: Collection[str]
    profile_id: str
    moment: datetime

    def row(self, item: Json, parent: Mapping[str, str]) -> Row:
        """The row of an object.

        Args:
            item: as the platform shows it.
            parent: values of what it was listed by.

        Raises:
            DataError: a field isn't what it should be.
        """
        row: Row = {"profile_id": self.profile_id}
        for one in self.stream.fields:
            row[one.name] = self._value(one, item, parent)
        address = self.stream.address
        if address and row[address.name] in self.forgotten:
            row |= dict.fromkeys(self.stream.of_buyer)
        return row | {"first_seen_at": self.moment, "ingested_at": self.moment, "removed_at": None}

    def key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """What names a row of the profile."""
        return tuple(row[name] for name in self.stream.key)

    def _value(self, one: Field, item: Json, parent: Mapping[str, str]) -> Any:
        if one.parent:
            return parent[one.name]
        value = one.read(item, parent) if one.read else self._plain(one, item)
        if value is None and not one.null:
            raise self.fields.bad(self.stream.name, item, one.path or one.name, one.kind)
        return value

    def _plain(self, one: Field, item: Json) -> Any:
        what, (holder, key) = self.stream.name, _inside(item, one.path or one.name)
        if one.kind == "flag":
            return self.fields.optional_flag(what, holder, key)
        if holder.get(key) is None:
            return None
        match one.kind:
            case "whole":
                return self.fields.whole(what, holder, key, _INTEGER)
            case "micros":
                return self.fields.whole(what, holder, key, _BIGINT)
            case "time":
                return self.fields.time(what, holder, key)
            case "day":
                return self.fields.time(what, holder, key).date()
            case "address":
                told = self.fields.optional_text(what, holder, key)
                return self.ring.hash_address(told) if told else None
            case _:
                return self._text(one, holder, key)

    def _text(self, one: Field, holder: Json, key: str) -> str | None:
        value = holder[key]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        found = self.fields.optional_text(self.stream.name, holder, key)
        return found if found is None or one.name in self.stream.key else without_addresses(found)


def _inside(item: Json, path: str) -> tuple[Json, str]:
    """The object that holds the last key of a path; an empty one where the way to it ends."""
    *way, key = path.split(".")
    for name in way:
        found = item.get(name)
        item = cast("Json", found) if isinstance(found, dict) else {}
    return item, key
