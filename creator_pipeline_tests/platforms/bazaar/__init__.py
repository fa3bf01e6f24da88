"""Bazaar, an invented platform: orders by an API with pages, refunds, a signed webhook. Written after
docs/adding-a-platform.md; nothing outside this folder knows it."""

from __future__ import annotations

from creator_pipeline.platforms.contract import Credential, Later, Platform, Rate
from creator_pipeline_tests.platforms.bazaar.tables import ORDER_KEYS

_HERE = "creator_pipeline_tests.platforms.bazaar"

PLATFORM = Platform(
    name="bazaar",
    label="Bazaar",
    colour="#2a9d8f",
    partitions="bazaar_profiles",
    credential=Credential(
        option="--bazaar-token",
        help="Token of the shop; else BAZAAR_TOKEN. Stored encrypted.",
        variable="BAZAAR_TOKEN",
    ),
    rate=Rate("BAZAAR_REQUESTS_PER_MINUTE", 6_000_000),
    where_to_connect="creator-pipeline profiles add {profile_id} --bazaar-token TOKEN",
    known_names={"order field": ORDER_KEYS},
    personal=Later(f"{_HERE}.tables", "PERSONAL"),
    dagster=Later(f"{_HERE}.definitions", "PARTS"),
    webhooks=Later(f"{_HERE}.webhook", "WEBHOOKS"),
    checks=Later(f"{_HERE}.probes", "CHECKS"),
)
