"""``creator-pipeline keys``."""

from __future__ import annotations

import click

from creator_pipeline.core.secrets import new_key


@click.group("keys")
def command() -> None:
    """Keys that encrypt stored tokens."""


@command.command("new")
def new() -> None:
    """Print a new key. Put it first in APP_SECRET_KEYS and keep the former ones behind it."""
    click.echo(new_key())
