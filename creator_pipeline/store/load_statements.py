"""The statements of a load, built once for each table: to build them anew took longer than to execute them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, MetaData, Select, Table, and_, case, exists, func, select
from sqlalchemy.schema import CreateTable

from creator_pipeline.store.upserts import insert_for

STAMPS = frozenset({"ingested_at"})
"""Columns that say when a row changed, so they can't be what changed."""
KEPT = frozenset({"first_seen_at", "since"})
"""Columns that keep the value of the first load."""

_once = lru_cache(maxsize=128)


@_once
def stage_of(table: Table, *, postgres: bool) -> tuple[Table, str]:
    """The stage of a table, and the statement that makes it: the same object each time keeps statements compiled."""
    indexed = not postgres
    stage = Table(
        f"stage_{table.name}",
        MetaData(),
        # PostgreSQL joins an unindexed stage by hashing; SQLite would compare every row with every row.
        *(
            Column(column.name, column.type, primary_key=column.primary_key and indexed, nullable=True)
            for column in table.c
        ),
        prefixes=["TEMPORARY"],
    )
    if indexed:
        from sqlalchemy.dialects.sqlite import dialect as sql
    else:
        from sqlalchemy.dialects.postgresql import dialect as sql
    return stage, str(CreateTable(stage).compile(dialect=sql()))


@_once
def same_key(table: Table, stage: Table) -> ColumnElement[bool]:
    """Whether a row of the table and one of its stage have one key."""
    return and_(*(stage.c[column.name] == column for column in table.primary_key))


@_once
def same_content(table: Table, stage: Table) -> ColumnElement[bool]:
    """Whether nothing else differs that a load may change."""
    names = [column.name for column in table.c if not column.primary_key and column.name not in STAMPS | KEPT]
    return and_(*(table.c[name].is_not_distinct_from(stage.c[name]) for name in names))


@_once
def known_and_equal(table: Table, stage: Table) -> Select[int, Any]:
    """How many staged rows have a key that the table has, and how many of them are equal; None where there is none."""
    equal = func.sum(case((same_content(table, stage), 1), else_=0))
    return select(func.count(), equal).select_from(stage.join(table, same_key(table, stage)))


@_once
def missing(table: Table, stage: Table) -> ColumnElement[bool]:
    """Whether the stage has no row with the key of the table's."""
    return ~exists(select(1).select_from(stage).where(same_key(table, stage)))


@_once
def written_of(table: Table, stage: Table, *, postgres: bool) -> Any:
    """The INSERT of the staged rows that differ, over those of their key."""
    # Equal rows are left out here and not by ON CONFLICT, which would lock, and so write, each of them.
    equal = exists(select(1).select_from(table).where(same_key(table, stage), same_content(table, stage)))
    statement = insert_for(table, postgres=postgres).from_select(table.c.keys(), select(stage).where(~equal))
    changed = [column.name for column in table.c if not column.primary_key and column.name not in KEPT]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={name: statement.excluded[name] for name in changed}
    )
