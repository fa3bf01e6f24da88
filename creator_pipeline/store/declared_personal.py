"""What the rows of declared tables tell of persons, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table

from creator_pipeline.store.personal import Buyers
from creator_pipeline.store.table_streams import TableStream


def tables_of(streams: Iterable[TableStream]) -> tuple[Table, ...]:
    """Their tables, whose rows go with their profile."""
    return tuple(stream.table for stream in streams)


def buyers_of(streams: Iterable[TableStream]) -> tuple[Buyers, ...]:
    """What their rows tell of persons."""
    return tuple(
        Buyers(
            stream.table,
            stream.table.c[stream.address.name],
            dict.fromkeys(stream.of_buyer),
            known=stream.table.c[stream.address.name].is_not(None),
            last_used=stream.table.c[stream.last_used],
        )
        for stream in streams
        if stream.address
    )
