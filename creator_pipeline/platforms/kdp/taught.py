"""Headers that a person taught: kept for the whole installation, and handed to whatever reads a file."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, inspect, select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.kdp.columns import normal, spelling
from creator_pipeline.platforms.kdp.evidence import CLASS_OF
from creator_pipeline.store.engine import Warehouse, connect_as_is
from creator_pipeline.store.tables import kdp_headers

ROLES = tuple(CLASS_OF)
"""What a column can be."""


def taught_headers(warehouse: Warehouse) -> dict[str, str]:
    """Header in normal form -> our name of the column."""
    with warehouse.read() as connection:
        return _all(connection)


def taught_as_is(url: str) -> dict[str, str]:
    """The same of a warehouse that may not be there yet: nothing is made."""
    with connect_as_is(url) as connection:
        if connection is None or not inspect(connection).has_table(kdp_headers.name):
            return {}
        return _all(connection)


def _all(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(kdp_headers.c.header, kdp_headers.c.role))
    return {header: role for header, role in rows if role in CLASS_OF}


def role_of(word: str) -> str:
    """Our name of a column, by that name or by KDP's English header.

    Raises:
        ConfigError: there is no such column.
    """
    form = normal(word)
    found = next((role for role in ROLES if form in {role, normal(spelling(role))}), None)
    if found is None:
        raise ConfigError(f"There is no column {word!r}.", hint=f"One of: {', '.join(ROLES)}.")
    return found


def teach(warehouse: Warehouse, answers: Mapping[str, str]) -> None:
    """Keep what a person said of headers; a later answer replaces an earlier one."""
    moment = now()
    rows = [{"header": normal(header), "role": role, "taught_at": moment} for header, role in answers.items()]
    with warehouse.write() as connection:
        connection.execute(delete(kdp_headers).where(kdp_headers.c.header.in_([row["header"] for row in rows])))
        connection.execute(insert(kdp_headers), rows)
