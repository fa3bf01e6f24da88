"""The rate of a day, and the one conversion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from creator_pipeline.fx import ecb, rates
from creator_pipeline.fx.rates import OwnRate
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import paths

FOLDER = paths.FIXTURES / "fx"
MANIFEST = json.loads((paths.FIXTURES / "kdp_payments" / "manifest.json").read_text(encoding="utf-8"))
NAME = "eurofxref-hist.csv"
FOUND = ecb.read(NAME, (FOLDER / NAME).read_bytes())


def all_rates() -> rates.Rates:
    by_day: dict[date, dict[str, Decimal]] = {}
    for one in FOUND:
        by_day.setdefault(one.day, {})[one.currency] = Decimal(one.rate)
    return rates.Rates(by_day)


@pytest.mark.parametrize("case", MANIFEST["conversions"], ids=lambda case: f"{case['day']} {case['of']}-{case['to']}")
def test_conversions_come_to_the_figures_of_the_manifest(case: Mapping[str, Any]) -> None:
    """Guards: tomorrow's rate on a Saturday, a rate of last spring, an inverse that was rounded first."""
    day, amount = date.fromisoformat(case["day"]), Decimal(case["amount"])
    done = all_rates().convert(amount, case["of"], case["to"], day)
    if case.get("result", "") is None:
        assert done.amount is None
        assert done.missing
        return
    assert done.amount == Decimal(case["exact_6"])
    assert done.rate == Decimal(case["rate"])
    assert done.rate_on == (date.fromisoformat(case["rate_on"]) if case["rate_on"] else None)
    assert rates.rounded(done.amount, case["to"]) == Decimal(case["rounded"])
    back = all_rates().convert(-amount, case["of"], case["to"], day)
    assert back.amount == -done.amount
    assert rates.rounded(back.amount, case["to"]) == -Decimal(case["rounded"])


def test_a_total_is_rounded_once() -> None:
    """Guards: a report whose lines add up to a cent more than its total."""
    told = MANIFEST["rounding_difference"]
    day = date.fromisoformat(told["day"])
    lines = [all_rates().convert(Decimal(one), "USD", "EUR", day).amount for one in told["lines_usd"]]
    assert sum(rates.rounded(one, "EUR") for one in lines if one) == Decimal(told["sum_of_rounded_eur"])
    assert rates.rounded(sum((one for one in lines if one), Decimal(0)), "EUR") == Decimal(told["rounded_sum_eur"])


def test_the_platforms_own_rate_goes_before_and_bridges_what_the_ecb_lacks() -> None:
    """Guards: dollars that Whop had told, reckoned again; and money of Taiwan that was left out though they were told."""
    day, own = date(2026, 10, 30), OwnRate("USD", 3_100_000, 100_000_000, date(2026, 10, 30), "Whop usd_amount")
    direct = all_rates().convert(Decimal(50), "TWD", "USD", day, own)
    assert (direct.amount, direct.source) == (Decimal("1.55"), "Whop usd_amount")
    bridged = all_rates().convert(Decimal(50), "TWD", "EUR", day, own)
    assert bridged.amount == Decimal("1.409091")
    assert bridged.source == "Whop usd_amount, then ECB"
    assert all_rates().convert(Decimal(50), "TWD", "EUR", day).missing == "TWD has no rate on 2026-10-30"
    assert all_rates().convert(Decimal(50), "TWD", "KWD", day, own).amount is None


def test_loading_again_changes_nothing_and_a_corrected_rate_is_counted(warehouse: Warehouse) -> None:
    """Guards: a rate of the past that moved without a word, and a short file that emptied the table."""
    first = rates.load(warehouse, FOUND)
    assert first.inserted == len(FOUND)
    assert rates.load(warehouse, FOUND).unchanged == len(FOUND)
    assert rates.load(warehouse, [ecb.Rate(date(2026, 10, 30), "USD", "1.2")]).updated == 1
    with warehouse.read() as connection:
        found = rates.stored(connection, date(2026, 10, 1), date(2026, 10, 31))
    assert found.convert(Decimal(12), "USD", "EUR", date(2026, 10, 31)).amount == Decimal(10)
    assert found.convert(Decimal(175), "JPY", "EUR", date(2026, 10, 29)).amount == Decimal(1)
