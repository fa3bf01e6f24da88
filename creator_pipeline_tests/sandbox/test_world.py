"""The world that a newcomer sees, and the one that tests are tried on."""

from __future__ import annotations

from datetime import date
from itertools import chain

import pytest

from creator_pipeline.platforms.gumroad.catalog import SALE_KEYS
from creator_pipeline.platforms.whop.line_types import is_known
from creator_pipeline.sandbox.world import World
from creator_pipeline_tests.support.sandbox import STAND_INS

SIZES = {"gumroad": {"alice": 60}, "whop": {"alice": 30}}


@pytest.mark.parametrize("odd", [False, True])
def test_only_an_odd_world_has_what_no_platform_documents(odd: bool) -> None:
    """Incident: the demo opened with red checks, and a newcomer couldn't tell them from a mistake of their own."""
    parts = World.of(STAND_INS, today=date(2026, 9, 20), days=60, sizes=SIZES, odd=odd).parts
    fields = set(chain.from_iterable(sale.extra for sale in parts["gumroad"]["alice"].rows))
    assert bool(fields - SALE_KEYS) is odd
    lines = parts["whop"]["alice"].books.lines
    assert any(not is_known(line.line_type) for line in lines) is odd
    assert ("xau" in {line.currency for line in lines}) is odd
