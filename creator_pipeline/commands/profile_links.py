"""``creator-pipeline profiles connect`` and ``profiles page``: links that are sent to a person."""

from __future__ import annotations

import click

from creator_pipeline import settings
from creator_pipeline.platforms import PLATFORMS, of_name
from creator_pipeline.runtime.context import key_ring, warehouse
from creator_pipeline.store import profiles


@click.command("connect")
@click.argument("profile_id", metavar="ID")
@click.option(
    "--replace-account",
    is_flag=True,
    help="The account may be another one than the profile's sales are of: those are deleted before it is read.",
)
@click.option(
    "--platform",
    "name",
    type=click.Choice([platform.name for platform in PLATFORMS if platform.oauth]),
    default=next((platform.name for platform in PLATFORMS if platform.oauth), None),
    show_default=True,
    help="Where the account is.",
)
def connect(profile_id: str, name: str, *, replace_account: bool) -> None:
    """Print the link that connects a profile's account in a browser; it is good for an hour."""
    from creator_pipeline.gateway.connect_links import start_link

    config, platform = settings.load(), of_name(name)
    if platform is not None and platform.oauth is not None:
        platform.oauth.get().check(config)
    profiles.get_profile(warehouse(), profile_id)
    click.echo(start_link(key_ring(), config.public_url, name, profile_id, replace=replace_account))


@click.command("page")
@click.argument("profile_id", metavar="ID")
def page(profile_id: str) -> None:
    """Print the link to a profile's own page, as its mails have it; it is good for eight days."""
    from creator_pipeline.mail import page_link

    address = profiles.get_profile(warehouse(), profile_id)["email"]
    click.echo(page_link.url(settings.load(), profile_id, address))
