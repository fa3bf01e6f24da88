"""From the sandbox to the tables, on each database."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms import personal
from creator_pipeline.platforms.whop.fetch_memberships import turns
from creator_pipeline.platforms.whop.sync import load_payments, refresh_changed_payments, refresh_payments
from creator_pipeline.platforms.whop.sync_memberships import load_memberships, refresh_memberships
from creator_pipeline.platforms.whop.tiers import Tiers, parse_tiers
from creator_pipeline.platforms.whop.webhook import reread
from creator_pipeline.sandbox.compare import DayFigures
from creator_pipeline.store import profiles as people
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.erasure import erase_buyer
from creator_pipeline.store.load_statements import STAMPS
from creator_pipeline.store.tables import profiles, sales_events, whop_payments, whop_subscriptions
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.whop_samples import EVERYTHING, TODAY, happen, open_client

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def rows_of(warehouse: Warehouse, table) -> list[tuple]:
    columns = [column for column in table.c if column.name not in STAMPS | {"first_seen_at"}]
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns[:2]))]


def everything(warehouse: Warehouse) -> dict[str, list[tuple]]:
    tables = (whop_subscriptions, whop_payments, sales_events, profiles)
    return {table.name: rows_of(warehouse, table) for table in tables}


def totals(warehouse: Warehouse) -> dict[tuple[date, str], DayFigures]:
    sums: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0] * 6)
    with warehouse.read() as connection:
        for row in connection.execute(select(sales_events)):
            day = sums[row.occurred_on, row.currency]
            if row.event_type == "sale":
                day[0] += row.quantity
                day[1] += row.gross_micros
                day[2] += row.fee_micros
            elif row.event_type == "refund":
                day[3] -= row.gross_micros
            elif row.event_type == "fee":
                day[5] += row.fee_micros
            else:
                day[4] -= row.gross_micros
    return {key: DayFigures(*day) for key, day in sums.items() if any(day)}


def tier_of(warehouse: Warehouse, profile_id: str) -> tuple[str, str | None]:
    row = people.get_profile(warehouse, profile_id)
    return row["subscription_tier"], row["plan_name"]


def test_the_ledger_agrees_with_the_platform_per_day_and_currency(two_profiles, server, client, account) -> None:
    loaded = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert len(loaded.payments) == len(account.tables["payments"])
    assert totals(two_profiles) == server.world.whop.totals("alice")


def test_a_second_load_writes_nothing(two_profiles, client, account, ring) -> None:
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    again = load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    held = load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    assert not again.payments_change.any
    assert not again.ledger_change.any
    assert not held.change.any
    assert not held.tiers_changed


def test_windows_tile_and_a_day_holds_the_refunds_of_its_payments(two_profiles, server, client, account) -> None:
    """A refund has a day of its own: scoped by that day, a later window deleted it."""
    for start in range(0, 264, 24):
        window = DayWindow(date(2026, 1, 1) + timedelta(days=start), date(2026, 1, 1) + timedelta(days=start + 24))
        load_payments(two_profiles, client, "alice", account.id, window)
    assert totals(two_profiles) == server.world.whop.totals("alice")


def test_a_payment_of_midnight_is_in_exactly_one_day(two_profiles, server, client, account) -> None:
    """Whop's bounds are exclusive: asked for as they stand, the first instant of a day was in no window."""
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    _, payment = server.world.whop.buy("alice", created=midnight)
    for day, ids in ((date(2026, 2, 28), []), (date(2026, 3, 1), [payment["id"]])):
        loaded = load_payments(two_profiles, client, "alice", account.id, DayWindow(day, day + timedelta(days=1)))
        assert [row.id for row in loaded.payments] == ids


