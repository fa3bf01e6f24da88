"""What pipeline_health watches, broken one at a time: named with its mend, told once, and once when it is mended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo
from sqlalchemy import delete, insert, select, update

from creator_pipeline import settings
from creator_pipeline.automation import health, health_sensor
from creator_pipeline.automation.health import Look, NotSeen, Problem
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, now, today
from creator_pipeline.dagster_support.leases import job_queue
from creator_pipeline.definitions import defs
from creator_pipeline.gumroad import hooks
from creator_pipeline.gumroad.client import GumroadClient
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.sandbox.server import SandboxServer
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, email_suppressions, health_reports, ingestion_jobs
from creator_pipeline_tests import house as small
from creator_pipeline_tests.automation.conftest import RESOURCES

PUBLIC, SECRET = "https://pipeline.example.com", "ping-secret-of-the-tests"


@dataclass
class Watched:
    """A small house in order, and the sensor that watches it."""

    house: Warehouse
    server: SandboxServer
    instance: dg.DagsterInstance
    ring: KeyRing
    inbox: Path
    cursor: str | None = None

    def tick(self) -> str:
        """One tick of the sensor; what it says."""
        context = dg.build_sensor_context(
            instance=self.instance,
            resources=RESOURCES,
            repository_def=defs.get_repository_def(),
            cursor=self.cursor,
        )
        result: Any = health_sensor.pipeline_health(context)
        self.cursor = result.cursor
        return result.skip_reason.skip_message

    def open(self) -> dict[str, dict[str, Any]]:
        """Open reports by id."""
        return {str(row["id"]): dict(row) for row in health.open_problems(self.house)}

    def mails(self) -> list[str]:
        """Subjects of what the sensor told."""
        with self.house.read() as connection:
            found = select(email_messages.c.subject).where(email_messages.c.id.startswith("health/"))
            return list(connection.execute(found.order_by(email_messages.c.created_at)).scalars())


@pytest.fixture
def watched(
    sqlite_warehouse: Warehouse, ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    inbox = tmp_path / "inbox"
    (inbox / "alice").mkdir(parents=True)
    monkeypatch.setenv("KDP_INBOX", str(inbox))
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    # Ticks are kept by an instance on disk only.
    (tmp_path / "dagster").mkdir()
    with (
        small.small_sandbox() as server,
        dg.DagsterInstance.local_temp(
            str(tmp_path / "dagster"), overrides={"telemetry": {"enabled": False}}
        ) as instance,
    ):
        instance.add_dynamic_partitions("gumroad_profiles", list(small.SIZES))
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        small.connect_all(sqlite_warehouse, ring, server)
        yield Watched(sqlite_warehouse, server, instance, ring, inbox)


def origin(name: str) -> RemoteInstigatorOrigin:
    place = RegisteredCodeLocationOrigin("creator_pipeline")
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), name)


def ticked(w: Watched, kind: InstigatorType, name: str, seconds_ago: float, error: str | None = None) -> None:
    """A tick as the daemon writes it."""
    what = origin(name)
    selector = what.get_selector().get_id()
    if w.instance.get_instigator_state(what.get_id(), selector) is None:
        data = SensorInstigatorData() if kind == SENSOR else ScheduleInstigatorData("10 2 * * *", 0.0)
        w.instance.add_instigator_state(InstigatorState(what, kind, InstigatorStatus.RUNNING, data))
    w.instance.create_tick(
        TickData(
            what.get_id(),
            name,
            kind,
            TickStatus.FAILURE if error else TickStatus.SKIPPED,
            time.time() - seconds_ago,
            error=SerializableErrorInfo(error, [], None) if error else None,
            selector_id=selector,
        )
    )


def alter_jobs(w: Watched, **values: object) -> None:
    with w.house.write() as connection:
        connection.execute(update(ingestion_jobs).values(**values))


def sync(w: Watched) -> None:
    window = DayWindow(today() - timedelta(days=1), today() + timedelta(days=1))
    small.run(w.instance, small.range_of("alice", "alice", window))


def lose_scope(w: Watched) -> None:
    w.server.world.gumroad.drop_scope("alice", "view_sales")
    sync(w)


def gain_scope(w: Watched) -> None:
    grant = w.server.world.gumroad["alice"].grant({"view_profile", "view_sales"})
    with w.house.write() as connection:
        profiles.connect(connection, w.ring, "gumroad", "alice", grant.token)
    sync(w)


def stuck(w: Watched) -> None:
    job_queue(w.house).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]})
    alter_jobs(w, visible_at=now() - timedelta(minutes=30))


def died(w: Watched) -> None:
    queue = job_queue(w.house)
    queue.enqueue("alice", "gumroad", "webhook", {"sale_ids": ["x"]}, job_id="job-of-alice")
    [lease] = queue.dequeue(1, 60)
    queue.fail(lease.job_id, lease.attempt, "Gumroad refuses the request.", None)


def backfill_failed(w: Watched) -> None:
    with w.house.write() as connection:
        connection.execute(
            insert(ingestion_jobs).values(
                id="b", profile_id="alice", source="gumroad", kind="backfill", status="failed", attempts=1,
                payload='{"from": "2026-01-01", "to": "2026-02-01"}', visible_at=now(), created_at=now(),
                finished_at=now(), error="refused",
            )
        )  # fmt: skip


def bounced(w: Watched) -> None:
    with w.house.write() as connection:
        for number, status in enumerate(["bounced"] * 2 + ["delivered"] * 8):
            add_mail(connection, f"m{number}", status)


def add_mail(connection: Any, key: str, status: str, minutes_ago: int = 0) -> None:
    at = now() - timedelta(minutes=minutes_ago)
    connection.execute(
        insert(email_messages).values(
            id=key, kind="ingestion_failed", to="a@example.com", subject="s", payload="{}", status=status, attempts=0,
            created_at=at, next_attempt_at=at,
        )
    )  # fmt: skip


def unbounced(w: Watched) -> None:
    with w.house.write() as connection:
        connection.execute(update(email_messages).where(email_messages.c.kind != "ops_failure").values(status="sent"))


def waiting_mail(w: Watched) -> None:
    os.environ["RESEND_API_KEY"], os.environ["FROM_EMAIL"] = "re_x", "Pipeline <no-reply@example.com>"
    with w.house.write() as connection:
        add_mail(connection, "late", "queued", minutes_ago=45)


def suppressed(w: Watched) -> None:
    address = w.server.world.gumroad["alice"].email
    with w.house.write() as connection:
        row = {"email": address.lower(), "category": "*", "reason": "bounced", "created_at": now()}
        connection.execute(insert(email_suppressions).values(row))


def other_address(w: Watched) -> None:
    with w.house.write() as connection:
        profiles.add_profile(connection, "alice", "alice.new@example.com")


def revoked(w: Watched) -> None:
    with w.house.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "Gumroad refuses the token.")


def reconnected(w: Watched) -> None:
    with w.house.write() as connection:
        profiles.connect(connection, w.ring, "gumroad", "alice", w.server.world.gumroad["alice"].token)


def report(w: Watched, folder: str) -> Path:
    (w.inbox / folder).mkdir(exist_ok=True)
    path = w.inbox / folder / "report.csv"
    path.write_text("a,b\n", encoding="utf-8")
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


def ledger_run(w: Watched, status: dg.DagsterRunStatus) -> None:
    w.instance.create_run_for_job(defs.resolve_job_def("ledger"), status=status)


SENSOR, SCHEDULE = InstigatorType.SENSOR, InstigatorType.SCHEDULE
DAY = 86_400
Step = Callable[[Watched], object]
CASES: dict[str, tuple[Step, Step, str]] = {
    "sensor/webhook_jobs": (
        lambda w: ticked(w, SENSOR, "webhook_jobs", 30, "ValueError: broken\n"),
        lambda w: ticked(w, SENSOR, "webhook_jobs", 1),
        "Automation, webhook_jobs",
    ),
    "sensor/profiles": (
        lambda w: ticked(w, SENSOR, "profiles", 3600),
        lambda w: ticked(w, SENSOR, "profiles", 1),
        "Restart dagster-daemon",
    ),
    "schedule/gumroad_nightly": (
        lambda w: ticked(w, SCHEDULE, "gumroad_nightly", 3 * DAY),
        lambda w: ticked(w, SCHEDULE, "gumroad_nightly", 60),
        "Restart dagster-daemon",
    ),
    "schedule/gumroad_lookback": (
        lambda w: ticked(w, SCHEDULE, "gumroad_lookback", 60, "ValueError: broken\n"),
        lambda w: ticked(w, SCHEDULE, "gumroad_lookback", 1),
        "Automation, gumroad_lookback",
    ),
    "partitions/gumroad/alice": (
        lose_scope,
        gain_scope,
        f"backfill gumroad --profile alice --from {today() - timedelta(days=1)} --to {today()}",
    ),
    "job/ledger/the pipeline": (
        lambda w: ledger_run(w, dg.DagsterRunStatus.FAILURE),
        lambda w: ledger_run(w, dg.DagsterRunStatus.SUCCESS),
        "start the job again",
    ),
    "queue/gumroad": (stuck, lambda w: alter_jobs(w, status="completed"), "webhook_jobs on"),
    "dead/gumroad/alice/job": (died, lambda w: alter_jobs(w, status="queued", visible_at=now()), "replay job-of-alice"),
    "dead/gumroad/alice/backfill": (
        backfill_failed,
        lambda w: alter_jobs(w, status="completed"),
        "backfill gumroad --profile alice --from 2026-01-01 --to 2026-01-31",
    ),
    "mail/rates": (bounced, unbounced, "profiles list"),
    "mail/outbox": (waiting_mail, unbounced, "email_outbox"),
    "mail/address/alice": (suppressed, other_address, "profiles add alice --email"),
    "connection/gumroad/alice": (revoked, reconnected, "profiles connect alice"),
    "inbox/stray/nobody": (
        lambda w: report(w, "nobody"),
        lambda w: (w.inbox / "nobody" / "report.csv").unlink(),
        "profiles add nobody",
    ),
    "inbox/late/alice": (
        lambda w: report(w, "alice"),
        lambda w: (w.inbox / "alice" / "report.csv").unlink(),
        "kdp_inbox on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_thing_that_breaks_is_named_with_its_mend_and_told_once(
    watched: Watched, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a sensor had been dead for a week; nobody looks at a page that is always green."""
    for variable in ("RESEND_API_KEY", "FROM_EMAIL"):
        monkeypatch.setenv(variable, "")
    break_it, mend_it, mend = CASES[name]
    assert watched.tick() == "All is well."
    break_it(watched)
    watched.tick()
    assert set(watched.open()) == {name}
    assert mend in watched.open()[name]["mend"]
    watched.tick()
    assert len(watched.mails()) == 1
    mend_it(watched)
    assert watched.tick() == "All is well."
    assert watched.open() == {}
    assert len(watched.mails()) == 1


