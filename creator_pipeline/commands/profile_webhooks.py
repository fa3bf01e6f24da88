"""``creator-pipeline profiles webhooks``, and what ``profiles add`` does about webhooks and the first load."""

from __future__ import annotations

import click

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.text import number
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.webhooks import Webhooks
from creator_pipeline.runtime.context import key_ring, warehouse
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles


@click.command("webhooks")
@click.argument("profile_id", metavar="ID")
@click.option("--register", "wanted", is_flag=True, help="Have each platform that lets us send to it from now on.")
def command(profile_id: str, *, wanted: bool) -> None:
    """Print the address that each platform's webhooks about a profile come to. Gumroad's is secret."""
    stored, config = warehouse(), settings.load()
    profiles.get_profile(stored, profile_id)
    failed = False
    for platform in PLATFORMS:
        webhooks = platform.webhooks.get() if platform.webhooks else None
        if webhooks is None or profile_id not in profiles.connected(stored, platform.in_ledger):
            continue
        if not config.variable(webhooks.needs):
            click.echo(f"{platform.name}: {webhooks.needs} is not set, so webhooks are refused.")
            continue
        click.echo(f"{platform.name}: {webhooks.address_of(config, profile_id)}")
        if wanted and webhooks.register:
            token = profiles.get_connection(stored, key_ring(), platform.in_ledger, profile_id).access_token
            failed |= not register(config, platform, webhooks, profile_id, token)
        elif wanted:
            click.echo(f"{platform.label} takes no address by its API: enter it there.")
    if failed:
        raise SystemExit(1)


def register(config: Settings, platform: Platform, webhooks: Webhooks, profile_id: str, token: str) -> bool:
    """Register a profile's webhooks, and say what became of it; whether all went well.

    Args:
        config: names the address.
        platform: that sends them.
        webhooks: of the platform.
        profile_id: whose account.
        token: of the account.
    """
    if webhooks.register is None:
        return True
    try:
        count = webhooks.register(config, profile_id, token)
    except PipelineError as error:
        click.echo(f"{platform.label} registered no webhooks: {error.message} {error.hint}".strip(), err=True)
        return False
    click.echo(f"{platform.label} sends {number(count, 'kind')} of events to this installation.")
    return True


def register_connected(config: Settings, platform: Platform, profile_id: str, token: str) -> None:
    """Register the webhooks of an account that was just connected, where the installation takes any.

    Args:
        config: says whether it does.
        platform: that sends them.
        profile_id: whose account.
        token: of the account.
    """
    webhooks = platform.webhooks.get() if platform.webhooks else None
    if webhooks and webhooks.register and config.variable(webhooks.needs) and config.enabled(platform.name):
        register(config, platform, webhooks, profile_id, token)
