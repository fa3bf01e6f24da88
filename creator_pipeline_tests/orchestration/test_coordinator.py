"""Whatever is launched by hand has the tags that the limits, the pages and the mails go by."""

import sys
import time
import types

import dagster as dg
import pytest

from creator_pipeline.orchestration.coordinator import missing_tags
from creator_pipeline.runtime import run_here
from creator_pipeline.runtime.dagster_internals import runs_of_location
from creator_pipeline.runtime.liveness import HERE_TAG
from creator_pipeline.runtime.tags import (
    ACCOUNT_TAG,
    CAN_WAIT_TAG,
    LOAD_TAG,
    PARTITION,
    PROFILE_TAG,
    RANGE_END,
    RANGE_START,
    SOON,
    TRIGGER_TAG,
)

SALES, EVENTS = dg.AssetKey(["gumroad", "sales"]), dg.AssetKey(["sales_events", "gumroad"])
OVERRIDES = {
    "run_coordinator": {"module": "creator_pipeline.orchestration.coordinator", "class": "Coordinator"},
    "telemetry": {"enabled": False},
}
WAITS = {CAN_WAIT_TAG: "true"}
ALICE = {PROFILE_TAG: "alice", ACCOUNT_TAG: "gumroad/alice"}


def run(tags: dict[str, str], *keys: dg.AssetKey, job: str = "__ASSET_JOB") -> dg.DagsterRun:
    return dg.DagsterRun(job, tags=tags, asset_selection=frozenset(keys) or None)


@pytest.mark.parametrize(
    ("launched", "tags"),
    [
        (run({PARTITION: "2026-11-22|alice"}, SALES), {**WAITS, TRIGGER_TAG: "ui", **ALICE}),
        (run({PARTITION: "2026-11-22|alice"}, EVENTS), {**WAITS, TRIGGER_TAG: "ui", **ALICE}),
        (run({PARTITION: "alice"}, job="gumroad_catalogue"), {**WAITS, TRIGGER_TAG: "ui", **ALICE}),
        (
            run({RANGE_START: "2026-01-01|alice", RANGE_END: "2026-03-01|alice"}, SALES),
            {**WAITS, TRIGGER_TAG: "ui", **ALICE, LOAD_TAG: "ui"},
        ),
        (
            run({RANGE_START: "2026-01-01|alice", RANGE_END: "2026-03-01|bea", "dagster/backfill": "b"}, SALES),
            {**WAITS, TRIGGER_TAG: "backfill", LOAD_TAG: "backfill"},
        ),
        (run({PARTITION: "0123456789abcdef"}, job="kdp_ingest"), {**WAITS, TRIGGER_TAG: "ui"}),
        (run({}, job="ledger"), {**WAITS, TRIGGER_TAG: "ui"}),
        (run({TRIGGER_TAG: "nightly", PARTITION: "2026-11-22|alice"}, SALES), WAITS),
        (run({TRIGGER_TAG: "webhook", **SOON}, job="gumroad_refresh"), {}),
    ],
)
def test_a_run_that_was_launched_by_hand_is_tagged(launched: dg.DagsterRun, tags: dict[str, str]) -> None:
    """Incident: two runs of one account at once: one of the night, one that somebody had started by a click."""
    assert missing_tags(launched) == tags


def test_the_daemon_looks_as_often_as_somebody_waits(tmp_path, monkeypatch) -> None:
    """Incident: a sale waited five seconds for a tick and one for its turn, and its work took half a second."""
    loop = types.SimpleNamespace(MIN_INTERVAL_LOOP_TIME=5)
    monkeypatch.setitem(sys.modules, "dagster._daemon.sensor", loop)
    overrides = OVERRIDES | {
        "run_coordinator": OVERRIDES["run_coordinator"] | {"config": {"dequeue_interval_seconds": 1}}
    }
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        assert instance.run_coordinator.dequeue_interval_seconds == 0.5
    assert loop.MIN_INTERVAL_LOOP_TIME == 1.0


def test_the_queue_of_dagster_yaml_tags_what_it_takes(tmp_path) -> None:
    """Incident: guards a coordinator that is written and that no configuration names."""

    @dg.job
    def gumroad_some() -> None:
        """Does nothing."""

    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=OVERRIDES) as instance:
        with runs_of_location(instance, "creator_pipeline"):
            made = instance.create_run_for_job(gumroad_some, tags={PARTITION: "2026-11-22|alice"})
        # The workspace is of no account to it.
        context = dg.SubmitRunContext(made, None)  # pyright: ignore[reportArgumentType] - see above
        queued = instance.run_coordinator.submit_run(context)
        assert queued.status == dg.DagsterRunStatus.QUEUED
        assert {TRIGGER_TAG: "ui", **ALICE}.items() <= queued.tags.items()


def test_a_command_s_run_that_is_run_again_is_the_launcher_s(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: run again in the UI, it had the tags of the command: Terminate waited for a command that was long gone."""

    @dg.job
    def gumroad_some() -> None:
        """Does nothing."""

    told = list[str]()
    monkeypatch.setattr(dg.QueuedRunCoordinator, "cancel_run", lambda _self, run_id: told.append(run_id) or True)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=OVERRIDES) as instance:
        with runs_of_location(instance, "creator_pipeline"):
            tags = {HERE_TAG: "true", run_here.NO_RETRY_TAG: "0", TRIGGER_TAG: "backfill"}
            made = instance.create_run_for_job(gumroad_some, tags=tags)
        context = dg.SubmitRunContext(made, None)  # pyright: ignore[reportArgumentType] - the workspace is of no account
        queued = instance.run_coordinator.submit_run(context)
        assert queued.tags[run_here.NO_RETRY_TAG] == str(instance.run_retries_max_retries)
        assert instance.run_coordinator.cancel_run(queued.run_id)
        assert told == [queued.run_id]


def test_a_run_of_a_command_ends_when_it_is_terminated_in_the_ui(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: "Unable to terminate run", and then, by force, CANCELED in the UI while the command went on for hours."""
    monkeypatch.setattr(run_here, "WATCH_SECONDS", 0.05)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=OVERRIDES) as instance:

        @dg.op
        def read(context: dg.OpExecutionContext) -> None:
            assert instance.run_coordinator.cancel_run(context.run_id)
            for _ in range(3000):
                time.sleep(0.01)
            pytest.fail("Nobody ended it.")

        @dg.job
        def reading() -> None:
            read()

        with pytest.raises(run_here.Stopped):
            run_here.run_here(dg.Definitions(jobs=[reading]), instance, "reading", {PROFILE_TAG: "alice"})
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.CANCELED
        # What the UI needs to find its job and to run it again, and the daemon to leave that to a person.
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == "creator_pipeline"
        assert run.tags["dagster/max_retries"] == "0"
