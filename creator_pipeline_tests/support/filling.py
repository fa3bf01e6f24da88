"""A row of a profile in every table, made from the tables themselves: a table of tomorrow is in it by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, Integer, Table, insert

from creator_pipeline.store.tables import metadata
from creator_pipeline.store.types import UtcDateTime

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OWNERS = {"profile_id", "account_profile_id"}
NOBODYS = {"erased_buyers", "fx_rates", "kdp_headers"}
"""Tables without a row of a profile's."""


def address(profile_id: str) -> str:
    """Its mailbox, in capitals that the tables needn't have kept."""
    return f"{profile_id.capitalize()}@example.com"


def fill(connection: Connection, profile_id: str) -> None:
    """One row in each table that can be a profile's, each text of it naming the profile."""
    for table in metadata.sorted_tables:
        if table.name not in NOBODYS:
            connection.execute(insert(table).values({c.name: _value(table, c, profile_id) for c in table.columns}))


def _value(table: Table, column: Column[Any], profile_id: str) -> Any:
    name = column.name
    if name in OWNERS or (table.name == "profiles" and name == "id"):
        return profile_id
    if name in {"email", "to"}:
        return address(profile_id).lower() if table.name == "email_suppressions" else address(profile_id)
    if table.name == "sales_events" and name in {"id", "platform", "external_id", "currency", "event_type"}:
        told = {
            "id": f"amazon_kdp:{profile_id}:x:1",
            "platform": "amazon_kdp",
            "external_id": f"2026|book-of-{profile_id}",
        }
        return told.get(name, "USD")
    if table.name in {"daily_revenue", "ledger_changes"} and name in {"platform", "currency", "change_id"}:
        return "amazon_kdp" if name == "platform" else "USD"
    if table.name == "health_reports" and name == "id":
        return f"connection/gumroad/{profile_id}"
    if name in {"payload", "raw"}:
        return f'{{"of": "{profile_id}"}}'
    for kind, value in (
        (Boolean, False),
        (Date, date(2026, 1, 2)),
        (UtcDateTime, MOMENT),
        (Integer, 7),
        (BigInteger, 7),
    ):
        if isinstance(column.type, kind):
            return value
    return f"of-{profile_id}"
