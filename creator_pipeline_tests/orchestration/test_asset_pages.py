"""What Dagster's asset pages show is read at night, and the same as at a first look."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.remote_representation.external_data import PartitionsSnap
from dagster_postgres import PostgresEventLogStorage

from creator_pipeline.orchestration.asset_pages import read_statuses
from creator_pipeline.runtime.outcome import Outcome
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.installation import QUIET, RANGE_END, RANGE_START
from creator_pipeline_tests.support.paths import ROOT

SALES = dg.AssetKey("sales")
PROFILES = dg.DynamicPartitionsDefinition(name="profiles")
BOTH = dg.MultiPartitionsDefinition(
    {"date": dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-10"), "profile": PROFILES}
)
BROKEN = set[str]()


@dg.multi_asset(
    specs=[dg.AssetSpec(SALES, skippable=True)], partitions_def=BOTH, backfill_policy=dg.BackfillPolicy.single_run()
)
def sales(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    outcome = Outcome(context)
    with outcome.together():
        for key in context.partition_keys:
            if key not in BROKEN:
                outcome.materialized(SALES, key, 1, {})
    if BROKEN & set(context.partition_keys):
        raise dg.Failure("some days are missing", allow_retries=False)
    yield from ()


@dg.asset(name="alone")
def alone() -> None:
    """Without partitions."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    url = servers.postgres().fresh_database()
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with dg.DagsterInstance.get() as made:
        yield made
    servers.postgres().drop(url)


def run(instance: dg.DagsterInstance, first: str, last: str, *broken: str) -> None:
    BROKEN.clear()
    BROKEN.update(broken)
    tags = {RANGE_START: first, RANGE_END: last}
    done = dg.materialize([sales], instance=instance, run_config=QUIET, tags=tags, raise_on_error=False)
    assert done.success == (not broken)


def test_statuses_are_read_before_somebody_looks(instance: dg.DagsterInstance) -> None:
    """Incident: ten seconds until the page of an asset with 100 profiles showed anything, each time it was new.

    Dagster's own way to find what was planned and did not land is slow, and right: ours is compared with it.
    """
    instance.add_dynamic_partitions("profiles", ["alice", "bea"])
    run(instance, "2026-01-01|alice", "2026-01-05|alice")
    run(instance, "2026-01-01|bea", "2026-01-03|bea", "2026-01-02|bea")
    # Landed before, and failed when it was read again; failed before, and landed when it was read again.
    run(instance, "2026-01-04|alice", "2026-01-06|alice", "2026-01-04|alice", "2026-01-06|alice")
    middle = max(record.storage_id for record in instance.fetch_materializations(SALES, limit=1).records)
    run(instance, "2026-01-06|alice", "2026-01-06|alice")
    storage = instance.event_log_storage
    ours = storage.get_latest_asset_partition_materialization_attempts_without_materializations
    own = PostgresEventLogStorage.get_latest_asset_partition_materialization_attempts_without_materializations
    assert set(ours(SALES)) == {"2026-01-02|bea", "2026-01-04|alice"}
    for after in (None, 0, middle, 10**9):
        assert ours(SALES, after) == own(storage, SALES, after)
    assert ours(dg.AssetKey("alone")) == {}

    assert read_statuses(instance, [sales, alone]) == 1
    (record,) = instance.get_asset_records([SALES])
    kept = record.asset_entry.cached_status
    assert kept is not None
    with partition_loading_context(dynamic_partitions_store=instance):
        # What the webserver makes of the code location's answer must take it for its own.
        shown = PartitionsSnap.from_def(BOTH).get_partitions_definition()
        assert kept.partitions_def_id == shown.get_serializable_unique_identifier()
        landed = set(kept.deserialize_materialized_partition_subsets(BOTH).get_partition_keys())
        failed = set(kept.deserialize_failed_partition_subsets(BOTH).get_partition_keys())
    assert landed == instance.get_materialized_partitions(SALES)
    assert len(landed) == 6 + 2
    assert failed == set(ours(SALES))

    instance.wipe_assets([SALES])
    assert ours(SALES) == own(storage, SALES) == {}
