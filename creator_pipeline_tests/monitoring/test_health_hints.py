"""Every command that health prints is run as printed, on a real small installation, and what it is beside is over."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster._cli import create_dagster_cli
from sqlalchemy import insert

from creator_pipeline.cli import cli
from creator_pipeline.core.windows import DayWindow, now, today
from creator_pipeline.platforms.kdp.assets import UPLOAD_PARTITIONS
from creator_pipeline.platforms.kdp.inbox import register
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import email_suppressions, ingestion_jobs
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import printed_commands
from creator_pipeline_tests.support.health import Watched
from creator_pipeline_tests.support.paths import ROOT

FIRST = today() - timedelta(days=2)


def job_dies(w: Watched) -> None:
    queue = job_queue(w.warehouse)
    queue.enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]}, job_id="job-of-alice")
    [lease] = queue.dequeue(1, 60)
    queue.fail(lease.id, lease.attempt, "Gumroad refuses the request.", None)


def backfill_fails(w: Watched) -> None:
    payload = f'{{"from": "{FIRST}", "to": "{today()}"}}'
    with w.warehouse.write() as connection:
        connection.execute(
            insert(ingestion_jobs).values(
                id="b", profile_id="alice", source="gumroad", kind="backfill", status="failed", attempts=1,
                payload=payload, visible_at=now(), created_at=now(), finished_at=now(), error="refused",
            )
        )  # fmt: skip


def without_flag(flag: str, work: Callable[[Watched], object]) -> Callable[[Watched], None]:
    """A run that fails before it reads anything."""

    def broken(w: Watched) -> None:
        w.monkeypatch.setenv(flag, "false")
        work(w)
        w.monkeypatch.setenv(flag, "true")

    return broken


def sync(w: Watched) -> None:
    small.run(w.instance, small.range_of("alice", "alice", DayWindow(FIRST, today())))


def read_products(w: Watched) -> None:
    small.run(w.instance, {}, "gumroad_catalogue", partition_key="alice")


def read_report(w: Watched) -> None:
    path = w.inbox.parent / "report.xlsx"
    reports = (ROOT / "creator_pipeline_tests/fixtures/kdp").glob("KDP_Prior_Month_Royalties*.xlsx")
    path.write_bytes(min(reports).read_bytes())
    [file] = register(w.warehouse, [path], "alice")
    w.instance.add_dynamic_partitions(str(UPLOAD_PARTITIONS.name), [file.partition])
    small.run(w.instance, {}, "kdp_ingest", partition_key=file.partition)


def suppress(address: Callable[[Watched], str]) -> Callable[[Watched], None]:
    def suppressed(w: Watched) -> None:
        with w.warehouse.write() as connection:
            row = {"email": address(w), "category": "*", "reason": "complained", "created_at": now()}
            connection.execute(insert(email_suppressions).values(row))

    return suppressed


def revoke(w: Watched) -> None:
    with w.warehouse.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "It refuses the token.")


def stray(w: Watched) -> None:
    (w.inbox / "nobody").mkdir()
    (w.inbox / "nobody" / "report.csv").write_text("a,b\n", encoding="utf-8")


def token(w: Watched) -> str:
    return w.server.world.gumroad["alice"].token


CASES: Mapping[str, tuple[Callable[[Watched], None], str, Mapping[str, Callable[[Watched], str]]]] = {
    "dead/gumroad/alice/job": (job_dies, "webhooks replay", {}),
    "dead/gumroad/alice/backfill": (backfill_fails, "backfill", {}),
    "partitions/gumroad/alice": (without_flag("ENABLE_GUMROAD", sync), "backfill", {}),
    "partitions/gumroad/products/alice": (without_flag("ENABLE_GUMROAD", read_products), "materialize", {}),
    "partitions/kdp/royalties/": (without_flag("ENABLE_KDP", read_report), "materialize", {}),
    "partitions/kdp/payments/": (without_flag("ENABLE_KDP", read_report), "materialize", {}),
    "partitions/sales_events/amazon_kdp/": (without_flag("ENABLE_KDP", read_report), "materialize", {}),
    "mail/address/alice": (
        suppress(lambda w: w.server.world.gumroad["alice"].email.lower()),
        "profiles add",
        {"ANOTHER": lambda _: "another@example.com"},
    ),
    "mail/address/OPS_EMAIL/1": (suppress(lambda _: "ops@example.com"), "suppressions lift", {}),
    "connection/gumroad/alice": (revoke, "profiles add", {"TOKEN": token}),
    "inbox/stray/nobody": (stray, "profiles add", {"ADDRESS": lambda _: "nobody@example.com"}),
}
"""What breaks it, which of its commands is run, and what a reader fills in."""


def give(w: Watched, command: str, values: Mapping[str, Callable[[Watched], str]]) -> None:
    """Run a command as printed; a word in capitals is what the reader fills in."""
    words = [values[word](w) if word in values else word for word in shlex.split(command)]
    root = cli if words[0] == "creator-pipeline" else create_dagster_cli()
    result = CliRunner().invoke(root, words[1:], standalone_mode=False)
    assert (result.exception, result.return_value) in {(None, None), (None, 0)}, result.output


@pytest.mark.parametrize("name", CASES)
def test_the_command_beside_a_problem_ends_it(watched: Watched, name: str) -> None:
    """Incident: the command beside KDP's failed reports was refused, and eleven others had never been tried."""
    break_it, which, values = CASES[name]
    home = Path(watched.instance.root_directory)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    watched.monkeypatch.setenv("DAGSTER_HOME", str(home))
    # Not the project: Dagster would take the .env of whoever has set it up.
    watched.monkeypatch.chdir(home)
    break_it(watched)
    watched.tick()
    found = next((one for one in watched.open() if one.startswith(name)), None)
    assert found, watched.open()
    printed = [one for one in printed_commands.commands(watched.open()[found]["hint"]) if which in one]
    assert len(printed) == 1, watched.open()[found]
    give(watched, printed[0], values)
    watched.tick()
    assert found not in watched.open(), watched.open()[found]
    assert os.environ["DAGSTER_HOME"] == str(home)
