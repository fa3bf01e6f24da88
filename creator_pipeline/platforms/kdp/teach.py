"""``creator-pipeline kdp teach``: shows what unknown headers are believed to be, and keeps what a person says."""

from __future__ import annotations

from pathlib import Path

import click

from creator_pipeline import settings
from creator_pipeline.core.errors import DataError
from creator_pipeline.core.text import number
from creator_pipeline.runtime.context import warehouse

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command("teach")
@click.argument("file", type=_FILE)
@click.option("--column", "columns", multiple=True, metavar="HEADER=ROLE", help="What a column is; can be repeated.")
def teach(file: Path, columns: tuple[str, ...]) -> None:
    """Show what the columns of FILE are believed to be, and say what unknown ones are.

    Without --column each column that isn't certain is asked for. The answers hold for every report of this
    installation.
    """
    from creator_pipeline.platforms.kdp import taught

    answers: dict[str, str] = {}
    for each in columns:
        header, _, role = each.rpartition("=")
        if not header:
            raise click.UsageError(f"{each!r} isn't HEADER=ROLE.")
        answers[header.strip()] = taught.role_of(role.strip())
    known = taught.taught_as_is(settings.load().warehouse_url)
    while (doubts := _show(file, {**known, **_normal(answers)})) and not columns:
        said = _ask(taught.ROLES, doubts)
        if not said:
            break
        answers |= said
    if answers:
        taught.teach(warehouse(), answers)
        click.echo(f"Kept: {', '.join(f'{header} = {role}' for header, role in answers.items())}.")
    if doubts:
        raise click.exceptions.Exit(1)


def _normal(answers: dict[str, str]) -> dict[str, str]:
    from creator_pipeline.platforms.kdp.columns import normal

    return {normal(header): role for header, role in answers.items()}


def _show(file: Path, known: dict[str, str]) -> dict[str, str]:
    """Say what is believed of a file; the headers that are in doubt, with what is said of them."""
    from creator_pipeline.platforms.kdp.child_process import parse_in_child

    try:
        report = parse_in_child(file, taught=known)
    except DataError as error:
        click.echo(str(error))
        return getattr(error, "doubts", {})
    for problem in report.problems:
        click.echo(f"{problem.sheet or file.name}: {problem.hint}")
    click.echo(f"{file.name} is read as {report.kind}: {number(len(report.rows), 'row')}, {report.verdict}.")
    return {}


def _ask(roles: tuple[str, ...], doubts: dict[str, str]) -> dict[str, str]:
    click.echo(f"A column is one of: {', '.join(roles)}. Leave it empty where you aren't sure.")
    said: dict[str, str] = {}
    for header, candidates in doubts.items():
        role = click.prompt(
            f"{header}  [{candidates}]",
            default="",
            show_default=False,
            type=click.Choice(["", *roles]),
            show_choices=False,
        )
        if role:
            said[header] = role
    return said
