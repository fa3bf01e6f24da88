"""``creator-pipeline mail``."""

from __future__ import annotations

import json

import click

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import suppressions
from creator_pipeline.runtime.context import warehouse


@click.group("mail")
def command() -> None:
    """Mails, and who gets none."""


@command.group("suppressions")
def suppressions_command() -> None:
    """Addresses that get no mail: they bounced or complained, or their readers turned notices off."""


@suppressions_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_suppressions(*, as_json: bool) -> None:
    """Every address that gets no mail, or none of a category; the newest first."""
    with warehouse().read() as connection:
        found = suppressions.listed(connection)
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found], default=str, indent=1))
        return
    for one in found:
        what = "everything" if one.category == "*" else one.category
        click.echo(f"{one.created_at:%Y-%m-%d} {one.email:40} {what:12} {one.reason:13} {one.profile_id}".rstrip())
    if not found:
        click.echo("Every address gets its mails.")


@suppressions_command.command("lift")
@click.argument("address")
def lift(address: str) -> None:
    """Send to ADDRESS again after it bounced or complained. What its reader turned off stays off."""
    with warehouse().write() as connection:
        lifted = suppressions.lift(connection, address)
    if not lifted:
        raise ConfigError(
            f"{address} neither bounced nor complained, as far as is known here.",
            hint="creator-pipeline mail suppressions list. What a reader turned off, only the reader turns on.",
        )
    click.echo(f"{address} gets mails again. Resend keeps a list of its own: remove it there too (Suppressions).")
