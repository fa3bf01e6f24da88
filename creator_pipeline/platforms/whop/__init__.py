"""Whop: memberships and payments by its API v1, and webhooks."""

from __future__ import annotations

from datetime import time

from creator_pipeline.platforms.contract import Credential, Daily, Later, Origin, Platform, Rate
from creator_pipeline.platforms.whop.catalog import ACCESS, MEMBERSHIP_KEYS, PAYMENT_KEYS
from creator_pipeline.platforms.whop.money_catalog import LINE_KEYS, PAYOUT_KEYS

_HERE = "creator_pipeline.platforms.whop"

PLATFORM = Platform(
    name="whop",
    label="Whop",
    colour="#fa4616",
    partitions="whop_profiles",
    credential=Credential(
        option="--whop-key",
        help="Account API key of Whop; else WHOP_API_KEY. Stored encrypted.",
        variable="WHOP_API_KEY",
        account_variable="WHOP_ACCOUNT_ID",
    ),
    rate=Rate("WHOP_REQUESTS_PER_MINUTE", 600),
    where_to_connect="creator-pipeline profiles add {profile_id} --whop-key KEY",
    known_names={
        "membership field": MEMBERSHIP_KEYS,
        "membership status": ACCESS.keys(),
        "payment field": PAYMENT_KEYS,
        "financial activity field": LINE_KEYS,
        "payout field": PAYOUT_KEYS,
    },
    buyer_accounts="user_",
    daily=Daily("whop_changes_nightly", time(2, 35)),
    first_load=True,
    origin=Origin(
        "Whop: payments, memberships and the account's money by its API v1, and its webhooks.", "https://docs.whop.com"
    ),
    page="whop.md",
    personal=Later(f"{_HERE}.personal", "PERSONAL"),
    dagster=Later(f"{_HERE}.definitions", "PARTS"),
    webhooks=Later(f"{_HERE}.webhook", "WEBHOOKS"),
    checks=Later(f"{_HERE}.probes", "CHECKS"),
    account_of_token=Later(f"{_HERE}.access", "account_of_token"),
    books=Later(f"{_HERE}.books", "BOOKS"),
    shared={"subscriptions": Later(f"{_HERE}.shared", "SUBSCRIPTIONS")},
    own_rates=Later(f"{_HERE}.own_rates", "own_rates"),
    tables=Later(f"{_HERE}.tables", "STREAMS"),
    spans=Later(f"{_HERE}.subscription_spans", "SPANS"),
    stand_in=Later(f"{_HERE}.sandbox.stand_in", "STAND_IN"),
)
