"""``creator-pipeline doctor``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.monitoring.run_checks import run

if TYPE_CHECKING:
    from creator_pipeline.runtime.run_here import LoadDefinitions

_WORDS = {state: state for state in ("ok", "no", "off", "unknown")}
_COLOURS = {"ok": "green", "no": "red", "off": "bright_black", "unknown": "yellow"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable: a list of {name, state, detail, hint}.")
@click.pass_obj
def command(load_definitions: LoadDefinitions, *, as_json: bool) -> None:
    """Check every integration and table; exit 1 when something that is configured doesn't work."""
    try:
        found = findings(settings.load(), load_definitions)
    except ConfigError as error:
        found = [Finding("settings", "no", error.message, error.hint)]
    click.echo(json.dumps([finding.as_json() for finding in found], indent=1) if as_json else table(found))
    if any(finding.state == "no" for finding in found):
        raise click.exceptions.Exit(1)


def findings(config: settings.Settings, load_definitions: LoadDefinitions) -> list[Finding]:
    """All lines. The definitions are loaded by the check of Dagster, so that they break no other line."""
    from creator_pipeline.monitoring import dagster_checks, installation_checks, mail_checks, platform_checks
    from creator_pipeline.runtime.context import instance, key_ring

    checks = [
        *installation_checks.checks(config),
        Check("dagster storage", lambda: dagster_checks.storage(instance, load_definitions)),
        *platform_checks.doctor_checks(config, key_ring),
        *mail_checks.setup(config),
    ]
    return run(checks, config)


def table(found: Sequence[Finding], words: Mapping[str, str] = _WORDS) -> str:
    """Lines for people, and how many there are of each; ``words`` for the states."""
    width = max(len(finding.name) for finding in found)
    lines: list[str] = []
    for finding in found:
        state = click.style(f"{words[finding.state]:7}", fg=_COLOURS[finding.state])
        lines.append(f"{state} {finding.name:{width}}  {finding.detail}".rstrip())
        if finding.hint and finding.state != "ok":
            lines.append(f"{'':7} {'':{width}}  → {finding.hint}")
    counts = {state: sum(finding.state == state for finding in found) for state in _COLOURS}
    lines.append("")
    lines.append(", ".join(f"{count} {words[state]}" for state, count in counts.items()))
    return "\n".join(lines)
