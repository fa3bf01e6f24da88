"""``creator-pipeline backfill``."""

from __future__ import annotations

import sys
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from creator_pipeline.commands.several import chosen, for_each, several
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.alone import alone
from creator_pipeline.runtime.context import instance, warehouse
from creator_pipeline.store import profiles

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.runtime.run_here import LoadDefinitions

PAYOUTS = "payouts"
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("backfill")
@click.argument(
    "source", type=click.Choice([*(platform.name for platform in PLATFORMS if platform.credential), PAYOUTS])
)
@several("Whose sales")
@click.option("--from", "first", required=True, type=_DAY, help="First day, UTC.")
@click.option("--to", "last", required=True, type=_DAY, help="Last day, inclusive.")
@click.option("--submit", "hand_over", is_flag=True, help="Hand it to the daemon and return at once.")
@click.option("--allow-shrink", is_flag=True, help="Accept that most of what is stored goes away.")
@click.pass_obj
def command(
    load_definitions: LoadDefinitions,
    source: str,
    profile_ids: tuple[str, ...],
    first: datetime,
    last: datetime,
    *,
    everybody: bool,
    hand_over: bool,
    allow_shrink: bool,
) -> None:
    """Read a range of days again and make the tables equal to it.

    Runs here and now and needs no daemon; it is recorded in Dagster all the same. Stopped in the middle, the same
    command goes on where it was and does again only what failed. PAYOUTS reads the payouts made since the first day,
    on every platform that the profile is connected to, and the ledger's rows that follow from them.
    """
    names = chosen(profile_ids, partial(_connected, source), everybody=everybody)
    if source == PAYOUTS:
        if hand_over:
            raise click.UsageError("Payouts are read here and now: --submit is for days of sales.")
        work = partial(_payouts, first=first.date(), last=last.date())
    else:
        work = partial(
            _days, source=source, first=first.date(), last=last.date(), hand_over=hand_over, allow_shrink=allow_shrink
        )
    for_each(names, partial(work, load_definitions()))


def _connected(source: str) -> list[str]:
    stored = warehouse()
    wanted = [one for one in PLATFORMS if one.credential and source in (one.name, PAYOUTS)]
    names = sorted({name for one in wanted for name in profiles.connected(stored, one.in_ledger)})
    if not names:
        raise ConfigError(f"No profile is connected to {source}.", hint="creator-pipeline profiles list")
    return names


def _days(
    defs: dg.Definitions,
    profile_id: str,
    *,
    source: str,
    first: date,
    last: date,
    hand_over: bool,
    allow_shrink: bool,
) -> bool:
    """Read one profile's days; whether all went well."""
    from creator_pipeline.orchestration import backfill

    stored = warehouse()
    window = backfill.check(stored, source, profile_id, first, last)
    with instance() as dagster:
        if hand_over:
            backfill_id = backfill.submit(defs, dagster, source, profile_id, window, allow_shrink=allow_shrink)
            days = number(window.days, "day")
            click.echo(f"Backfill {backfill_id}: {days} handed to the daemon. See Runs, Backfills in the UI.")
            return True
        dagster.add_dynamic_partitions(backfill.parts_of(source)[0].partitions_name, [profile_id])
        with alone(f"The same backfill of {profile_id}", source, profile_id, window):
            todo = backfill.plan(stored, dagster, source, profile_id, window)
            if todo.resumed:
                click.echo(f"Resumed: {len(todo.days)} of {number(window.days, 'day')} left.")
            label = f"{source} {profile_id}"
            with click.progressbar(length=len(todo.days), label=label, file=sys.stderr, show_pos=True) as bar:
                failures = backfill.execute(
                    defs, stored, dagster, todo, allow_shrink=allow_shrink, on_progress=bar.update
                )
    if failures:
        for line in failures:
            click.echo(line, err=True)
        click.echo("Run the same command again: it does only what is left.", err=True)
        return False
    done, runs = number(len(todo.days), "day"), number(len(todo.runs()), "run")
    click.echo(f"{done} of {profile_id} {'is' if len(todo.days) == 1 else 'are'} in the ledger ({runs}).")
    return True


def _payouts(defs: dg.Definitions, profile_id: str, *, first: date, last: date) -> bool:
    """Read one profile's payouts; whether all went well."""
    from creator_pipeline.orchestration import backfill_payouts

    stored = warehouse()
    sources = backfill_payouts.check(stored, profile_id, first, last)
    failures = list[str]()
    with instance() as dagster:
        for platform, job in sources:
            found = backfill_payouts.execute(defs, dagster, platform, job, profile_id, first)
            failures += found
            if not found:
                count = backfill_payouts.stored_since(stored, platform, profile_id, first)
                click.echo(f"{platform.label}: {number(count, 'payout')} of {profile_id} since {first}.")
    for line in failures:
        click.echo(line, err=True)
    return not failures
