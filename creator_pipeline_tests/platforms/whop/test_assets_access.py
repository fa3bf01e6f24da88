"""Who may in after a scan of memberships: tiers and plans, as the seed's queries read them."""

import pytest

from creator_pipeline_tests.support import whop_installation as small
from creator_pipeline_tests.support.whop_installation import checks_of, scan, subscriptions

SITUATIONS = {
    "trial": (lambda part, mine: part.change("alice", mine["id"], status="trialing"), "trialing", ("pro", "Monthly")),
    "active": (lambda *_: None, "active", ("pro", "Monthly")),
    "cancelled_at_period_end": (
        lambda part, mine: part.cancel_at_period_end("alice", mine["id"]), "active", ("pro", "Monthly"),
    ),
    "expired": (lambda part, mine: part.expire("alice", mine["id"]), "expired", None),
    "canceled": (lambda part, mine: part.change("alice", mine["id"], status="canceled"), "canceled", None),
    "past_due": (lambda part, mine: part.past_due("alice", mine["id"]), "past_due", ("pro", "Monthly")),
    "moved_to_another_plan": (
        lambda part, mine: part.move_plan("alice", mine["id"], "Yearly"), "active", ("basic", "Yearly"),
    ),
}  # fmt: skip


def tiers(server) -> str:
    """Monthly is pro and Yearly is basic in alice's account."""
    plans = {plan["title"]: plan["id"] for plan in server.world.whop["alice"].tables["plans"].values()}
    return f'{{"{plans["Monthly"]}": {{"tier": "pro"}}, "{plans["Yearly"]}": {{"tier": "basic"}}}}'


def paying(warehouse) -> tuple | None:
    """The seed's query about a person who pays, as it stands: tier and plan."""
    found = small.ask(warehouse, "SELECT * FROM profiles WHERE id = 'fan' AND subscription_tier != 'free'")
    return (found[0]["subscription_tier"], found[0]["plan_name"]) if found else None


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_seeds_queries_answer_as_a_person_would_expect(
    whop_warehouse, whop_sandbox, whop_instance, monkeypatch, situation
):
    """Guards: a trial that is shut out, and a customer who left and is served for ever."""
    monkeypatch.setenv("WHOP_TIERS", tiers(whop_sandbox))
    happen, status, expected = SITUATIONS[situation]
    mine, _ = whop_sandbox.world.whop.buy("alice", "Monthly", email="FAN@example.com")
    happen(whop_sandbox.world.whop, mine)
    assert scan(whop_instance).success
    (row,) = subscriptions(whop_warehouse)
    assert (row["id"], row["status"], bool(row["cancel_at_period_end"])) == (
        mine["id"], status, situation == "cancelled_at_period_end",
    )  # fmt: skip
    assert paying(whop_warehouse) == expected


def test_past_due_gives_no_access_where_the_seller_says_so(whop_warehouse, whop_sandbox, whop_instance, monkeypatch):
    """Guards: a setting that is read by nobody."""
    monkeypatch.setenv("WHOP_PAST_DUE_ACCESS", "false")
    mine, _ = whop_sandbox.world.whop.buy("alice", email="fan@example.com")
    whop_sandbox.world.whop.past_due("alice", mine["id"])
    assert scan(whop_instance).success
    assert paying(whop_warehouse) is None


def test_of_two_memberships_the_better_one_counts_also_across_accounts(
    whop_warehouse, whop_sandbox, whop_instance, monkeypatch
):
    """Guards: a second, cheaper purchase that takes the first one's tier away."""
    monkeypatch.setenv("WHOP_TIERS", tiers(whop_sandbox)[:-1] + ', "*": {"tier": "other"}}')
    part = whop_sandbox.world.whop
    best, _ = part.buy("alice", "Monthly", email="fan@example.com")
    part.buy("alice", "Yearly", email="fan@example.com")
    part.buy("bea", "Course", email="fan@example.com")
    for name in ("alice", "bea"):
        assert scan(whop_instance, name).success
    assert (len(subscriptions(whop_warehouse)), paying(whop_warehouse)) == (3, ("pro", "Monthly"))
    for plan, expected in ((best, ("basic", "Yearly")),):
        part.expire("alice", plan["id"])
        assert scan(whop_instance).success
        assert paying(whop_warehouse) == expected


def test_an_unknown_status_is_kept_named_and_gives_no_access(whop_warehouse, whop_sandbox, whop_instance):
    """Guards: a new word of Whop's that stops the sync, or opens the door."""
    mine, _ = whop_sandbox.world.whop.buy("alice", email="fan@example.com", status="frozen_solid")
    assert scan(whop_instance).success
    assert (subscriptions(whop_warehouse)[0]["status"], paying(whop_warehouse)) == ("frozen_solid", None)
    assert not checks_of(whop_instance)["statuses_known"]
    assert mine["id"] == subscriptions(whop_warehouse)[0]["id"]
