"""``creator-pipeline keys``."""

from __future__ import annotations

import sys

import click

from creator_pipeline import settings
from creator_pipeline.core.secrets import KEY_FILE, new_key, put_in_front
from creator_pipeline.core.text import number
from creator_pipeline.runtime.context import key_ring, warehouse


@click.group("keys")
def command() -> None:
    """Keys that encrypt stored tokens."""


@command.command("new")
def new() -> None:
    """Print a new key. Put it first in APP_SECRET_KEYS and keep the former ones behind it."""
    click.echo(new_key())


@command.command("rotate")
def rotate() -> None:
    """Encrypt every stored token with the newest key, while everything runs.

    That is the first of APP_SECRET_KEYS. Where that is not set and the keys are the generated file's, a new one is
    put in front of it, and every process takes it up by itself.
    """
    from creator_pipeline.store.token_keys import rotate as rotate_tokens

    config, ring = settings.load(), key_ring()
    if config.app_secret_keys is None:
        put_in_front(config.home / KEY_FILE, new_key())
    done = rotate_tokens(warehouse(), ring)
    click.echo(f"{number(done.tokens, 'token is', 'tokens are')} under the newest key now; all others were already.")
    for each in done.lost:
        click.echo(f"No key fits {each} token: put its key back, or connect it again.", err=True)
    if done.lost:
        sys.exit(1)
