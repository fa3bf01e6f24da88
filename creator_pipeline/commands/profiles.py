"""``creator-pipeline profiles``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click
from sqlalchemy import delete

from creator_pipeline import settings
from creator_pipeline.commands import profile_links, profile_status, profile_tokens, profile_webhooks
from creator_pipeline.core.errors import AuthError, ConfigError, PipelineError
from creator_pipeline.core.text import number
from creator_pipeline.platforms import PLATFORMS, personal
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.first_load import first_load
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.queue.jobs import NewJob
from creator_pipeline.runtime.context import instance, key_ring, warehouse
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.settings import Settings
from creator_pipeline.store import accounts, erasure, profile_keys, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections


@click.group("profiles")
def command() -> None:
    """Whose sales are read, and with which tokens."""


for added in (profile_links.connect, profile_links.page, profile_webhooks.command):
    command.add_command(added)


def _token_options(function: Callable[..., None]) -> Callable[..., None]:
    for platform in reversed(PLATFORMS):
        if platform.credential:
            option, name = platform.credential.option, _option_name(platform)
            text = "A file with the same, for scripts: the list of processes shows no token; - is standard input."
            function = click.option(f"{option}-file", f"{name}_file", type=click.File(), help=text)(function)
            function = click.option(option, name, help=platform.credential.help)(function)
    return function


def _option_name(platform: Platform) -> str:
    return f"token_of_{platform.name}"


@command.command("add")
@click.argument("profile_id", metavar="ID")
@click.option("--email", help="Where this profile's mails go. Required for a new profile.")
@click.option("--name", "display_name", help="Name for people.")
@click.option("--timezone", help="IANA zone of the seller; UTC for a new profile.")
@click.option("--notify", type=click.Choice(["every", "failures", "none"]), help="failures for a new profile.")
@click.option(
    "--replace-account",
    is_flag=True,
    help="The token is of another account than the profile's sales, on purpose: those are deleted before it is read.",
)
@click.option("--no-first-load", is_flag=True, help="Don't read the history of the account: a backfill will.")
@_token_options
def add(
    profile_id: str,
    *,
    email: str | None,
    display_name: str | None,
    timezone: str | None,
    notify: str | None,
    replace_account: bool,
    no_first_load: bool,
    **tokens: Any,
) -> None:
    """Add a profile, or change one: what isn't given stays. Connect it to the platforms whose tokens are given.

    The history of an account that is new here or was disconnected, from PIPELINE_START_DATE on, is read as soon as the
    daemon runs, and webhooks are registered where the platform lets us.
    """
    stored, ring, config = warehouse(), key_ring(), settings.load()
    given = {platform.name: _given(platform, tokens) or "" for platform in PLATFORMS}
    for platform in PLATFORMS:
        _try(platform, config, profile_id, given[platform.name])
    found = {
        platform.name: profile_tokens.account_of(stored, ring, config, platform, profile_id, given[platform.name])
        for platform in PLATFORMS
        if given[platform.name]
    }
    connected, loads, queue = list[Platform](), list[NewJob](), job_queue(stored)
    with stored.write() as connection:
        profiles.add_profile(connection, profile_id, email, display_name=display_name, timezone=timezone, notify=notify)
        for platform in PLATFORMS:
            token, account = given[platform.name], found.get(platform.name)
            if account is not None:
                accounts.claim(connection, platform.source, profile_id, account, replace=replace_account)
            works = profiles.is_connected(connection, platform.in_ledger, profile_id)
            if platform.credential and profile_tokens.connect(
                connection, ring, config, platform, profile_id, token, account
            ):
                connected.append(platform)
                if platform.first_load and not no_first_load and (replace_account or not works):
                    loads.append(first_load(config, platform, profile_id))
        queue.add(connection, loads)
    queue.announce(loads)
    _keep_in_step(stored, profile_id)
    names = " and ".join(f"{one.name}{profile_tokens.named(found.get(one.name))}" for one in connected)
    click.echo(f"{profile_id} is here{', connected to ' + names if names else ''}.")
    if loads:
        since = config.pipeline_start_date
        click.echo(f"Its history since {since} is read as soon as dagster-daemon runs: creator-pipeline doctor")
    for platform in connected:
        token = profiles.get_connection(stored, ring, platform.in_ledger, profile_id).access_token
        profile_webhooks.register_connected(config, platform, profile_id, token)


def _given(platform: Platform, options: Mapping[str, Any]) -> str | None:
    """The token that was given, as a value or as a file.

    Raises:
        UsageError: both, or an empty one.
    """
    option = platform.credential.option if platform.credential else ""
    value, file = (options.get(name) for name in (_option_name(platform), f"{_option_name(platform)}_file"))
    if value is not None and file is not None:
        raise click.UsageError(f"Give {option} or {option}-file, not both.")
    token = file.read() if file is not None else value
    if token is not None and not token.strip():
        raise click.UsageError(f"{option} is empty.")
    return token.strip() if token is not None else None


def _try(platform: Platform, config: Settings, profile_id: str, token: str) -> None:
    """Ask the platform once with a token that was given: nothing is stored of one that it refuses.

    Raises:
        ConfigError: the platform refuses the token.
    """
    ask = platform.checks.get().account if platform.checks else None
    if not token or ask is None or not config.enabled(platform.name):
        return
    try:
        next(ask(config, Account(platform.in_ledger, profile_id, None, "active"), token), None)
    except AuthError as error:
        raise ConfigError(
            f"{platform.label} refuses this token; nothing was changed. {error.message}", hint=error.hint
        ) from None
    except PipelineError as error:
        click.echo(f"{platform.label} couldn't be asked whether the token is good: {error.message}", err=True)


def _keep_in_step(stored: Warehouse, profile_id: str) -> None:
    """Make Dagster's partitions of a profile what its connections say, as the sensor ``profiles`` does.

    So Dagster's own commands know the profile while no daemon runs. What was connected before counts too: by another
    machine, by a backup, or while Dagster's storage couldn't be reached.
    """
    named = settings.load().dagster_home is not None
    try:
        with instance() as dagster:
            from creator_pipeline.orchestration.sensors import profiles_in_use

            busy = profiles_in_use(dagster)
            for platform in PLATFORMS:
                if not platform.connects:
                    continue
                there = dagster.has_dynamic_partition(platform.partitions_name, profile_id)
                wanted = profile_id in profiles.connected(stored, platform.in_ledger)
                if wanted and not there:
                    dagster.add_dynamic_partitions(platform.partitions_name, [profile_id])
                elif there and not wanted and profile_id not in busy:
                    dagster.delete_dynamic_partition(platform.partitions_name, profile_id)
            if not named:
                home = settings.load().home
                click.echo(f"DAGSTER_HOME is not set. For Dagster's own commands: export DAGSTER_HOME={home}", err=True)
    except PipelineError as error:
        text = f"Dagster doesn't know of it yet ({error}); its sensor profiles sees to that when it runs."
        click.echo(text, err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--late", is_flag=True, help="Only what was not read in time: since when, and why.")
def list_profiles(*, as_json: bool, late: bool) -> None:
    """Profiles and the state of their connections."""
    show = profile_status.show_late if late else profile_status.show_all
    show(warehouse(), as_json=as_json)


@command.command("remove")
@click.argument("profile_id", metavar="ID")
def remove(profile_id: str) -> None:
    """Disconnect a profile from every platform. Its sales stay in the ledger."""
    stored = warehouse()
    profiles.get_profile(stored, profile_id)
    with stored.write() as connection:
        count = connection.execute(
            delete(platform_connections).where(platform_connections.c.profile_id == profile_id)
        ).rowcount
    _keep_in_step(stored, profile_id)
    click.echo(f"{profile_id}: {count} connections removed. Its partitions go when no run needs them.")


@command.command("key")
@click.argument("profile_id", metavar="ID")
def key(profile_id: str) -> None:
    """Make a profile a new key for uploads and job status, and print it this once. The former one ends."""
    stored = warehouse()
    profiles.get_profile(stored, profile_id)
    with stored.write() as connection:
        click.echo(profile_keys.renew(connection, profile_id))


@command.command("export")
@click.argument("profile_id", metavar="ID")
@click.option("--out", type=click.File("w"), default="-", show_default="standard output", help="JSON lines.")
def export(profile_id: str, out: TextIO) -> None:
    """Everything that is stored of a profile, a JSON object a row; without tokens and keys."""
    stored = warehouse()
    profiles.get_profile(stored, profile_id)
    for table, row in erasure.export_profile(stored, profile_id, personal()):
        out.write(json.dumps({"table": table, **row}, default=str, ensure_ascii=False) + "\n")


@command.command("erase")
@click.argument("profile_id", metavar="ID", required=False)
@click.option("--buyer", metavar="EMAIL", help="Forget one buyer instead, in every profile.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def erase(profile_id: str | None, buyer: str | None, *, yes: bool) -> None:
    """Erase a profile, or one buyer. The ledger's money stays right; files in an inbox are yours to delete."""
    if (profile_id is None) == (buyer is None):
        raise click.UsageError("Name a profile, or a buyer with --buyer.")
    stored = warehouse()
    if buyer is not None:
        count = erasure.erase_buyer(stored, buyer, key_ring().hashes_of(buyer), personal())
        know = number(count, "row no longer knows", "rows no longer know")
        click.echo(f"{know} this buyer, and reading the sales again doesn't bring them back.")
        return
    profiles.get_profile(stored, str(profile_id))
    if not yes:
        click.confirm(f"Erase {profile_id} and everything read of it?", abort=True)
    for table, count in erasure.erase_profile(stored, str(profile_id), personal()).items():
        click.echo(f"{table:22}{count:8}")
    _keep_in_step(stored, str(profile_id))
    _forget_files(stored)
    click.echo(f"{profile_id} is gone; its ledger rows go by {erasure.pseudonym(str(profile_id))}.")


def _forget_files(stored: Warehouse) -> None:
    """Bring an erasure to the exported files.

    Raises:
        PipelineError: they still hold the profile; says what to do.
    """
    url = settings.load().export_url
    if not url:
        return
    from creator_pipeline.export.run import export as export_files

    try:
        export_files(stored, url)
    except PipelineError as error:
        raise type(error)(
            f"The profile is erased, but not from the exported files: {error.message}",
            hint=f"{error.hint} Then: creator-pipeline export".strip(),
        ) from error