def test_a_problem_that_comes_back_is_told_again(watched: Watched) -> None:
    """Incident: the second failure of a sensor was taken for the first, which somebody had mended."""
    for _ in range(2):
        revoked(watched)
        watched.tick()
        reconnected(watched)
        watched.tick()
    assert len(watched.mails()) == 2


def test_a_source_that_is_switched_off_waits_on_purpose(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a platform switched off for its maintenance made an alarm each minute."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    stuck(watched)
    assert watched.tick() == "All is well."


def test_jobs_behind_a_run_of_their_profile_are_not_stuck(watched: Watched) -> None:
    """Incident: every initial sync of an hour made an alarm, and nobody read the next one."""
    stuck(watched)
    watched.instance.create_run_for_job(
        defs.resolve_job_def("ledger"), status=dg.DagsterRunStatus.STARTED, tags={"creator_pipeline/profile": "alice"}
    )
    assert watched.tick() == "All is well."


def test_missing_pings_are_found_by_looking_at_one_profile_a_tick(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a seller withdrew the app and allowed it again; the pings were gone, and sales came a day late."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    for name in small.SIZES:
        register(watched, name)
    watched.server.world.gumroad["bea"].subscriptions.pop()
    said = [watched.tick() for _ in range(4)]
    assert said[0] == "All is well."
    assert set(watched.open()) == {"pings/bea"}
    assert "subscription_restarted" in watched.open()["pings/bea"]["text"]
    asked = watched.server.faults.requests.total()
    watched.tick()
    assert watched.server.faults.requests.total() == asked
    register(watched, "bea")
    watched.cursor = None
    for _ in range(3):
        watched.tick()
    assert watched.open() == {}
    assert len(watched.mails()) == 1


def register(w: Watched, name: str) -> None:
    with GumroadClient(w.server.gumroad_url, w.server.world.gumroad[name].token, LocalPace(1e9)) as client:
        hooks.register(client, PUBLIC, SECRET, name)


def test_an_outage_of_the_platform_says_nothing_about_pings(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a bad gateway at Gumroad was told as pings that nobody had ever removed."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    watched.server.faults.every(1, "502", path="/v2/resource_subscriptions")
    for _ in small.SIZES:
        assert watched.tick() == "All is well."


def test_the_sensor_never_raises(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: the warehouse was down, and so was the one sensor that would have said so."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}")
    assert watched.tick() == "Nothing was looked at: ConfigError."


def test_the_check_lists_what_is_open_with_its_mend(watched: Watched) -> None:
    """Incident: the mail went to somebody on holiday, and the UI was green."""
    assert health_sensor.pipeline_is_healthy(RESOURCES["warehouse"]).passed
    revoked(watched)
    watched.tick()
    result = health_sensor.pipeline_is_healthy(RESOURCES["warehouse"])
    assert not result.passed
    assert "profiles connect alice" in str(result.metadata["mend"].value)


def problem(name: str) -> Problem:
    return Problem(name, "X", f"{name} is broken", "mend it")


def boom() -> list[Problem]:
    raise ValueError("no eyes: token=abcdef123")


def not_seen() -> list[Problem]:
    raise NotSeen


def test_a_look_that_fails_is_a_problem_itself_and_forgets_nothing(warehouse: Warehouse) -> None:
    """Incident: a look that raised was read as "nothing is wrong any more", and all was reported mended."""
    config = settings.load()
    with warehouse.write() as connection:
        connection.execute(delete(health_reports))
    seen = Look("a/", lambda: [problem("a/1"), problem("a/2")])
    other = Look("b", lambda: [problem("b")])
    assert [one.id for one in health.take([seen, other], warehouse, config).new] == ["a/1", "a/2", "b"]
    blind = health.take([Look("a/", boom), other], warehouse, config)
    assert [one.id for one in blind.new] == ["look/a"]
    assert "abcdef123" not in blind.new[0].text
    assert blind.mended == []
    assert health.take([Look("a/", not_seen)], warehouse, config) == health.News(open=4)
    last = health.take([Look("a/", lambda: [problem("a/2")]), Look("b", list)], warehouse, config)
    assert (sorted(last.mended), last.open) == (["a/1", "b", "look/a"], 1)
