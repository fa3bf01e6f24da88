"""Memberships of which one can't be read."""

from sqlalchemy import select

from creator_pipeline.platforms.whop.sync_memberships import load_memberships
from creator_pipeline.platforms.whop.tiers import Tiers
from creator_pipeline.store.tables import whop_subscriptions


def test_a_membership_or_plan_that_cant_be_read_stops_no_other(two_profiles, client, account, ring) -> None:
    """One plan without a price kept every membership of the account out of the table."""
    first, second, *_ = account.tables["memberships"].values()
    load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    plan = next(iter(account.tables["plans"].values()))
    plan["initial_price"] = second["updated_at"] = None
    first["status"] = "expired"
    loaded = load_memberships(two_profiles, client, ring, "alice", account.id, Tiers())
    assert {(one.part, one.object_id) for one in loaded.odd} == {("plans", plan["id"]), ("memberships", second["id"])}
    with two_profiles.read() as connection:
        found = dict(connection.execute(select(whop_subscriptions.c.id, whop_subscriptions.c.status)).all())
    assert found[first["id"]] == "expired"
    assert found.keys() == account.tables["memberships"].keys()
