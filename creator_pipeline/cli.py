"""``creator-pipeline``: exit 0 done, 1 work failed, 2 usage or configuration."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from creator_pipeline import __version__, settings
from creator_pipeline.core.errors import ConfigError, PipelineError

COMMANDS = {
    "backfill": "backfill",
    "demo": "demo",
    "doctor": "doctor",
    "gateway": "gateway",
    "kdp": "kdp",
    "keys": "keys",
    "migrate": "migrate",
    "profiles": "profiles",
    "sandbox": "sandbox",
    "smoke": "smoke",
    "webhooks": "webhooks",
}
"""Command to module of :mod:`creator_pipeline.commands`: loaded when it is called, so that ``--help`` is quick."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module: Any = importlib.import_module(f"creator_pipeline.commands.{COMMANDS[cmd_name]}")
        return module.command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="creator-pipeline")
def cli() -> None:
    """A creator's sales from Gumroad, Whop and Amazon KDP in one ledger."""
    from creator_pipeline.runtime import process

    settings.load_env_file()
    process.start()


def _words() -> None:
    for word in sys.argv:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = word.encode("utf-8", "backslashreplace").decode()
            raise click.UsageError(f"{shown!r} is not UTF-8 text.") from None


def main() -> None:
    """The console script."""
    try:
        _words()
        # Without standalone mode click returns the code of an Exit instead of raising it.
        sys.exit(cli.main(standalone_mode=False))
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PipelineError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
