"""Who holds a membership, and what it gives."""

import json
from itertools import permutations

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.platforms.whop.models import MembershipRow, membership_row
from creator_pipeline.platforms.whop.tiers import (
    People,
    Standing,
    Tiers,
    parse_tiers,
    settle,
    standings,
    unknown_statuses,
)
from creator_pipeline_tests.support.whop_samples import MOMENT, fixture

NOBODY = People({}, {})


def row(**fields: object) -> MembershipRow:
    return membership_row("alice", fixture("membership"), {}, None, MOMENT)._replace(**fields)


def settled(rows: list[MembershipRow], people: People = NOBODY, tiers: Tiers | None = None) -> list[MembershipRow]:
    return settle(rows, people, tiers or Tiers())


@pytest.mark.parametrize(
    ("status", "access"),
    [(word, True) for word in ("active", "trialing", "past_due", "completed", "canceling")]
    + [(word, False) for word in ("canceled", "expired", "unresolved", "drafted", "dormant")],
)
def test_access_follows_the_status_and_an_unknown_word_gives_none(status, access) -> None:
    held = settled([row(status=status)])
    assert held[0].has_access is access
    assert unknown_statuses(held) == ({"dormant"} if status == "dormant" else frozenset())


def test_days_of_grace_can_be_switched_off() -> None:
    assert not settled([row(status="past_due")], tiers=Tiers(past_due=False))[0].has_access
    assert settled([row(status="active")], tiers=Tiers(past_due=False))[0].has_access


def test_the_mapping_goes_by_plan_then_product_then_star() -> None:
    told = {"plan_x": {"tier": "pro"}, "prod_y": {"tier": "basic"}, "*": {"tier": "paid"}}
    tiers = parse_tiers(json.dumps(told))
    assert [tiers.tier(*ids) for ids in (("plan_x", "prod_y"), ("plan_z", "prod_y"), ("plan_z", "prod_z"))] == [
        "pro",
        "basic",
        "paid",
    ]
    assert parse_tiers('{"plan_x": {"tier": "pro"}}').tier("plan_z", "prod_z") is None


@pytest.mark.parametrize(
    ("name", "text"), [("t.json", '{"plan_x": {"tier": "pro"}}'), ("t.toml", '[plan_x]\ntier="pro"')]
)
def test_the_mapping_can_be_a_file(tmp_path, name, text) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert parse_tiers(str(path)).of == {"plan_x": "pro"}


@pytest.mark.parametrize("text", ["{", "{}", "missing.json", '{"plan_x": "pro"}', '{"gold": {"tier": "pro"}}'])
def test_a_mapping_that_cannot_be_read_is_named(text) -> None:
    with pytest.raises(ConfigError, match="WHOP_TIERS"):
        parse_tiers(text)


def test_a_holder_is_found_by_connection_then_address_then_the_same_user_elsewhere() -> None:
    people = People({"user_c": "carl"}, {"hash_a": frozenset({"ann"})})
    rows = [
        row(id="mem_1", whop_user_id="user_c", holder_hash="hash_a"),
        row(id="mem_2", whop_user_id="user_a", holder_hash="hash_a"),
        row(id="mem_3", whop_user_id="user_a", holder_hash=None),
        row(id="mem_4", whop_user_id="user_x", holder_hash="hash_x"),
    ]
    found = {held.id: (held.profile_id, held.matched_by) for held in settled(rows, people)}
    assert found == {
        "mem_1": ("carl", "connection"),
        "mem_2": ("ann", "email"),
        "mem_3": ("ann", "whop_user"),
        "mem_4": (None, None),
    }


def test_an_address_of_two_profiles_names_nobody() -> None:
    """A shared office address once gave a stranger the paid tier."""
    people = People({}, {"hash": frozenset({"ann", "ben"})})
    assert settled([row(holder_hash="hash")], people)[0].profile_id is None


def test_the_best_of_several_memberships_counts_in_any_order() -> None:
    tiers = parse_tiers('{"plan_p": {"tier": "pro"}, "plan_b": {"tier": "basic"}}')
    people = People({"user_1": "ann"}, {})
    rows = [
        row(id="mem_1", whop_user_id="user_1", plan_id="plan_b", plan_name="Basic"),
        row(id="mem_2", whop_user_id="user_1", plan_id="plan_p", plan_name="Pro"),
        row(id="mem_3", whop_user_id="user_1", plan_id="plan_p", plan_name="Old pro", status="expired"),
    ]
    for order in permutations(rows):
        assert standings(settled(list(order), people, tiers), tiers) == {"ann": Standing("pro", "Pro")}


def test_without_access_the_tier_is_free() -> None:
    people = People({"user_1": "ann"}, {})
    tiers = Tiers()
    assert standings(settled([row(whop_user_id="user_1", status="canceled")], people), tiers) == {
        "ann": Standing("free", None)
    }
