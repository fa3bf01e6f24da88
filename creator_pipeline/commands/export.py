"""``creator-pipeline export``."""

from __future__ import annotations

from datetime import date

import click

from creator_pipeline import settings
from creator_pipeline.core.text import number
from creator_pipeline.export import run
from creator_pipeline.runtime.context import warehouse


def _since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(f"{value}-01" if len(value) == 7 else value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no month; write it as 2026-11.") from None


@click.command("export")
@click.option(
    "--since", callback=_since, metavar="YYYY-MM", help="Only months from this one on; a day names its month."
)
@click.option("--profile", "profile_ids", multiple=True, help="Only these profiles' rows; may be given several times.")
@click.option("--allow-shrink", is_flag=True, help="Accept a ledger that lost more than half of its exported rows.")
def command(since: date | None, profile_ids: tuple[str, ...], *, allow_shrink: bool) -> None:
    """Write the months that changed as Parquet files below EXPORT_URL, here and now."""
    url = settings.load().require("EXPORT_URL")
    wanted = dict.fromkeys(profile_ids) or (None,)
    tables = (
        told
        for one in wanted
        for told in run.export(warehouse(), url, since=since, profile=one, allow_shrink=allow_shrink)
    )
    for told in tables:
        click.echo(
            f"{told.table:14}{number(told.rows, 'row'):>14} in {number(told.files, 'file')}; "
            f"{told.written} written, {told.dropped} dropped"
        )
