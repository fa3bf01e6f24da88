"""``creator-pipeline profiles list --late``: the late lines of the view ``sync_status``."""

from __future__ import annotations

import json

import click
from sqlalchemy import text

from creator_pipeline.store.engine import Warehouse

_LATE = text(
    "SELECT profile_id, platform, connection, last_success, expected_by, late_since, reason, hint FROM sync_status "
    "WHERE late_since IS NOT NULL ORDER BY late_since, platform, profile_id"
)


def show_late(stored: Warehouse, *, as_json: bool) -> None:
    """Print who is late, since when, and why."""
    with stored.read() as connection:
        rows = [dict(row) for row in connection.execute(_LATE).mappings()]
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    for row in rows:
        since = str(row["late_since"])[:16]
        click.echo(f"{row['profile_id']:20} {row['platform']:12} late since {since} UTC  {row['reason']}")
        if row["hint"]:
            click.echo(f"{'':20} {'':12} → {row['hint']}")
    if not rows:
        click.echo("Nobody is late.")
