"""What a platform says of the personal data in its tables, for erasure, export and retention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table


@dataclass(frozen=True, slots=True)
class Buyers:
    """The columns of a table that tell who bought. The amounts are in other columns and stay.

    Attributes:
        table: has a row for each sale or membership.
        address_hash: the column with the keyed hash of the buyer's address.
        blank: what the row says of a forgotten buyer.
        known: rows that still tell something of a buyer.
        last_used: when the row was last of use; ``KEEP_BUYERS_DAYS`` counts from it.
        over: rows whose buyer may be forgotten by time; all where it is None.
        kept: rows that an erasure of the buyer leaves as they are, because the buyer is a profile here.
    """

    table: Table
    address_hash: ColumnElement[Any]
    blank: Mapping[str, Any]
    known: ColumnElement[bool]
    last_used: ColumnElement[Any]
    over: ColumnElement[bool] | None = None
    kept: ColumnElement[bool] | None = None


@dataclass(frozen=True, slots=True)
class Personal:
    """What an erasure does with the tables of a platform. Each of them is named in ``deleted`` or ``kept``.

    Attributes:
        deleted: tables whose rows of a profile go with it.
        owners: columns that name the profile of a row, by table, where that isn't ``profile_id`` alone. A row goes
            with the first one; the others are emptied, with what ``released`` says.
        released: what a row says when its second owner is erased, by table.
        buyers: columns that tell who bought.
        kept: tables that hold nothing of a profile's.
        ids_name_things: whether ``external_id`` of the ledger's rows names what was sold, and is blanked.
    """

    deleted: tuple[Table, ...]
    owners: Mapping[Table, tuple[ColumnElement[Any], ...]] = field(
        default_factory=dict[Table, tuple[ColumnElement[Any], ...]]
    )
    released: Mapping[Table, Mapping[str, Any]] = field(default_factory=dict[Table, Mapping[str, Any]])
    buyers: tuple[Buyers, ...] = ()
    kept: tuple[Table, ...] = ()
    ids_name_things: bool = False
