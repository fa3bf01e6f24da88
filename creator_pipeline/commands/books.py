"""``creator-pipeline books``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from creator_pipeline.commands.several import chosen, for_each, several
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.ledger.statement import KINDS, LABELS
from creator_pipeline.platforms import sources
from creator_pipeline.runtime.context import warehouse
from creator_pipeline.store.profiles import every_id, get_profile
from creator_pipeline.store.source import label_of

if TYPE_CHECKING:
    from creator_pipeline.ledger.movements import Entry


def _month(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else date.fromisoformat(f"{value}-01").strftime("%Y-%m")
    except ValueError:
        raise click.BadParameter(f"{value!r} is no month; write it as 2026-11.") from None


_several = several("Whose books")
_one_month = click.option("--month", required=True, callback=_month, metavar="YYYY-MM", help="A calendar month, UTC.")


@click.group("books")
def command() -> None:
    """Sales, fees and payouts of a profile: month by month, each figure with its rows."""


@command.command("show")
@_several
@click.option("--month", callback=_month, metavar="YYYY-MM", help="A calendar month, UTC; everything without it.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the journal of one profile here.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON; a list where several profiles are named, or all.")
@click.option("--rows", "kind", type=click.Choice(KINDS), help="The rows behind a figure.")
def show(
    profile_ids: tuple[str, ...],
    month: str | None,
    csv_file: Path | None,
    kind: str | None,
    *,
    everybody: bool,
    as_json: bool,
) -> None:
    """Print the figures of a month, or of all time; as they were when it was closed, if it is."""
    from creator_pipeline.ledger import by_payouts, movements, statement
    from creator_pipeline.ledger.journal import journal, write_csv

    stored, names = warehouse(), chosen(profile_ids, _every, everybody=everybody)
    lists, many = list[Mapping[str, Any]](), everybody or len(names) > 1
    if csv_file and many:
        raise click.UsageError("A journal is of one profile: name one with --profile.")

    def one(profile_id: str) -> bool:
        get_profile(stored, profile_id)
        with stored.read() as connection:
            kept = statement.frozen(connection, profile_id, month) if month else None
            accounts = statement.statements(connection, profile_id, month)
            rows = movements.entries(connection, profile_id, month) if csv_file or kind else []
            days = by_payouts.days_by_payouts(connection, profile_id, month)
        told = kept or statement.as_json(profile_id, month, accounts)
        if csv_file:
            with csv_file.open("w", encoding="utf-8", newline="") as out:
                write_csv(journal(rows, sources()), out)
            click.echo(f"The journal of {month or 'all months'} is in {csv_file}.", err=True)
        if as_json:
            dates = {name: [str(day) for day in each] for name, each in days.items()}
            lists.append({**told, "days_by_payouts": dates})
        elif kind:
            if many:
                click.echo(f"{profile_id}:")
            _print_rows([row for row in rows if row.kind == kind])
        else:
            _print(profile_id, month, told, closed=kept is not None)
            _print_days(days)
        return True

    try:
        for_each(names, one)
    finally:
        if as_json and (many or lists):
            click.echo(json.dumps(lists if many else lists[0], ensure_ascii=False, indent=2))


def _print_days(days: Mapping[str, Sequence[date]]) -> None:
    from creator_pipeline.ledger import by_payouts

    for platform, each in days.items():
        click.echo(f"{label_of(sources(), platform)}, days that rest on payouts only: {by_payouts.as_spans(each)}.")
    if days:
        click.echo("Their sums are right; the details come with the sales, on which the other days rest.")


def _print(profile_id: str, month: str | None, told: Mapping[str, Any], *, closed: bool) -> None:
    click.echo(f"{profile_id}, {month or 'all months'}{' (closed)' if closed else ''}")
    columns = [
        (f"{label_of(sources(), platform)} {currency}", figures)
        for platform, currencies in told["platforms"].items()
        for currency, figures in currencies.items()
    ]
    if not columns:
        click.echo("Nothing happened.")
        return
    widths = [max(len(name), *(len(value) for value in figures.values())) for name, figures in columns]
    click.echo(" " * 18 + "".join(f"  {name:>{width}}" for (name, _), width in zip(columns, widths, strict=True)))
    for figure, label in LABELS.items():
        values = [figures.get(figure, "0.00") for _, figures in columns]
        always = figure in {"opening", "closing", "unexplained"}
        if always or any(value.strip("-0.") for value in values):
            cells = "".join(f"  {value:>{width}}" for value, width in zip(values, widths, strict=True))
            click.echo(f"{label:18}{cells}")


def _print_rows(rows: list[Entry]) -> None:
    from creator_pipeline.core.money import to_text

    for row in rows:
        late = f" (belongs to {row.belongs_to})" if row.belongs_to else ""
        guess = " estimated" if row.estimated_micros else ""
        amount = to_text(row.amount_micros, row.currency)
        click.echo(f"{row.day}  {amount:>14} {row.currency}  {row.text}{late}{guess}  {row.reference}")
    click.echo(f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}.", err=True)


@command.command("close")
@_several
@_one_month
@click.option("--anyway", is_flag=True, help="Also where sales of the month may still be missing.")
def close(profile_ids: tuple[str, ...], month: str, *, everybody: bool, anyway: bool) -> None:
    """Close a month: its rows stand. What comes later for it is booked on the day it became known."""
    for_each(chosen(profile_ids, _every, everybody=everybody), lambda one: _close(one, month, anyway=anyway))


def _every() -> list[str]:
    return every_id(warehouse())


def _close(profile_id: str, month: str, *, anyway: bool) -> bool:
    from creator_pipeline.core.windows import now, today
    from creator_pipeline.ledger import closing, statement
    from creator_pipeline.store.locks import lock_profile

    stored, after = warehouse(), closing.first_day_after(month)
    get_profile(stored, profile_id)
    if after > today():
        raise ConfigError(f"{month} is not over.", hint=f"It can be closed from {after} on (UTC).")
    if not anyway:
        _require_read(profile_id, month, after)
    with stored.write() as connection:
        lock_profile(connection, profile_id)
        if month in closing.closed(connection, profile_id):
            raise ConfigError(f"{month} of {profile_id} is closed already.", hint="books show prints it.")
        figures = statement.as_json(profile_id, month, statement.statements(connection, profile_id, month))
        rows = closing.close(connection, profile_id, month, json.dumps(figures, ensure_ascii=False), now())
    click.echo(
        f"{month} of {profile_id} is closed: {number(rows, 'row of the ledger stands', 'rows of the ledger stand')}."
    )
    for currency, one in figures["currency"].items():
        for figure in ("unexplained", "estimated"):
            if one[figure].strip("0."):
                click.echo(f"  {one[figure]} {currency} of it is {figure}.", err=True)
    return True


def _require_read(profile_id: str, month: str, after: date) -> None:
    from datetime import UTC, datetime, time

    from sqlalchemy import or_, select

    from creator_pipeline.platforms import PLATFORMS
    from creator_pipeline.store.tables import platform_connections

    columns, ended = platform_connections.c, datetime.combine(after, time(), UTC)
    connected = [platform.in_ledger for platform in PLATFORMS if platform.connects]
    with warehouse().read() as connection:
        late = connection.execute(
            select(columns.provider).where(
                columns.profile_id == profile_id,
                columns.provider.in_(connected),
                or_(columns.last_synced_at.is_(None), columns.last_synced_at < ended),
            )
        ).scalars()
        names = [label_of(sources(), provider) for provider in late]
    if names:
        raise ConfigError(
            f"{' and '.join(names)} of {profile_id} was not read since {month} ended.",
            hint=f"Read its days first: creator-pipeline backfill SOURCE --profile {profile_id} --from DAY --to DAY; "
            f"or close it all the same: creator-pipeline books close --profile {profile_id} --month {month} --anyway",
        )


@command.command("reopen")
@_several
@_one_month
def reopen(profile_ids: tuple[str, ...], month: str, *, everybody: bool) -> None:
    """Open a closed month again: what was booked later goes back to its days."""
    for_each(chosen(profile_ids, _every, everybody=everybody), lambda one: _reopen(one, month))


def _reopen(profile_id: str, month: str) -> bool:
    from creator_pipeline.core.windows import now
    from creator_pipeline.ledger import closing
    from creator_pipeline.orchestration.books import rebuild
    from creator_pipeline.store.locks import lock_profile

    stored = warehouse()
    get_profile(stored, profile_id)
    with stored.write() as connection:
        lock_profile(connection, profile_id)
        if month not in closing.closed(connection, profile_id):
            raise ConfigError(f"{month} of {profile_id} is not closed.", hint="books close closes it.")
        rows = closing.reopen(connection, profile_id, month, now())
    changed = rebuild(stored, profile_id)
    click.echo(f"{month} of {profile_id} is open: {number(rows, 'row')} may change again, {changed} did.")
    return True


@command.command("rebuild")
@click.option("--profile", "profile_ids", multiple=True, help="Whose books; every profile's without it.")
def rebuild_ledger(profile_ids: tuple[str, ...]) -> None:
    """Make the ledger anew from what is stored, without asking a platform; closed months stand."""
    from creator_pipeline.orchestration.books import rebuild

    stored = warehouse()
    for one in dict.fromkeys(profile_ids) or every_id(stored):
        get_profile(stored, one)
        click.echo(f"{one}: {number(rebuild(stored, one), 'row')} of the ledger changed.")
