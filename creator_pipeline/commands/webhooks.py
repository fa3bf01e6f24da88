"""``creator-pipeline webhooks``."""

from __future__ import annotations

import json

import click

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.gateway import replay as room
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.runtime.context import warehouse


@click.group("webhooks")
def command() -> None:
    """Deliveries of the platforms, and the jobs they became."""


@command.command("list")
@click.option("--status", help="Only these: stored, queued, done, ignored; dead: all that ended badly.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_deliveries(status: str | None, limit: int, *, as_json: bool) -> None:
    """The newest deliveries first, and what became of them."""
    rows = room.deliveries(warehouse(), status, limit)
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    for row in rows:
        state = f"{row['status']}, job {row['job_status']}" if row["job_status"] else row["status"]
        click.echo(
            f"{row['received_at']:%Y-%m-%d %H:%M:%S} {row['provider']:8} {row['event_type'] or '-':28} "
            f"{row['profile_id'] or '-':16} {state:22} +{row['repeats']}  {row['delivery_id']}"
        )
        for said in (row["error"], row["note"]):
            if said:
                click.echo(f"    {said}")
    alone = room.dead_jobs(warehouse(), limit) if status == "dead" else []
    for job in alone:
        click.echo(f"job {job['id']}: {job['kind']} of {job['source']} {job['profile_id']}, {job['status']}")
        if job["error"]:
            click.echo(f"    {job['error']}")
    if not rows and not alone:
        click.echo("No delivery.")


@command.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--all", "everything", is_flag=True, help="All that ended badly, were only stored, or fitted no profile.")
def replay(ids: tuple[str, ...], *, everything: bool) -> None:
    """Put dead or failed jobs back into the queue, and deliveries that were only stored or ignored.

    An ID is a delivery's or a job's, as `webhooks list` shows them.
    """
    if not ids and not everything:
        raise click.UsageError("Name deliveries or jobs, or say --all.")
    config = settings.load()
    stored = warehouse()
    count = room.replay(stored, JobQueue(stored, connect(config)), config, None if everything else ids)
    if ids and not count:
        raise ConfigError(
            "Nothing by that name waits for a replay.", hint="creator-pipeline webhooks list --status dead"
        )
    click.echo(f"{number(count, 'job')} {'is' if count == 1 else 'are'} in the queue again.")
