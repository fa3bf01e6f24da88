"""Fifty rounds of the drill; ``python -m creator_pipeline_tests.faults --rounds N`` plays as many as wanted."""

from __future__ import annotations

import pytest

from creator_pipeline_tests.faults.campaign import campaign, table

ROUNDS, SEED = 50, 20


@pytest.mark.timeout(300)
def test_nothing_accepted_is_lost_or_counted_twice_whatever_fails() -> None:
    """Guards: money that a crash at the wrong moment loses or counts twice, and work that nobody takes up again."""
    results = list(campaign(ROUNDS, SEED))
    broken = [(result.fault, result.seed, result.violations) for result in results if result.violations]
    assert not broken, broken
    # A drill whose faults don't happen proves nothing.
    assert sum(result.struck for result in results) >= ROUNDS * 0.9, table(results)
