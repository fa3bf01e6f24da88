"""``creator-pipeline smoke``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from creator_pipeline import settings
from creator_pipeline.commands import doctor
from creator_pipeline.core.checks import Finding
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.monitoring.run_checks import run

if TYPE_CHECKING:
    from creator_pipeline.runtime.run_here import LoadDefinitions

WORDS = {"ok": "pass", "no": "FAIL", "off": "off", "unknown": "unknown"}
SECONDS = 45.0
_TOO_MUCH = ("table ", "flag ")
"""Lines of the doctor that are shown here only where something is wrong."""


@click.command("smoke")
@click.option("--staging", is_flag=True, help="Write, too: a mail, a notice to each channel, a delivery of our own.")
@doctor.selection
@click.option("--json", "as_json", is_flag=True, help="Machine-readable: a list of {name, state, detail, hint}.")
@click.pass_obj
def command(
    load_definitions: LoadDefinitions, *, staging: bool, profiles: Sequence[str], only_problems: bool, as_json: bool
) -> None:
    """Check a deployment: integrations, figures, error rates, mails. Exit 1 when a line fails."""
    every = _findings(load_definitions, profiles, staging=staging)
    found = doctor.selected(every, profiles, only_problems=only_problems)
    click.echo(json.dumps([one.as_json() for one in found], indent=1) if as_json else doctor.table(found, WORDS))
    if any(finding.state == "no" for finding in found):
        raise click.exceptions.Exit(1)


def _findings(load_definitions: LoadDefinitions, profiles: Sequence[str], *, staging: bool) -> list[Finding]:
    from creator_pipeline.monitoring import smoke
    from creator_pipeline.runtime.context import instance, warehouse

    config = settings.load()
    lines = doctor.findings(config, load_definitions, profiles)
    shown = [one for one in lines if one.state == "no" or not one.name.startswith(_TOO_MUCH)]
    try:
        opened = warehouse()
        reading = smoke.reading(config, opened, instance)
        if profiles:
            reading = [one for one in reading if any(name in one.name.split() for name in profiles)]
        checks = [*reading, *(smoke.writing(config, opened) if staging else [])]
    except PipelineError as error:
        return [*shown, Finding("data", "no", error.message, error.hint)]
    return shown + run(checks, config, seconds=SECONDS)
