"""``creator-pipeline migrate``."""

from __future__ import annotations

import click

from creator_pipeline.runtime.context import warehouse
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import translated


@click.command("migrate")
@click.option("--to", "revision", default="head", show_default=True, help="Revision to go to.")
@click.option("--down", is_flag=True, help="Go back to REVISION instead.")
def command(revision: str, *, down: bool) -> None:
    """Bring the warehouse's tables up to date. Everything else does this by itself on first use."""
    stored = warehouse()
    with translated(stored.engine):
        if down:
            migrate.downgrade(stored.engine, revision)
            click.echo(f"The warehouse is at revision {revision}.")
        elif migrate.upgrade(stored.engine, revision):
            click.echo(f"The warehouse is at revision {migrate.HEAD if revision == 'head' else revision} now.")
            if revision == "head" and _has_ledger():
                click.echo("Rows of the ledger are those of the release before: creator-pipeline books rebuild")
        else:
            click.echo(f"The warehouse is at revision {migrate.HEAD} already.")


def _has_ledger() -> bool:
    from sqlalchemy import select

    from creator_pipeline.store.tables import sales_events

    with warehouse().read() as connection:
        return connection.execute(select(sales_events.c.id).limit(1)).first() is not None
