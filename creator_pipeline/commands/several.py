"""Several profiles in one command, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from creator_pipeline.core.errors import ConfigError, PipelineError

Function = TypeVar("Function", bound=Callable[..., Any])


def several(text: str) -> Callable[[Function], Function]:
    """The options ``--profile``, which may be given several times, and ``--all``.

    Args:
        text: help of ``--profile``: ``Whose sales``.
    """

    def decorated(function: Function) -> Function:
        function = click.option("--all", "everybody", is_flag=True, help="Of every profile.")(function)
        return click.option("--profile", "profile_ids", multiple=True, help=f"{text}; may be given several times.")(
            function
        )

    return decorated


def chosen(profile_ids: Sequence[str], every: Callable[[], list[str]], *, everybody: bool) -> list[str]:
    """The profiles that were named, each once, or all.

    Args:
        profile_ids: of ``--profile``.
        every: finds all.
        everybody: of ``--all``.

    Raises:
        UsageError: neither or both were given.
    """
    if bool(profile_ids) == everybody:
        raise click.UsageError("Name profiles with --profile, or say --all.")
    return every() if everybody else list(dict.fromkeys(profile_ids))


def for_each(names: Sequence[str], work: Callable[[str], bool]) -> None:
    """Do the work of each profile; one profile's fault keeps no other from its own.

    Args:
        names: of the profiles.
        work: takes one, and says whether all went well.

    Raises:
        PipelineError: of the only profile.
        Exit: 1 where work failed, 2 where only something must be set.
    """
    codes = set[int]()
    for name in names:
        try:
            codes.add(0 if work(name) else 1)
        except PipelineError as error:
            if len(names) == 1:
                raise
            click.echo(f"{name}: {error.message} {error.hint}".strip(), err=True)
            codes.add(2 if isinstance(error, ConfigError) else 1)
    if code := max(codes, default=0):
        raise click.exceptions.Exit(1 if 1 in codes else code)