def test_a_first_sync_costs_the_least_number_of_requests(two_profiles, server, client, account, ring) -> None:
    server.whop.page_limit = 25
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    least = sum(-(-len(rows) // 25) for rows in account.tables.values())
    assert client.usage.requests <= least * 1.05


def test_a_day_without_refunds_and_disputes_costs_one_request(two_profiles, client, account) -> None:
    load_payments(two_profiles, client, "alice", account.id, DayWindow(date(2026, 1, 1), date(2026, 1, 2)))
    assert client.usage.requests == 1


def test_changes_are_found_without_webhooks_and_without_reading_everything(
    two_profiles, server, client, account
) -> None:
    server.world.whop.buy("alice", paid=False)
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    part, before = server.world.whop, client.usage.requests
    paid = [row for row in account.tables["payments"].values() if row["substatus"] == "succeeded"]
    part.refund("alice", paid[0]["id"], "1")
    part.dispute("alice", paid[1]["id"])
    unpaid = next(row for row in account.tables["payments"].values() if row["status"] == "open")
    part.settle("alice", unpaid["id"])
    found = refresh_changed_payments(
        two_profiles, client, "alice", account.id, datetime(2026, 9, 20, tzinfo=UTC) - timedelta(days=1)
    )
    assert {row.id for row in found.payments} == {paid[0]["id"], paid[1]["id"], unpaid["id"]}
    assert totals(two_profiles) == part.totals("alice")
    assert client.usage.requests - before <= 10


def test_a_won_dispute_is_found_however_long_it_took(two_profiles, server, client, account) -> None:
    part = server.world.whop
    paid = next(row for row in account.tables["payments"].values() if row["substatus"] == "succeeded")
    dispute = part.dispute("alice", paid["id"], at=datetime.fromisoformat(paid["paid_at"]))
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    part.close_dispute("alice", dispute["id"], "won")
    refresh_changed_payments(two_profiles, client, "alice", account.id, datetime(2026, 9, 20, tzinfo=UTC))
    assert totals(two_profiles) == part.totals("alice")


def test_an_account_that_suddenly_has_nothing_is_refused(two_profiles, client, account, ring) -> None:
    """Whop answers a wrong account with an empty list: the nightly sync then deleted every member's tier."""
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    with pytest.raises(DataError, match="biz_"):
        load_payments(two_profiles, client, "alice", "biz_wrong", EVERYTHING)
    with pytest.raises(DataError, match="biz_"):
        load_memberships(two_profiles, client, ring, "alice", "biz_wrong", Tiers())


def test_a_key_of_another_account_is_refused(two_profiles, server, client, ring) -> None:
    membership = next(iter(server.world.whop["alice"].tables["memberships"]))
    with pytest.raises(ConfigError, match="biz_other"):
        refresh_memberships(two_profiles, client, ring, "alice", "biz_other", Tiers(), [membership])


def test_a_membership_gives_its_holder_a_tier_and_takes_it_again(two_profiles, server, client, account, ring) -> None:
    part = server.world.whop
    membership, _ = part.buy("alice", "Yearly", email="FAN@example.com")
    tiers = parse_tiers(f'{{"{membership["plan_id"]}": {{"tier": "pro"}}}}')
    load_memberships(two_profiles, client, ring, "alice", account.id, tiers)
    assert tier_of(two_profiles, "fan") == ("pro", "Yearly")
    part.cancel_at_period_end("alice", membership["id"])
    refresh_memberships(two_profiles, client, ring, "alice", account.id, tiers, [membership["id"]])
    assert tier_of(two_profiles, "fan") == ("pro", "Yearly")
    part.expire("alice", membership["id"])
    load_memberships(two_profiles, client, ring, "alice", account.id, tiers, since=LONG_AGO)
    assert tier_of(two_profiles, "fan") == ("free", None)
    row = next(row for row in rows_of(two_profiles, whop_subscriptions) if row[0] == membership["id"])
    assert "fan" in row
    assert "email" in row


def test_a_large_account_is_read_in_turns_and_no_change_is_missed(two_profiles, server, client, account, ring) -> None:
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    part = server.world.whop
    living = [row["id"] for row in account.tables["memberships"].values() if row["status"] == "active"]
    part.past_due("alice", living[0])
    part.expire("alice", living[1])
    part.move_plan("alice", living[2], "Yearly")
    part.cancel_at_period_end("alice", living[3])
    part.buy("alice", status="canceled")
    held = turns([datetime.fromisoformat(row["created_at"]) for row in account.tables["memberships"].values()])
    assert len(held) == 2
    last = datetime(2026, 9, 19, tzinfo=UTC)
    for night in range(len(held)):
        before = sum(server.faults.requests.values())
        moment = last + timedelta(days=1 + night)
        load_memberships(two_profiles, client, ring, "alice", account.id, Tiers(), since=last, moment=moment)
        # A page of the turn, one of what is new, a new member and a plan, and what is gone.
        assert sum(server.faults.requests.values()) - before <= 6
    told = rows_of(two_profiles, whop_subscriptions)
    assert not load_memberships(two_profiles, client, ring, "alice", account.id, Tiers()).change.any
    assert rows_of(two_profiles, whop_subscriptions) == told


def test_nothing_personal_reaches_the_tables(two_profiles, client, account, ring) -> None:
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    written = repr([rows_of(two_profiles, table) for table in (whop_subscriptions, whop_payments, sales_events)])
    for word in ("@example.com", "Ex Ample", "+1555", "192.0.2", "told by the seller"):
        assert word not in written


@settings(
    max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_re_reads_in_any_order_and_number_end_like_a_fresh_full_scan(two_profiles, ring, steps, order) -> None:
    """Deliveries come late, twice and in any order: booking their bodies gave a different ledger every time."""
    with two_profiles.write() as connection:
        for table in (whop_subscriptions, whop_payments, sales_events):
            connection.execute(table.delete())
    world = World.invented(today=TODAY, sizes={"alice": 1}, days=20)
    account, knocks = world.whop["alice"], []
    with SandboxServer(world) as server, open_client(server, account.key) as client:
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
        load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
        world.whop.on_event = lambda _account, name, data: knocks.append((name, data))
        for step, pick in steps:
            happen(world.whop, account, step, pick)
        told = [reread("msg_1", _body(name, data)) for name, data in knocks]
        told += order.sample(told, len(told) // 2)
        order.shuffle(told)
        for knock in told:
            if knock.kind == "payment":
                refresh_payments(two_profiles, client, "alice", account.id, knock.ids)
            else:
                refresh_memberships(two_profiles, client, ring, "alice", account.id, Tiers(), knock.ids)
        after = everything(two_profiles)
        with two_profiles.write() as connection:
            for table in (whop_subscriptions, whop_payments, sales_events):
                connection.execute(table.delete())
        load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
        load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
        assert everything(two_profiles) == after


def _body(name: str, data: dict) -> bytes:
    return orjson.dumps({"type": name, "data": data})


def test_an_erased_holder_stays_forgotten_and_a_profile_keeps_its_plan(
    two_profiles, server, client, account, ring
) -> None:
    """Guards: a holder who asked to be forgotten and is back after the weekly scan; and a seller's own plan gone with it."""
    server.world.whop.buy("alice", email="gone@example.net")
    server.world.whop.buy("alice", email="fan@example.com")
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert erase_buyer(two_profiles, "Gone@example.net", ring.hashes_of("gone@example.net"), personal()) == 1
    before = everything(two_profiles)
    again = load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    load_payments(two_profiles, client, "alice", account.id, EVERYTHING)
    assert everything(two_profiles) == before
    assert not again.change.any
    assert ring.hash_address("gone@example.net") not in str(before)
    assert tier_of(two_profiles, "fan")[0] == "paid"
    assert totals(two_profiles) == server.world.whop.totals("alice")
    # The address of a forgotten buyer becomes a profile's: what it bought counts for it.
    with two_profiles.write() as connection:
        people.add_profile(connection, "back", "gone@example.net")
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    assert tier_of(two_profiles, "back")[0] == "paid"
