"""``creator-pipeline move``."""

from __future__ import annotations

import click
import httpx
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime import move_history
from creator_pipeline.runtime.context import instance, key_ring, warehouse
from creator_pipeline.settings import Settings
from creator_pipeline.store import move
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import platform_connections

_GATEWAY_SECONDS = 3.0
_SHOWN = 5


@click.command("move")
@click.option(
    "--to", "url", required=True, metavar="URL", help="The new warehouse: postgresql://user:password@host/name."
)
@click.option("--dagster-to", "dagster_url", metavar="URL", help="Dagster's new storage; without it that stays.")
def command(url: str, dagster_url: str | None) -> None:
    """Copy this installation into an empty PostgreSQL, compare both, and say what to set.

    Everything is stopped for it. Nothing of the old one is changed. Killed in the middle, run it again.
    """
    config = settings.load()
    if dagster_url and dagster_url == url:
        raise ConfigError("--to and --dagster-to are one database.", hint="Dagster's storage wants one of its own.")
    if dagster_url and config.dagster_postgres_url is not None:
        raise ConfigError("Dagster's storage is in PostgreSQL already.", hint="Copy it by pg_dump and pg_restore.")
    stored, target = warehouse(), open_warehouse(url)
    with instance() as dagster:
        move_history.require_quiet(dagster)
        _require_no_gateway(config, stored)
        moved = move.move(stored, target)
        for name, count in sorted(moved.rows.items()):
            click.echo(f"{name:28}{count:>12}")
        rows = number(sum(moved.rows.values()), "row")
        done = "were copied and are the same on both sides" if moved.copied else "were there already and are the same"
        click.echo(f"{rows} of {number(len(moved.rows), 'table')} {done}.")
        if dagster_url:
            found = move_history.move_history(dagster, dagster_url, [one.partitions_name for one in PLATFORMS])
            click.echo(
                f"Dagster: {number(found.partitions, 'key')} of partitions, {number(found.landed, 'event')} of what "
                f"has landed, {number(found.switches, 'switch', 'switches')}. Its runs and logs stay in DAGSTER_HOME."
            )
    _say_tokens(target)
    click.echo("Now set, for every process, and start them again:")
    click.echo("  DATABASE_URL to the address of --to")
    if dagster_url:
        click.echo("  DAGSTER_POSTGRES_URL to the address of --dagster-to")
    click.echo("  APP_SECRET_KEYS as before; where it was not set, keep DAGSTER_HOME/app_secret_keys")


def _require_no_gateway(config: Settings, stored: Warehouse) -> None:
    """Refuse while deliveries are taken: they would be stored in the old warehouse.

    Raises:
        ConfigError: a gateway answers at PUBLIC_URL, or another process has the warehouse's file open.
    """
    hint = "Stop every process: the platforms send again what they could not deliver."
    if others := move.who_has_it_open(stored):
        raise ConfigError(f"The warehouse is in use by {', '.join(others[:_SHOWN])}.", hint=hint)
    try:
        answer = httpx.get(f"{config.public_url}/healthz", timeout=_GATEWAY_SECONDS)
    except httpx.HTTPError:
        return
    if answer.is_success:
        raise ConfigError(f"A gateway answers at {config.public_url}.", hint=hint)


def _say_tokens(stored: Warehouse) -> None:
    ring, unreadable = key_ring(), list[str]()
    table = platform_connections.c
    with stored.read() as connection:
        rows = connection.execute(select(table.profile_id, table.access_token).where(table.access_token.is_not(None)))
        for profile_id, token in rows:
            try:
                ring.decrypt(token)
            except ConfigError:
                unreadable.append(profile_id)
    if unreadable:
        click.echo(f"Tokens that no key here can read: {', '.join(sorted(set(unreadable)))}.", err=True)
