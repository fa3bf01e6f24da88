"""The commands and variables that there are."""

from __future__ import annotations

from collections.abc import Iterator

import click

from creator_pipeline.cli import cli
from creator_pipeline.settings import Settings

VARIABLES = {name.upper() for name in Settings.model_fields}


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its words."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


COMMANDS = dict(commands(cli))
