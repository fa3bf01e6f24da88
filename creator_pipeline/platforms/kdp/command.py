"""``creator-pipeline kdp``: describe reports, or ingest them here and now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.text import number
from creator_pipeline.platforms.kdp.teach import teach
from creator_pipeline.runtime.context import instance, warehouse

if TYPE_CHECKING:
    from creator_pipeline.runtime.run_here import LoadDefinitions
    from creator_pipeline.store.engine import Warehouse

_FILES = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group("kdp")
def command() -> None:
    """Reports of Amazon KDP."""


command.add_command(teach)


@command.command("inspect")
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of text.")
def inspect(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what each file is, what it holds and what is wrong with it; stores nothing. Ends with 1 if one is refused."""
    from creator_pipeline.platforms.kdp.inspect import inspect as inspect_files
    from creator_pipeline.platforms.kdp.taught import taught_as_is

    described = inspect_files(files, taught_as_is(settings.load().warehouse_url))
    if as_json:
        click.echo(orjson.dumps(described, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(f"{'verdict':11}{'period':18}{'rows':>6}{'net units':>11}{'free':>6}{'pages':>8}  royalty")
        for each in described:
            _show(each)
    if any(each["verdict"] != "accept" for each in described):
        raise click.exceptions.Exit(1)


def _show(file: dict[str, Any]) -> None:
    from creator_pipeline.platforms.uploads import by_kind

    money = ", ".join(f"{amount} {code}" for code, amount in file["royalty_by_currency"].items() if amount != "0")
    click.echo(f"\n{file['file']}: {file['kind']}" + (f", {file['finality']}" if file["finality"] else ""))
    click.echo(
        f"{file['verdict']:11}{file['period'] or '-':18}{file['sales_rows']:6}{file['net_units']:11}"
        f"{file['free_units']:6}{file['kenp_pages']:8}  {money or '-'}"
    )
    if pages := ", ".join(f"{amount} {code}" for code, amount in file["kenp_royalty_by_currency"].items()):
        click.echo(f"  for pages read: {pages}")
    if "payments" in file:
        counts = ", ".join(f"{file[word]} {word}" for word in ("paid", "pending", "failed"))
        click.echo(f"  {number(file['payments'], 'payment')}: {counts}")
        for word in ("paid", "pending"):
            if amounts := file[f"{word}_by_currency"]:
                click.echo(f"  {word}: {', '.join(f'{amount} {code}' for code, amount in amounts.items())}")
        if file["unknown_statuses"]:
            click.echo(f"  statuses that are not known: {', '.join(map(repr, file['unknown_statuses']))}")
    for problem in by_kind(file["problems"]):
        place = [f"{name} {problem[name]}" for name in ("sheet", "row", "column") if problem[name] is not None]
        found = f" found {problem['found']!r}" if problem["found"] else ""
        expected = f", expected {problem['expected']}" if problem["expected"] else ""
        click.echo(f"  - {', '.join(place) or 'file'}:{found}{expected}\n    {problem['hint']}")


def _show_counts(store: Warehouse, path: Path, profile_id: str, partition: str) -> None:
    """Say what of an upload is in the ledger, slice by slice."""
    from creator_pipeline.platforms.kdp.uploads_told import told_upload

    with store.read() as connection:
        told = told_upload(connection, profile_id, partition)
    if told is None or not told.counts:
        click.echo(f"{path}: stored for {profile_id} (upload {partition}), but nothing of it counts")
    else:
        click.echo(f"{path}: in the ledger of {profile_id} (upload {partition})")
    for line in told.lines() if told else ():
        click.echo(f"  {line}")


@command.command("ingest")
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE…")
@click.option("--profile", "profile_id", required=True, help="Whose account the reports are from.")
@click.option("--accept-smaller", is_flag=True, help="Accept a report that holds less than the one it replaces.")
@click.option("--partial", is_flag=True, help="It is only a part (a shop, format, author): what it lacks stays.")
@click.pass_obj
def ingest(
    load_definitions: LoadDefinitions, files: tuple[Path, ...], profile_id: str, *, accept_smaller: bool, partial: bool
) -> None:
    """Put reports into the ledger here and now; recorded in Dagster like every run."""
    from creator_pipeline.platforms.kdp import PLATFORM
    from creator_pipeline.platforms.kdp.assets import PARTIAL_TAG, UPLOAD_PARTITIONS
    from creator_pipeline.platforms.kdp.inbox import register
    from creator_pipeline.runtime.outcome import ALLOW_SHRINK_TAG
    from creator_pipeline.runtime.resources import require_enabled
    from creator_pipeline.runtime.run_here import run_here
    from creator_pipeline.runtime.tags import TRIGGER_TAG, account_tags
    from creator_pipeline.store.profiles import get_profile

    if accept_smaller and partial:
        raise click.UsageError("A report either replaces what it lacks (--accept-smaller) or leaves it (--partial).")
    store, failures, definitions = warehouse(), list[str](), load_definitions()
    get_profile(store, profile_id)
    require_enabled(settings.load(), PLATFORM.source)
    tags = {**account_tags("kdp", profile_id), TRIGGER_TAG: "command"}
    if accept_smaller:
        tags[ALLOW_SHRINK_TAG] = "true"
    if partial:
        tags[PARTIAL_TAG] = "true"
    with instance() as dagster:
        for path in files:
            try:
                file = register(store, [path], profile_id)[0]
            except PipelineError as error:
                failures.append(f"{path}: {error}")
                continue
            dagster.add_dynamic_partitions(str(UPLOAD_PARTITIONS.name), [file.partition])
            failed = run_here(definitions, dagster, "kdp_ingest", tags, partition_key=file.partition)
            failures += [f"{path}: {line}" for line in failed]
            if not failed:
                _show_counts(store, path, profile_id, file.partition)
        failures += run_here(definitions, dagster, "ledger", tags)
    for line in failures:
        click.echo(line, err=True)
    if failures:
        raise click.exceptions.Exit(1)


@command.command("uploads")
@click.option("--profile", "profile_ids", multiple=True, help="Of this profile only; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of text.")
def uploads(profile_ids: tuple[str, ...], *, as_json: bool) -> None:
    """List uploaded reports: what of each counts, and which report counts in its place."""
    from creator_pipeline.platforms.kdp.uploads_told import told_uploads
    from creator_pipeline.store.profiles import every_id, get_profile

    store = warehouse()
    names = [get_profile(store, one)["id"] for one in dict.fromkeys(profile_ids)] or every_id(store)
    with store.read() as connection:
        found = [each for name in names for each in told_uploads(connection, name)]
    if as_json:
        click.echo(orjson.dumps([each.as_dict() for each in found], option=orjson.OPT_INDENT_2).decode())
        return
    for each in found:
        made = f", of {each.made_at:%Y-%m-%d %H:%M}" if each.made_at else ""
        click.echo(f"{each.upload}  {each.status:11}  {each.profile}  {each.file} ({each.kind}{made})")
        for line in each.lines():
            click.echo(f"    {line}")
        if each.supersedes:
            click.echo(f"    counts in the place of {', '.join(each.supersedes)}")


@command.command("estimate")
@click.option("--profile", "profile_ids", multiple=True, help="Of this profile only; may be given several times.")
@click.option(
    "--rate", "words", multiple=True, metavar="[SHOP=]RATE", help="Your own, of a page; may be given for each shop."
)
@click.option("--drop", type=click.FloatRange(0, 99), default=0, help="Percent that last month's rates are lowered by.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of text.")
def estimate(profile_ids: tuple[str, ...], words: tuple[str, ...], *, drop: float, as_json: bool) -> None:
    """Say what pages without money may be worth: at last month's rates, or at your own. It is in no sum anywhere."""
    from decimal import Decimal

    from creator_pipeline.core.money import to_text
    from creator_pipeline.platforms.kdp.estimates import estimates, own_rates
    from creator_pipeline.store.profiles import every_id, get_profile

    store, rates = warehouse(), own_rates(words)
    names = [get_profile(store, one)["id"] for one in dict.fromkeys(profile_ids)] or every_id(store)
    with store.read() as connection:
        found = estimates(connection, names, rates, Decimal(str(drop)) / 100)
    if as_json:
        click.echo(orjson.dumps([each._asdict() for each in found], default=str, option=orjson.OPT_INDENT_2).decode())
        return
    for each in found:
        worth = "no estimate"
        if each.micros is not None:
            worth = f"about {to_text(each.micros, each.currency or '')} {each.currency or 'of an unknown currency'}"
        click.echo(
            f"{each.month:%Y-%m}  {each.profile_id:12}  {each.marketplace:14}  {each.pages:>9,} pages  {worth}  "
            f"({each.rate_source})"
        )
    if not found:
        click.echo("Every page that is known has its money.")


@command.command("withdraw")
@click.argument("upload", metavar="UPLOAD")
@click.pass_obj
def withdraw(load_definitions: LoadDefinitions, upload: str) -> None:
    """Take an uploaded report back: the ledger is as if it had never come. UPLOAD: see `kdp uploads`."""
    from creator_pipeline.platforms.kdp.touched import log_withdrawal
    from creator_pipeline.platforms.kdp.withdraw import withdraw as withdraw_upload
    from creator_pipeline.runtime.run_here import run_here
    from creator_pipeline.runtime.tags import PROFILE_TAG, TRIGGER_TAG

    definitions = load_definitions()
    store = warehouse()
    done = withdraw_upload(store, upload)
    click.echo(f"{done.file_name}: withdrawn from the ledger of {done.profile_id} (upload {done.upload_id[:16]})")
    for name in done.back:
        click.echo(f"  {name}: no longer held back")
    for name in done.held_back:
        click.echo(f"  {name}: held back now")
    with instance() as dagster:
        log_withdrawal(dagster, store, done)
        failures = run_here(definitions, dagster, "ledger", {PROFILE_TAG: done.profile_id, TRIGGER_TAG: "command"})
    for line in failures:
        click.echo(line, err=True)
    if failures:
        raise click.exceptions.Exit(1)
