"""Tables by declaration: what a plain table of a platform is, as data. :mod:`creator_pipeline.runtime.table_assets`
makes assets; tables, erasure, docs and the doctor's lines follow too. What a declaration doesn't name is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, Integer, Table

from creator_pipeline.core.declared import Place, caller
from creator_pipeline.store.tables import metadata
from creator_pipeline.store.types import ExactNumber, PlainText, UtcDateTime

Json = Mapping[str, Any]
Kind = Literal["text", "address", "whole", "flag", "time", "day", "micros", "ratio"]
_TYPES: Mapping[Kind, Any] = {
    "text": PlainText,
    "address": PlainText,
    "whole": Integer,
    "flag": Boolean,
    "time": UtcDateTime,
    "day": Date,
    "micros": BigInteger,
    "ratio": ExactNumber,
}


class ParentRow(NamedTuple):
    """An object whose rows are listed by a request of its own, as a product whose offer codes are.

    Attributes:
        values: what the path of the request and the fields of its rows need of it; its key first.
        hint: differs where its rows may differ; empty where nothing tells.
    """

    values: Mapping[str, str]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Parents:
    """The objects whose rows are listed by a request each, and how many of these requests a night takes.

    Attributes:
        rows: (connection, profile id) to those that there are now; the API isn't asked.
        columns: of the table, which name the parent of a row.
        again: after which time one is read again, though nothing tells that it changed; always where it is None.
        a_night: how many of these at most, the oldest first.
        follows: the asset that the parents come from; empty where they are always the same.
    """

    rows: Callable[[Connection, str], Sequence[ParentRow]]
    columns: tuple[str, ...]
    follows: str = ""
    again: timedelta | None = None
    a_night: int = 1


@dataclass(frozen=True, slots=True)
class Turns:
    """A list that isn't read each night: it takes turns with others of its platform, the one read longest ago first.

    Attributes:
        streams: names of those that take turns.
        lists: of them all; one can have several.
        a_night: how many of these at most.
        pages: of a long list at most, in one turn, beyond those that are new.
    """

    streams: tuple[str, ...]
    lists: int
    a_night: int
    pages: int = 1

    @property
    def nights(self) -> int:
        """After so many each list is read again."""
        return -(-self.lists // self.a_night)


@dataclass(frozen=True, slots=True)
class Single:
    """The request that reads one row by its id, for rows that a list no longer has and for those that a webhook names.

    Attributes:
        path: with ``{id}``.
        object_key: of the answer, where the object is; empty where the answer is it.
        still_there: (object) to whether the list should have it. A row that isn't there any more has its last state.
    """

    path: str
    object_key: str
    still_there: Callable[[Json], bool] = lambda _item: True


@dataclass(frozen=True, slots=True)
class Field:
    """A column, and where its value stands.

    Attributes:
        name: of the column.
        kind: of its values. ``address`` is stored as a keyed hash; ``micros`` needs ``read``.
        about: what it means.
        path: key of the platform's object, with dots where it lies deeper; ``name`` where it is empty.
        null: whether it may be missing.
        parent: it is told by the parent, and not by the object.
        of_buyer: it tells of a person, and goes with the hashed address when that person is forgotten.
        read: (object, the parent's values) to the value, where the object tells it in a form of its own.
    """

    name: str
    kind: Kind
    about: str
    path: str = ""
    null: bool = False
    parent: bool = False
    of_buyer: bool = False
    read: Callable[[Json, Mapping[str, str]], Any] | None = None

    @property
    def key(self) -> str:
        """The key of the object that the value stands in."""
        return (self.path or self.name).partition(".")[0]


def column_of(each: Field, *, key: bool) -> Column[Any]:
    """The column of a field."""
    unit = ", in millionths of the currency's unit" if each.kind == "micros" else ""
    null = each.null and not key
    return Column(each.name, _TYPES[each.kind], primary_key=key, nullable=null, comment=each.about + unit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableStream:
    """A table of a platform, by declaration. Its asset is ``PLATFORM/NAME``, its table ``PLATFORM_NAME``.

    Attributes:
        platform, name: of the asset.
        about: what a row is, in a sentence for people.
        path: of the list, with the parent's values in braces.
        list_key: of the answer, where the rows are.
        fields: the columns. Beside them stand ``profile_id``, ``first_seen_at``, ``ingested_at`` and ``removed_at``.
        key: columns that name a row of a profile.
        personal: keys of an object that tell of a person, and are dropped.
        left_out: keys of an object that are of no use.
        asked: parameters of the list, their names with the parent's values in braces.
        in_pages: parameters that split the list into pages, for when the server can't give it as one in time.
        parents: None where one list has all rows of an account.
        single, scope: None where a row can't be read by itself; what the token needs, empty where every token reads it.
        webhooks: the platform's words for events after which the named rows are read again.
        turns: None where it is read each night.
        newest_first: column with the time by which the list is ordered, newest first, and which it can be asked for by
            ``created_before``. Its end is then read bit by bit, what is new at each turn. Needs ``single``.
        told_by: job that reads the list each night anyway, and stores its rows here.
        last_used: column with the time from which ``KEEP_BUYERS_DAYS`` counts.
        table: made of all this.
        declared: where that is.
    """

    platform: str
    name: str
    about: str
    path: str
    list_key: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ("id",)
    personal: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict[str, str])
    in_pages: Mapping[str, str] = field(default_factory=dict[str, str])
    parents: Parents | None = None
    single: Single | None = None
    scope: str = ""
    webhooks: tuple[str, ...] = ()
    turns: Turns | None = None
    newest_first: str = ""
    told_by: str = ""
    last_used: str = "ingested_at"
    table: Table = field(init=False)
    declared: Place = field(init=False)

    def __post_init__(self) -> None:
        made = Table(
            f"{self.platform}_{self.name}",
            metadata,
            Column("profile_id", PlainText, primary_key=True, comment="Owner"),
            *(column_of(each, key=each.name in self.key) for each in self.fields),
            Column("first_seen_at", UtcDateTime, nullable=False, comment="When it was first read"),
            Column("ingested_at", UtcDateTime, nullable=False, comment="When this version of the row was written"),
            Column("removed_at", UtcDateTime, nullable=True, comment="When the platform's list first lacked it"),
            comment=self.about,
        )
        object.__setattr__(self, "table", made)
        # Above this stands the method that the dataclass makes.
        object.__setattr__(self, "declared", caller(2))

    @property
    def asset(self) -> str:
        """Its asset's key, as ``STREAMS`` names it."""
        return f"{self.platform}/{self.name}"

    @property
    def known_keys(self) -> frozenset[str]:
        """Keys of an object that the declaration names."""
        return frozenset([*(one.key for one in self.fields if not one.parent), *self.personal, *self.left_out])

    @property
    def address(self) -> Field | None:
        """The field that holds the hash of a person's address."""
        return next((one for one in self.fields if one.kind == "address"), None)

    @property
    def of_buyer(self) -> tuple[str, ...]:
        """Columns that are emptied when the person of a row is forgotten."""
        return tuple(one.name for one in self.fields if one.of_buyer or one.kind == "address")


def text(name: str, about: str, path: str = "", *, null: bool = False, of_buyer: bool = False) -> Field:
    """A text.

    Args:
        name: of the column.
        about: what it means.
        path: of the object's key.
        null: whether it may be missing.
        of_buyer: whether it tells of a person.
    """
    return Field(name, "text", about, path, null=null or of_buyer, of_buyer=of_buyer)


def of_parent(name: str, about: str) -> Field:
    """A text that the parent tells."""
    return Field(name, "text", about, parent=True)


def address(name: str, about: str, path: str) -> Field:
    """The keyed hash of an e-mail address: the address itself reaches no table."""
    return Field(name, "address", about, path, null=True)


def whole(name: str, about: str, path: str = "", *, null: bool = False) -> Field:
    """A whole number.

    Args:
        name: of the column.
        about: what it means.
        path: of the object's key.
        null: whether it may be missing.
    """
    return Field(name, "whole", about, path, null=null)


def flag(name: str, about: str, path: str = "") -> Field:
    """True or false; what is missing is false."""
    return Field(name, "flag", about, path)


def time(name: str, about: str, path: str = "", *, null: bool = False) -> Field:
    """A moment.

    Args:
        name: of the column.
        about: what it means.
        path: of the object's key.
        null: whether it may be missing.
    """
    return Field(name, "time", about, path, null=null)


def told(name: str, kind: Kind, about: str, read: Callable[[Json, Mapping[str, str]], Any], path: str = "") -> Field:
    """A value that the object tells in a form of its own.

    Args:
        name: of the column.
        kind: of the values.
        about: what it means.
        read: (object, the parent's values) to the value; None where there is none.
        path: of the object's key that it reads.
    """
    return Field(name, kind, about, path, null=True, read=read)
