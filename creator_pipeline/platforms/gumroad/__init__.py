"""Gumroad: products, sales and payouts by its API v2, and pings."""

from __future__ import annotations

from datetime import time

from creator_pipeline.platforms.contract import Credential, Daily, Later, Origin, Platform, Rate
from creator_pipeline.platforms.gumroad.catalog import SALE_KEYS
from creator_pipeline.platforms.gumroad.payout_catalog import (
    LINE_KEYS,
    LINE_TYPES,
    PAYOUT_KEYS,
    PAYOUT_STATES,
    UPCOMING_STATUSES,
)

_HERE = "creator_pipeline.platforms.gumroad"

PLATFORM = Platform(
    name="gumroad",
    label="Gumroad",
    colour="#ff90e8",
    partitions="gumroad_profiles",
    credential=Credential(
        option="--gumroad-token",
        help="Access token of the account; else GUMROAD_ACCESS_TOKEN. Stored encrypted.",
        variable="GUMROAD_ACCESS_TOKEN",
    ),
    rate=Rate("GUMROAD_REQUESTS_PER_MINUTE", 120),
    where_to_connect="creator-pipeline profiles connect {profile_id}, or creator-pipeline profiles add {profile_id} "
    "--gumroad-token TOKEN",
    known_names={
        "sale field": SALE_KEYS,
        "payout field": PAYOUT_KEYS | LINE_KEYS,
        "payout line type": LINE_TYPES,
        "payout status": frozenset(PAYOUT_STATES) | UPCOMING_STATUSES,
    },
    daily=Daily("gumroad_nightly", time(2, 10)),
    first_load=True,
    origin=Origin(
        "Gumroad: sales, products, payouts and subscribers by its API v2, and its pings.", "https://gumroad.com/api"
    ),
    page="gumroad.md",
    personal=Later(f"{_HERE}.personal", "PERSONAL"),
    dagster=Later(f"{_HERE}.definitions", "PARTS"),
    webhooks=Later(f"{_HERE}.webhook", "WEBHOOKS"),
    oauth=Later(f"{_HERE}.connect", "OAUTH"),
    checks=Later(f"{_HERE}.probes", "CHECKS"),
    account_of_token=Later(f"{_HERE}.access", "account_of_token"),
    books=Later(f"{_HERE}.books", "BOOKS"),
    shared={"products": Later(f"{_HERE}.shared", "PRODUCTS")},
    tables=Later(f"{_HERE}.tables", "STREAMS"),
    spans=Later(f"{_HERE}.subscription_spans", "SPANS"),
    stand_in=Later(f"{_HERE}.sandbox.stand_in", "STAND_IN"),
)
