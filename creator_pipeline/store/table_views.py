"""Views by declaration: tables of a platform that follow without doubt from rows that are stored anyway.

The database makes a view's rows when they are asked for, so that they are never older than what they follow from, and
an erasure has nothing to delete. A revision creates the view; the declaration names its columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Column, MetaData, Table

from creator_pipeline.core.declared import Place, caller
from creator_pipeline.store.table_streams import Field, column_of
from creator_pipeline.store.types import PlainText

VIEWS = MetaData()
"""The views as tables to read. They are apart from the tables, which alone are created and compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableView:
    """A view of a platform, by declaration. Its asset is ``PLATFORM/NAME``, its name ``PLATFORM_NAME``.

    Attributes:
        platform, name: of the asset.
        about: what a row is, in a sentence for people.
        follows: key of the asset whose rows it is made of.
        rule: how its rows are chosen, in sentences for people.
        fields: the columns after ``profile_id``.
        key: columns that name a row of a profile.
        table: made of all this, to read from.
        declared: where that is.
    """

    platform: str
    name: str
    about: str
    follows: str
    rule: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    table: Table = field(init=False)
    declared: Place = field(init=False)

    def __post_init__(self) -> None:
        made = Table(
            f"{self.platform}_{self.name}",
            VIEWS,
            Column("profile_id", PlainText, primary_key=True, comment="Owner"),
            *(column_of(each, key=False) for each in self.fields),
            comment=f"{self.about} {self.rule}",
        )
        object.__setattr__(self, "table", made)
        # Above this stands the method that the dataclass makes.
        object.__setattr__(self, "declared", caller(2))

    @property
    def asset(self) -> str:
        """Its asset's key, as ``STREAMS`` names it."""
        return f"{self.platform}/{self.name}"
