"""Fifty rounds of the drill; ``python -m creator_pipeline_tests.faults --rounds N`` plays as many as wanted."""

from __future__ import annotations

import random

import pytest

from creator_pipeline_tests.faults.campaign import campaign, table
from creator_pipeline_tests.faults.catalogue import CATALOGUE

ROUNDS, SEED = 50, 20
# Another backfill reads the same days by the same code as a nightly run; it costs as much as ten other rounds.
COSTLY = {"two-backfills"}
PARTS = 2
"""Systems side by side, where the suite has more workers than one."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_accepted_is_lost_or_counted_twice_whatever_fails(part: int) -> None:
    """Guards: money that a crash at the wrong moment loses or counts twice, and work that nobody takes up again."""
    forked = sorted(name for name, fault in CATALOGUE.items() if not fault.processes and name not in COSTLY)
    chosen = random.Random(SEED).sample(forked, ROUNDS)
    mine = chosen[part::PARTS]
    results = list(campaign(len(mine), SEED + part, mine))
    broken = [(result.fault, result.seed, result.violations) for result in results if result.violations]
    assert not broken, broken
    # A drill whose faults don't happen proves nothing.
    assert sum(result.happened for result in results) >= len(mine) * 0.85, table(results)
