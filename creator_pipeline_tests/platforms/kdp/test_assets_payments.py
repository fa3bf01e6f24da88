"""The asset of payments, in runs as the daemon makes them."""

from __future__ import annotations

import warnings

import dagster as dg
import pytest

from creator_pipeline.definitions import defs
from creator_pipeline.platforms.kdp.inbox import register
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.check_states import states
from creator_pipeline_tests.support.kdp_payments import PAID, PENDING, ROYALTIES, heads
from creator_pipeline_tests.support.tables import rows

KDP_ROYALTIES = dg.AssetKey(["kdp", "royalties"])
PAYMENTS, EVENTS = dg.AssetKey(["kdp", "payments"]), dg.AssetKey(["sales_events", "amazon_kdp"])


@pytest.fixture
def run(sqlite_warehouse):
    """A run of one report; a function of its path."""
    kdp_landing.add_profiles(sqlite_warehouse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as instance:

            def execute(path, *keys):
                (file,) = register(sqlite_warehouse, [path], "alice")
                instance.add_dynamic_partitions("kdp_uploads", [file.partition])
                done = defs.resolve_job_def("kdp_ingest").execute_in_process(
                    instance=instance,
                    partition_key=file.partition,
                    run_config=small.QUIET,
                    asset_selection=list(keys) or None,
                )
                made = {event.asset_key: event.materialization for event in done.get_asset_materialization_events()}
                checks = {each.check_name: each.passed for each in done.get_asset_check_evaluations()}
                return made, checks, file.partition

            execute.instance = instance
            yield execute


def test_a_payments_report_is_told_on_its_partition(run, sqlite_warehouse):
    """Guards: an upload of which nobody sees what it brought."""
    made, checks, partition = run(PAID)
    assert made[PAYMENTS].partition == partition
    told = {name: each.value for name, each in made[PAYMENTS].metadata.items()}
    assert (told["dagster/partition_row_count"], told["payments"], told["paid"], told["failed"]) == (6, 6, 5, 1)
    assert (told["paid_EUR"], told["counts_for"]) == ("340.68", "6 of the profile's 6 payments")
    assert "0.8951 (0.895113)" in told["preview"]
    assert "5.00 %" in told["preview"]
    assert made[EVENTS].metadata["net_USD"].value == "-2.15"
    assert all(checks.values())
    assert len(heads(sqlite_warehouse)) == 6


def test_an_older_report_says_that_it_tells_little_now(run):
    """Guards: an upload that seems to count for what a newer one says better."""
    run(PAID)
    made, _, _ = run(PENDING)
    assert made[PAYMENTS].metadata["pending_GBP"].value == "41.18"
    assert made[PAYMENTS].metadata["counts_for"].value.endswith("of the profile's 6 payments")


def test_other_reports_bring_no_payments(run):
    """Guards: payments that look fresh because royalties were uploaded."""
    made, checks, _ = run(ROYALTIES[1])
    assert PAYMENTS not in made
    assert EVENTS in made
    assert all(checks.values())


def test_whatever_is_ticked_an_upload_is_taken_whole(run, sqlite_warehouse):
    """Incident: the command that the product itself printed was refused, as a part of an upload can't be selected."""
    made, _, partition = run(ROYALTIES[1], KDP_ROYALTIES)
    assert {KDP_ROYALTIES, EVENTS} <= set(made)
    assert rows(sqlite_warehouse, sales_events)
    found = states(run.instance, [KDP_ROYALTIES, EVENTS])
    assert found["sales_events/amazon_kdp no_overlap_left"] == "SUCCEEDED"
    assert "MISSING" not in found.values()
    assert made[EVENTS].partition == partition
