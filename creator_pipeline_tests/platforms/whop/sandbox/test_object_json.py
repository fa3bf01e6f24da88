"""The official SDK's types read what the sandbox serves: the stand-in speaks the dated dialect, not ours."""

import importlib

import pytest

from creator_pipeline.platforms.whop import catalog

MODELS = {
    "memberships": "membership.Membership",
    "members": "member.Member",
    "payments": "payment.Payment",
    "refunds": "refund.Refund",
    "disputes": "dispute.Dispute",
    "plans": "plan.Plan",
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_sdk_accepts_what_the_sandbox_serves(client, name) -> None:
    module, _, model = MODELS[name].partition(".")
    kind = getattr(importlib.import_module(f"whop_sdk.types.{module}"), model)
    rows = list(getattr(client, name)())
    assert rows
    for row in rows:
        read = kind.model_validate(row)
        assert read.id == row["id"]
        assert not row.keys() - kind.model_fields.keys(), "a key that Whop doesn't have"


def test_our_dialect_is_the_one_the_sdk_of_the_same_day_sends() -> None:
    import inspect

    from whop_sdk.client import Whop

    assert catalog.API_VERSION_DATE in inspect.getsource(Whop)
