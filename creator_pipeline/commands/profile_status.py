"""``creator-pipeline profiles list``: every connection, or those of the view ``sync_status`` that are late."""

from __future__ import annotations

import json

import click
from sqlalchemy import select, text

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections
from creator_pipeline.store.tables import profiles as profiles_table

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


def show_all(stored: Warehouse, *, as_json: bool) -> None:
    """Print every profile with its connections."""
    with stored.read() as connection:
        rows = connection.execute(
            select(
                profiles_table.c.id,
                profiles_table.c.email,
                profiles_table.c.subscription_tier,
                platform_connections.c.provider,
                platform_connections.c.status,
                platform_connections.c.last_synced_at,
            )
            .select_from(
                profiles_table.outerjoin(platform_connections, platform_connections.c.profile_id == profiles_table.c.id)
            )
            .order_by(profiles_table.c.id, platform_connections.c.provider)
        ).all()
    if as_json:
        names = ("id", "email", "subscription_tier", "provider", "status", "last_synced_at")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str, indent=1))
        return
    for profile_id, email, tier, provider, status, synced in rows:
        click.echo(f"{profile_id:20} {email:30} {tier:8} {provider or '-':12} {status or '':8} {synced or ''}")
    if not rows:
        options = [platform.credential.option for platform in PLATFORMS if platform.credential]
        click.echo(f"No profile yet: creator-pipeline profiles add alice --email alice@example.com {options[0]} TOKEN")
