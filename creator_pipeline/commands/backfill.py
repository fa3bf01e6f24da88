"""``creator-pipeline backfill``."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.context import instance, warehouse

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.runtime.run_here import LoadDefinitions

PAYOUTS = "payouts"
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("backfill")
@click.argument(
    "source", type=click.Choice([*(platform.name for platform in PLATFORMS if platform.credential), PAYOUTS])
)
@click.option("--profile", "profile_id", required=True, help="Whose sales.")
@click.option("--from", "first", required=True, type=_DAY, help="First day, UTC.")
@click.option("--to", "last", required=True, type=_DAY, help="Last day, inclusive.")
@click.option("--submit", "hand_over", is_flag=True, help="Hand it to the daemon and return at once.")
@click.option("--allow-shrink", is_flag=True, help="Accept that most of what is stored goes away.")
@click.pass_obj
def command(
    load_definitions: LoadDefinitions,
    source: str,
    profile_id: str,
    first: datetime,
    last: datetime,
    *,
    hand_over: bool,
    allow_shrink: bool,
) -> None:
    """Read a range of days again and make the tables equal to it.

    Runs here and now and needs no daemon; it is recorded in Dagster all the same. Stopped in the middle, the same
    command goes on where it was and does again only what failed. PAYOUTS reads the payouts made since the first day,
    on every platform that the profile is connected to, and the ledger's rows that follow from them.
    """
    from creator_pipeline.orchestration import backfill

    if source == PAYOUTS:
        _payouts(load_definitions(), profile_id, first.date(), last.date(), hand_over=hand_over)
        return
    stored, defs = warehouse(), load_definitions()
    window = backfill.check(stored, source, profile_id, first.date(), last.date())
    with instance() as dagster:
        if hand_over:
            backfill_id = backfill.submit(defs, dagster, source, profile_id, window, allow_shrink=allow_shrink)
            click.echo(
                f"Backfill {backfill_id}: {window.days} days handed to the daemon. See Runs, Backfills in the UI."
            )
            return
        dagster.add_dynamic_partitions(backfill.parts_of(source)[0].partitions, [profile_id])
        todo = backfill.plan(stored, dagster, source, profile_id, window)
        if todo.resumed:
            click.echo(f"Resumed: {len(todo.days)} of {window.days} days are left.")
        with click.progressbar(
            length=len(todo.days), label=f"{source} {profile_id}", file=sys.stderr, show_pos=True
        ) as bar:
            failures = backfill.execute(defs, stored, dagster, todo, allow_shrink=allow_shrink, on_progress=bar.update)
    if failures:
        for line in failures:
            click.echo(line, err=True)
        click.echo("Run the same command again: it does only what is left.", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{len(todo.days)} days of {profile_id} are in the ledger ({len(todo.runs())} run).")


def _payouts(defs: dg.Definitions, profile_id: str, first: date, last: date, *, hand_over: bool) -> None:
    from creator_pipeline.orchestration import backfill_payouts

    if hand_over:
        raise click.UsageError("Payouts are read here and now: --submit is for days of sales.")
    stored = warehouse()
    sources = backfill_payouts.check(stored, profile_id, first, last)
    failures = list[str]()
    with instance() as dagster:
        for platform, job in sources:
            found = backfill_payouts.execute(defs, dagster, platform, job, profile_id, first)
            failures += found
            if not found:
                count = backfill_payouts.stored_since(stored, platform, profile_id, first)
                click.echo(f"{platform.label}: {count} {'payout' if count == 1 else 'payouts'} since {first}.")
    if failures:
        for line in failures:
            click.echo(line, err=True)
        raise click.exceptions.Exit(1)
