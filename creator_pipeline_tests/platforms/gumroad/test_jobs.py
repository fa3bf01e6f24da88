"""From a job in the queue to the ledger: what webhooks name is read from the API, once, by one run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import orjson
from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.gumroad.checks import EVENTS, SALES
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import refresh_sales
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.queue.jobs import MAX_ATTEMPTS
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales, payouts, sales_events
from creator_pipeline_tests.support.check_states import states
from creator_pipeline_tests.support.field_files import field_file
from creator_pipeline_tests.support.installation import job_statuses, run_waiting, totals_of_chen
from creator_pipeline_tests.support.sandbox import SandboxServer


def test_many_deliveries_of_a_profile_become_one_run_and_the_ledger_equals_the_platform(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: a run for each of a launch day's pings queued for hours behind each other."""
    world = sandbox.world.gumroad
    new = [world.add_sale("chen", price=1900 + n) for n in range(3)]
    old = next(
        sale
        for sale in world["chen"].rows
        if sale.price > 500 and sale.charged and not sale.refunded_cents and not sale.gift
    )
    world.refund("chen", old.id)
    queue = job_queue(loaded)
    for sale_id in [*(sale.id for sale in new), old.id, new[0].id]:
        queue.enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale_id]})
    runs = run_waiting(instance)
    assert [run.success for run in runs] == [True]
    assert job_statuses(loaded) == ["completed"] * 5
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []
    assert run_waiting(instance) == []


def test_each_touched_day_is_shown_as_materialized(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: the UI said a day was read last night while its rows had changed at noon."""
    sale = sandbox.world.gumroad.add_sale("chen", price=4200)
    job_queue(loaded).enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale.id]})
    run_waiting(instance)
    records = instance.fetch_materializations(dg.AssetKey(["sales_events", "gumroad"]), limit=10).records
    assert [record.partition_key for record in records] == [f"{datetime.now(UTC).date()}|chen"]


def test_after_a_ping_the_checks_stand_and_the_day_shows_its_money(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: one ping, and every check read "Not evaluated" and the day had lost its sums and its preview."""
    sale = sandbox.world.gumroad.add_sale("chen", price=4200)
    job_queue(loaded).enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale.id]})
    run_waiting(instance)
    assert set(states(instance)) >= {"gumroad/sales refunds_known", "sales_events/gumroad ledger_agrees"}
    assert "MISSING" not in states(instance).values()
    for key, names in ((SALES, {"gross_USD", "preview"}), (EVENTS, {"net_USD", "preview"})):
        event = instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        assert names <= set(event.asset_materialization.metadata)


def test_ids_that_are_not_the_sellers_change_nothing(
    loaded: Warehouse, sandbox: SandboxServer, client: GumroadClient, ring: KeyRing
) -> None:
    """Incident: a buyer wrote another sale's id into a custom field named sale_id."""
    foreign = sandbox.world.gumroad["alice"].rows[0].id
    with loaded.read() as connection:
        before = connection.execute(select(sales_events).order_by(sales_events.c.id)).all()
    done = refresh_sales(loaded, client, ring, "chen", [foreign, "no such sale=="])
    assert set(done.not_found) == {foreign, "no such sale=="}
    with loaded.read() as connection:
        assert connection.execute(select(sales_events).order_by(sales_events.c.id)).all() == before


def test_reading_again_what_did_not_change_writes_nothing(
    loaded: Warehouse, sandbox: SandboxServer, client: GumroadClient, ring: KeyRing
) -> None:
    """Incident: every repeated delivery made a day look changed and rolled it up again."""
    named = [sale.id for sale in sandbox.world.gumroad["chen"].rows[:5]]
    assert refresh_sales(loaded, client, ring, "chen", named).changed == 0


def test_the_day_is_read_whole_where_that_takes_fewer_requests(
    loaded: Warehouse, sandbox: SandboxServer, client: GumroadClient, ring: KeyRing
) -> None:
    """Incident: a hundred refunds of one day cost a hundred requests of a budget of 120 a minute."""
    world = sandbox.world.gumroad
    sales = [world.add_sale("chen", price=1000) for _ in range(30)]
    refresh_sales(loaded, client, ring, "chen", [sale.id for sale in sales])
    for sale in sales:
        world.refund("chen", sale.id)
    before = client.usage.requests
    refresh_sales(loaded, client, ring, "chen", [sale.id for sale in sales])
    assert client.usage.requests - before <= 5
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []


