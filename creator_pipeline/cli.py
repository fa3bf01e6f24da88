"""``creator-pipeline``: exit 0 done, 1 work failed, 2 usage or configuration."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

import click

from creator_pipeline import __version__, settings
from creator_pipeline.core import logging
from creator_pipeline.core.errors import ConfigError, PipelineError

COMMANDS = {
    "alerts": "creator_pipeline.commands.alerts",
    "backfill": "creator_pipeline.commands.backfill",
    "books": "creator_pipeline.commands.books",
    "demo": "creator_pipeline.commands.demo",
    "doctor": "creator_pipeline.commands.doctor",
    "export": "creator_pipeline.commands.export",
    "fx": "creator_pipeline.commands.fx",
    "gateway": "creator_pipeline.commands.gateway",
    "keys": "creator_pipeline.commands.keys",
    "mail": "creator_pipeline.commands.mail",
    "migrate": "creator_pipeline.commands.migrate",
    "move": "creator_pipeline.commands.move",
    "profiles": "creator_pipeline.commands.profiles",
    "sandbox": "creator_pipeline.commands.sandbox",
    "smoke": "creator_pipeline.commands.smoke",
    "webhooks": "creator_pipeline.commands.webhooks",
}
"""Command -> module of its ``command``, beside those of the platforms. It is loaded when it is called."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS | _of_platforms())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        name = COMMANDS.get(cmd_name) or _of_platforms().get(cmd_name)
        if name is None:
            return None
        module: Any = importlib.import_module(name)
        return module.command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands, of which each is said in its source: to import all of them takes two seconds."""
        modules = COMMANDS | _of_platforms()
        limit = formatter.width - 6 - max(map(len, modules))
        rows = [
            (name, click.Command(name, help=_told(module)).get_short_help_str(limit))
            for name, module in sorted(modules.items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _told(module: str) -> str | None:
    """What ``command`` of a module says of itself, without importing the module."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return None
    for statement in ast.parse(Path(found.origin).read_bytes()).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "command":
            return ast.get_docstring(statement)
    return None


def _of_platforms() -> dict[str, str]:
    from creator_pipeline.platforms import PLATFORMS

    return {name: module for platform in PLATFORMS for name, module in platform.commands.items()}


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="creator-pipeline")
@click.pass_context
def cli(context: click.Context) -> None:
    """A creator's sales from Gumroad, Whop and Amazon KDP in one ledger."""
    from creator_pipeline.runtime import process

    settings.load_env_file()
    process.start()
    context.obj = _definitions


def _definitions() -> Any:
    from creator_pipeline.definitions import defs

    return defs


def _words() -> None:
    for word in sys.argv:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = word.encode("utf-8", "backslashreplace").decode()
            raise click.UsageError(f"{shown!r} is not UTF-8 text.") from None


def main() -> None:
    """The console script."""
    logging.set_up_command()
    try:
        _words()
        # Without standalone mode click returns the code of an Exit instead of raising it.
        sys.exit(cli.main(standalone_mode=False))
    except click.exceptions.Abort as error:
        # Of a run that was stopped, what became of it; of anything else click made an Abort of Ctrl-C itself.
        click.echo(str(error.__cause__ or "") or "Stopped.", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PipelineError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
