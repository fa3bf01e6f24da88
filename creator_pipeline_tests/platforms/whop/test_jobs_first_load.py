"""The first load of an account that was connected by its key."""

from __future__ import annotations

from creator_pipeline import settings
from creator_pipeline.platforms.first_load import first_load
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import whop_financial_activity, whop_payments
from creator_pipeline_tests.support.installation import failure_text, job_statuses, run_waiting
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_installation import WINDOW, digests, range_of, run, scan


def test_the_first_load_is_the_account_as_a_backfill_and_a_scan_read_it(
    whop_warehouse, whop_sandbox, whop_instance, monkeypatch
):
    """Incident: a seller by a key saw an empty page until an operator thought of the backfill."""
    monkeypatch.setenv("PIPELINE_START_DATE", WINDOW.start.isoformat())
    job = first_load(settings.load(), PLATFORM, "alice")
    with whop_warehouse.write() as connection:
        job_queue(whop_warehouse).add(connection, [job])
    (done,) = run_waiting(whop_instance)
    assert done.success, failure_text(done)
    assert job_statuses(whop_warehouse) == ["completed"]
    account = whop_sandbox.world.whop["alice"]
    assert len(rows(whop_warehouse, whop_payments)) == len(account.tables["payments"])
    assert rows(whop_warehouse, whop_financial_activity) != []
    assert profiles.last_syncs(whop_warehouse, "whop").keys() == {"alice"}
    after = digests(whop_warehouse)
    assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
    assert scan(whop_instance).success
    assert digests(whop_warehouse) == after
