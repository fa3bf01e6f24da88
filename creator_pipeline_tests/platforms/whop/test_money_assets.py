"""The assets of the books in real runs, over real HTTP; and the webhook about them."""

import dagster as dg
import orjson
import pytest
from sqlalchemy import select

from creator_pipeline.platforms.whop.money_checks import FEED, PAYOUTS
from creator_pipeline.platforms.whop.webhook import reread
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.tags import SINCE_TAG
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import payouts, platform_connections, whop_financial_activity
from creator_pipeline_tests.support.installation import run_waiting
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_installation import checks_of, new_instance, run
from creator_pipeline_tests.support.whop_money import ACCOUNT, Account, a_line, serving


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def connected(sqlite_warehouse, ring, account, monkeypatch):
    """Alice's account behind WHOP_API_URL."""
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "whop", "alice", "key", external_account_id=ACCOUNT)
    with serving(account) as url, new_instance() as instance:
        monkeypatch.setenv("WHOP_API_URL", url)
        monkeypatch.setenv("WHOP_REQUESTS_PER_MINUTE", "60000000")
        yield sqlite_warehouse, instance


def books(instance, **tags: str):
    return run(instance, "whop_books", tags, partition_key="alice")


def metadata(instance, key: dg.AssetKey) -> dict:
    event = instance.get_latest_materialization_event(key)
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_one_job_reads_feed_and_payouts_and_says_what_it_cost(connected, account) -> None:
    _warehouse, instance = connected
    assert books(instance).success
    told = metadata(instance, FEED)
    assert told["lines_read"] == told["dagster/partition_row_count"] == 46
    assert told["api_requests"] == 6
    assert told["rounded_away"] == {"USD": "-0.00000025"}
    assert told["without_report"] == ["XAU"]
    assert metadata(instance, PAYOUTS)["by_state"] == {"on_the_way": 1, "paid": 1, "released": 1}
    passed = checks_of(instance)
    assert {name for name, good in passed.items() if not good} == set()
    assert passed.keys() >= {"money_readable", "line_types_known", "lines_stand", "payouts_stand", "fees_agree"}
    account.requests.clear()
    assert books(instance).success
    assert metadata(instance, PAYOUTS)["api_requests"] == 1
    assert account.requests["/financial_activity"] == 1
    assert books(instance, **{SINCE_TAG: "2026-01-01"}).success
    assert metadata(instance, FEED)["lines_read"] == 46


def test_without_permission_the_run_succeeds_and_says_so_and_the_connection_stands(connected, account) -> None:
    """Guards: a creator told to connect again each night, for a permission that no sale needs."""
    warehouse, instance = connected
    account.refused = {"/financial_activity": 403, "/payouts": 404}
    account.lines.append(a_line("line_90", "moon_dust", "1", "2026-10-24T06:00:00.000Z"))
    assert books(instance).success
    assert not checks_of(instance)["money_readable"]
    with warehouse.read() as connection:
        assert connection.execute(select(platform_connections.c.status)).scalar_one() == "active"
    account.refused = {}
    assert books(instance).success
    failed = {name for name, good in checks_of(instance).items() if not good}
    assert failed == {"line_types_known"}


def test_a_webhook_about_money_is_a_knock(connected, account) -> None:
    """Guards: a payout that came back and is known only the next night."""
    warehouse, instance = connected
    for event_type, id_ in (
        ("payout.reversed", "wdrl_1"),
        ("withdrawal.updated", "wdrl_1"),
        ("financial_activity.funds_available", "line_1"),
        ("ledger_account.funds_available", "ldgr_1"),
    ):
        told = reread("msg_1", orjson.dumps({"type": event_type, "data": {"id": id_}}))
        assert (told.kind, told.ids) == ("money", (id_,))
    job_queue(warehouse).enqueue("alice", "whop", "webhook", {"kind": "money", "ids": ["wdrl_1"]})
    (done,) = run_waiting(instance)
    assert done.success
    assert len(rows(warehouse, whop_financial_activity)) == len(account.lines)
    assert len(rows(warehouse, payouts)) == 3
