"""``creator-pipeline alerts``."""

from __future__ import annotations

import json

import click

from creator_pipeline import settings
from creator_pipeline.commands import doctor
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.mail import alert_rows, alerts
from creator_pipeline.mail.alert_rows import Standing
from creator_pipeline.runtime.context import warehouse


@click.group("alerts")
def command() -> None:
    """Chat and on-call channels of ALERT_URLS."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_channels(*, as_json: bool) -> None:
    """Every channel, what it is told of, and how it stands; then the notices of a day that were lost."""
    config = settings.load()
    with warehouse().read() as connection:
        standing, lost = alert_rows.standing(connection), alert_rows.lost(connection)
    rows = [
        {"channel": one.name, "topics": list(one.topics), **standing.get(one.name, Standing())._asdict()}
        for one in alerts.channels(config)
    ]
    if as_json:
        click.echo(json.dumps({"channels": rows, "lost": [one._asdict() for one in lost]}, default=str, indent=1))
        return
    for row in rows:
        taken = f"last taken {row['sent_at']:%Y-%m-%d %H:%M} UTC" if row["sent_at"] else "none taken yet"
        topics = ",".join(row["topics"]) or "everything"
        click.echo(f"{row['channel']:14} {topics:30} {taken}, {row['waiting']} waiting, {row['lost']} lost")
    for one in lost:
        click.echo(f"{one.created_at:%Y-%m-%d %H:%M} {one.status:8} {one.id}: {one.error}")
    if not rows:
        click.echo("ALERT_URLS is not set: notices go by mail only. See docs/alerts.md.")


@command.command("test")
@click.argument("channel", required=False)
def test(channel: str | None) -> None:
    """Send a notice that asks for nothing to CHANNEL, or to all. Exit 1 when one isn't taken."""
    from creator_pipeline.monitoring import alert_checks

    config = settings.load()
    names = [one.name for one in alerts.channels(config)]
    if channel is not None and channel not in names:
        raise ConfigError(f"ALERT_URLS has no channel {channel}.", hint=f"It has {', '.join(names) or 'none'}.")
    if not names:
        raise ConfigError("ALERT_URLS names no channel.", hint="See docs/alerts.md.")
    found = alert_checks.send_test(warehouse(), config, [channel] if channel else names)
    click.echo(doctor.table(found))
    if any(one.state != "ok" for one in found):
        raise click.exceptions.Exit(1)
