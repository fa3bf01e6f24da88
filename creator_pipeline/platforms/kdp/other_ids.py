"""Further ids of a book: the ISBN of an ASIN, and the other way round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from creator_pipeline.store.tables import kdp_royalties


def other_ids(connection: Connection, profile_id: str) -> Mapping[str, set[str]]:
    """Id of a book to its others.

    Args:
        connection: to the warehouse.
        profile_id: whose books.
    """
    table, found = kdp_royalties.c, defaultdict[str, set[str]](set)
    asked = select(table.asin, table.isbn).where(
        table.profile_id == profile_id, table.asin.is_not(None), table.isbn.is_not(None)
    )
    for asin, isbn in connection.execute(asked.distinct()):
        found[asin].add(isbn)
        found[isbn].add(asin)
    return found
