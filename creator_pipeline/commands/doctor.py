"""``creator-pipeline doctor``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.monitoring.run_checks import run

if TYPE_CHECKING:
    from creator_pipeline.runtime.run_here import LoadDefinitions

_WORDS = {state: state for state in ("ok", "no", "off", "unknown")}
_SHOWN = 10
_COLOURS = {"ok": "green", "no": "red", "off": "bright_black", "unknown": "yellow"}


Given = Callable[..., Any]


def selection(function: Given) -> Given:
    """The options by which doctor and smoke show less."""
    only = click.option("--only-problems", is_flag=True, help="Leave out the lines that are ok or off.")
    profile = click.option(
        "--profile", "profiles", multiple=True, metavar="ID", help="Only the lines about this profile; may be repeated."
    )
    return profile(only(function))


@click.command("doctor")
@selection
@click.option("--json", "as_json", is_flag=True, help="Machine-readable: a list of {name, state, detail, hint}.")
@click.pass_obj
def command(load_definitions: LoadDefinitions, *, profiles: Sequence[str], only_problems: bool, as_json: bool) -> None:
    """Check every integration and table; exit 1 when something that is configured doesn't work."""
    try:
        config = settings.load()
        found = selected(findings(config, load_definitions, profiles), profiles, only_problems=only_problems)
    except ConfigError as error:
        found = [Finding("settings", "no", error.message, error.hint)]
    click.echo(json.dumps([finding.as_json() for finding in found], indent=1) if as_json else table(found))
    if any(finding.state == "no" for finding in found):
        raise click.exceptions.Exit(1)


def findings(
    config: settings.Settings, load_definitions: LoadDefinitions, profiles: Sequence[str] = ()
) -> list[Finding]:
    """All lines. The definitions are loaded by the check of Dagster, so that they break no other line.

    Args:
        config: of this installation.
        load_definitions: of the code location.
        profiles: only these are asked of at the platforms; all where none is given.
    """
    from creator_pipeline.monitoring import (
        alert_checks,
        dagster_checks,
        installation_checks,
        mail_checks,
        platform_checks,
    )
    from creator_pipeline.runtime.context import instance, key_ring

    checks = [
        *installation_checks.checks(config),
        Check("dagster storage", lambda: dagster_checks.storage(instance, load_definitions)),
        *platform_checks.doctor_checks(config, key_ring, profiles),
        *mail_checks.setup(config),
        *alert_checks.setup(config),
    ]
    return run(checks, config)


def selected(found: Sequence[Finding], profiles: Sequence[str], *, only_problems: bool) -> list[Finding]:
    """The lines that were asked for.

    Args:
        found: all lines.
        profiles: only the lines about one of these; all where none is given.
        only_problems: only what doesn't work, or can't be seen.
    """
    return [
        one
        for one in found
        if (not profiles or any(_is_about(one, name) for name in profiles))
        and (not only_problems or one.state in {"no", "unknown"})
    ]


def _is_about(finding: Finding, profile_id: str) -> bool:
    words = finding.name.replace("/", " ").split()
    return profile_id == finding.profile_id or profile_id in words


def table(found: Sequence[Finding], words: Mapping[str, str] = _WORDS) -> str:
    """Lines for people, and how many there are of each; ``words`` for the states.

    What is the same of several profiles is one line with their ids.
    """
    lines: list[str] = []
    groups = grouped(found)
    width = max((len(name) for name, _ in groups), default=0)
    for name, group in groups:
        first = group[0]
        who = _names([one.profile_id for one in group]) if len(group) > 1 else ""
        state = click.style(f"{words[first.state]:7}", fg=_COLOURS[first.state])
        lines.append(f"{state} {name:{width}}  {first.detail}{who}".rstrip())
        if first.hint and first.state != "ok":
            lines.append(f"{'':7} {'':{width}}  → {first.hint}")
    counts = {state: sum(finding.state == state for finding in found) for state in _COLOURS}
    lines.append("")
    lines.append(", ".join(f"{count} {words[state]}" for state, count in counts.items()))
    return "\n".join(lines)


def grouped(found: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    """Lines by what they say: those that differ in the profile's id only are one, under a name without it."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in found:
        whose = one.profile_id
        said = (one.state, *(without(text, whose) for text in (one.name, one.detail, one.hint))) if whose else ()
        groups.setdefault(said or (one.state, one.name, one.detail, one.hint), []).append(one)
    return [
        (" ".join(without(group[0].name, group[0].profile_id).split()) if len(group) > 1 else group[0].name, group)
        for group in groups.values()
    ]


def without(text: str, profile_id: str) -> str:
    """A text without the profile's id, as a word of its own."""
    return re.sub(rf"(?<![\w-]){re.escape(profile_id)}(?![\w-])", "", text)


def _names(profiles: Sequence[str]) -> str:
    shown = ", ".join(profiles[:_SHOWN]) + (f" and {len(profiles) - _SHOWN} more" if len(profiles) > _SHOWN else "")
    return f" ({number(len(profiles), 'profile')}: {shown})"