def asked_of_sales(sandbox: SandboxServer) -> int:
    """Requests so far; whose a token is, is asked once for each token and not counted."""
    return sandbox.faults.requests.total() - sandbox.faults.requests["/v2/user"]


def test_a_member_who_leaves_costs_two_requests_whatever_the_membership_has_charged(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance, client: GumroadClient, ring: KeyRing
) -> None:
    """Incident: a cancellation listed 34 renewals and 10 charges that had failed, and cost 75 requests, twice."""
    assert field_file("g12_cancellation_requests")["right"].startswith("0-2:")
    world, day = sandbox.world.gumroad, datetime.now(UTC) - timedelta(days=40)
    renewals = [
        world.add_sale("chen", created_at=day + timedelta(days=at), subscription_id="sub==", recurring_charge=True)
        for at in range(34)
    ]
    refresh_sales(loaded, client, ring, "chen", [sale.id for sale in renewals])
    failed = [f"failed{number}==" for number in range(10)]
    renewals[-1].cancelled, renewals[-1].head = True, None
    payload = {"sale_ids": [], "subscription_id": "sub==", "purchase_ids": [*failed, *(one.id for one in renewals)]}
    for _ in ("cancellation", "subscription_ended"):
        job_queue(loaded).enqueue("chen", "gumroad", "webhook", payload)
    before = asked_of_sales(sandbox)
    assert [run.success for run in run_waiting(instance)] == [True]
    # The newest sale, and the subscriber.
    assert asked_of_sales(sandbox) - before == 2
    with loaded.read() as connection:
        raw = connection.execute(select(gumroad_sales.c.raw).where(gumroad_sales.c.id == renewals[-1].id)).scalar_one()
    assert orjson.loads(raw)["cancelled"] is True
    # Of somebody else's member nothing is stored, so nothing is asked.
    job_queue(loaded).enqueue("chen", "gumroad", "webhook", payload | {"subscription_id": "x", "purchase_ids": failed})
    assert [run.success for run in run_waiting(instance)] == [True]
    assert asked_of_sales(sandbox) - before == 2


def test_a_failed_run_gives_its_jobs_back_and_an_outage_never_makes_them_dead_at_once(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: one bad night of the API and the day's webhooks were gone."""
    sale = sandbox.world.gumroad.add_sale("chen", price=700)
    job_queue(loaded).enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale.id]})
    sandbox.world.gumroad.revoke("chen")
    assert [run.success for run in run_waiting(instance)] == [False]
    assert job_statuses(loaded) == ["failed"]
    assert MAX_ATTEMPTS > 1


def test_a_run_whose_lease_another_holds_does_nothing(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: a run that had slept through its lease acked a job that another run was working on."""
    sale = sandbox.world.gumroad.add_sale("chen", price=700)
    queue = job_queue(loaded)
    job_id = queue.enqueue("chen", "gumroad", "webhook", {"sale_ids": [sale.id]})
    [lease] = queue.dequeue(1, 60)
    config = {"ops": {"gumroad_refresh_sales": {"config": {"profile_id": "chen", "leases": [f"{job_id}:99"]}}}}
    run = defs.resolve_job_def("gumroad_refresh").execute_in_process(run_config=config, instance=instance)
    assert run.success
    assert job_statuses(loaded) == ["running"]
    assert queue.ack(job_id, lease.attempt)


def test_a_first_sync_reads_the_payouts_before_the_sales(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: a seller with a hundred thousand sales saw the first figure after an hour and a half."""
    day = datetime.now(UTC).date()
    asked = {"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()}
    job_queue(loaded).enqueue("chen", "gumroad", "initial_sync", asked)
    assert [run.success for run in run_waiting(instance)] == [True]
    with loaded.read() as connection:
        assert connection.execute(select(payouts.c.payout_id).where(payouts.c.profile_id == "chen")).first()
    key = dg.AssetKey(["gumroad", "payouts"])
    assert [one.partition_key for one in instance.fetch_materializations(key, limit=5).records] == ["chen"]
    assert "MISSING" not in states(instance).values()
