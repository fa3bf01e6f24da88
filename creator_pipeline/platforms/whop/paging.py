"""The pages of a list of Whop's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.whop.answers import Json, next_cursor, rows


def all_pages(path: str, ask: Callable[[Json], Json]) -> Iterator[list[Json]]:
    """The pages of a list, asked for one by one.

    Args:
        path: of the list.
        ask: (parameters that name the page) to the answer.

    Raises:
        DataError: a cursor came twice, or an answer lacks its rows or its cursor.
    """
    cursors, more = set[str](), Json()
    while True:
        body = ask(more)
        yield rows(path, body)
        cursor = next_cursor(path, body)
        if cursor is None:
            return
        if cursor in cursors:
            raise DataError(
                f"Whop {path}: the cursor {cursor} came twice.",
                hint="Nothing was written. Run it again; if it stays, the API has changed.",
                column="page_info.end_cursor",
            )
        cursors.add(cursor)
        more = {"after": cursor}
