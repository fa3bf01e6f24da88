"""Fifty rounds of the drill; ``python -m creator_pipeline_tests.faults --rounds N`` plays as many as wanted."""

from __future__ import annotations

import random

import pytest

from creator_pipeline_tests.faults.campaign import campaign, table
from creator_pipeline_tests.faults.catalogue import CATALOGUE

ROUNDS, SEED = 50, 20
# Another backfill reads the same days by the same code as a nightly run; it costs as much as ten other rounds.
COSTLY = {"two-backfills"}


@pytest.mark.timeout(300)
def test_nothing_accepted_is_lost_or_counted_twice_whatever_fails() -> None:
    """Guards: money that a crash at the wrong moment loses or counts twice, and work that nobody takes up again."""
    light = sorted(name for name, fault in CATALOGUE.items() if not fault.processes and name not in COSTLY)
    chosen = random.Random(SEED).sample(light, ROUNDS)
    results = list(campaign(ROUNDS, SEED, chosen))
    broken = [(result.fault, result.seed, result.violations) for result in results if result.violations]
    assert not broken, broken
    # A drill whose faults don't happen proves nothing.
    assert sum(result.struck for result in results) >= ROUNDS * 0.9, table(results)
