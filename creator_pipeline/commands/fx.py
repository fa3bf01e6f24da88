"""``creator-pipeline fx``."""

from __future__ import annotations

from pathlib import Path

import click

from creator_pipeline.core.text import number
from creator_pipeline.fx import ecb, rates
from creator_pipeline.runtime.context import warehouse


@click.group("fx")
def command() -> None:
    """Daily rates of exchange; see docs/fx.md."""


@command.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(file: Path) -> None:
    """Store the rates of a file of the ECB: eurofxref-hist.zip, eurofxref.zip, or their CSV."""
    found = ecb.read(file.name, file.read_bytes())
    change = rates.load(warehouse(), found)
    days = sorted({one.day for one in found})
    click.echo(
        f"{number(len(found), 'rate')} of {number(len(days), 'day')}, {days[0]} to {days[-1]}: "
        f"{change.inserted} new, {change.updated} changed, {change.unchanged} known."
    )
