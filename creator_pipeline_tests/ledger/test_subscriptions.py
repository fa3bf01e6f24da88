"""Subscriptions by day, beside a plain count."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from creator_pipeline.ledger.subscriptions import Day, Price, Span, daily, monthly, period_of

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)
YEAR = [FIRST + timedelta(days=at) for at in range(365)]


def invented_year() -> list[Span]:
    """Sixty subscriptions: some begin as trials, some change their price, half are lost, some will be."""
    rng, spans = random.Random(7), list[Span]()
    for number in range(60):
        start = FIRST + timedelta(days=rng.randrange(-30, 340))
        end = start + timedelta(days=rng.randrange(1, 400)) if number % 2 else None
        cancelled = end - timedelta(days=rng.randrange(0, 40)) if end and number % 3 else None
        prices = [Price(start, 0 if number % 5 == 0 else rng.randrange(1, 40) * 1_000_000)]
        if number % 5 == 0:
            prices.append(Price(start + timedelta(days=14), 9_000_000))
        if number % 7 == 0:
            prices.append(Price(start + timedelta(days=60), 12_000_000))
        spans.append(Span(f"s{number}", start, end, cancelled, "EUR" if number % 4 == 0 else "USD", prices))
    return spans


def counted(spans: list[Span], day: date, currency: str) -> Day:
    """By hand: look at every subscription on this one day."""
    mine = [one for one in spans if one.currency == currency]
    active = [one for one in mine if one.start <= day and (one.end is None or day < one.end)]
    return Day(
        active=len(active),
        new=sum(one.start == day for one in mine),
        cancelling=sum(one.cancelled is not None and one.cancelled <= day for one in active),
        churned=sum(one.end == day for one in mine),
        mrr_micros=sum([p for p in one.prices if p.since <= day][-1].monthly_micros for one in active),
    )


def test_a_year_is_what_a_plain_count_gives() -> None:
    """Incident: a running sum that lost a subscription in March, and an MRR that nobody could explain in December."""
    spans = invented_year()
    found = daily(spans, LAST)
    for day in YEAR:
        for currency in ("USD", "EUR"):
            wanted = counted(spans, day, currency)
            assert found.get((day, currency), Day(0, 0, 0, 0, 0)) == wanted, (day, currency)
    lost = sum(found[key].churned for key in found if FIRST <= key[0] <= LAST)
    assert lost == sum(one.end is not None and FIRST <= one.end <= LAST for one in spans) > 10
    assert max(day for day, _ in found) == LAST


def test_active_is_that_of_the_day_before_plus_new_less_churned() -> None:
    """Incident: three columns of one table that contradicted each other."""
    found = daily(invented_year(), LAST)
    for (day, currency), counts in found.items():
        before = found.get((day - timedelta(days=1), currency), Day(0, 0, 0, 0, 0))
        assert counts.active == before.active + counts.new - counts.churned


def test_one_that_ends_on_its_first_day_was_none() -> None:
    """Incident: a subscription that was given back at once, lost without having been there."""
    assert daily([Span("a", FIRST, FIRST, FIRST, "USD", [Price(FIRST, 1)])], LAST) == {}


@pytest.mark.parametrize(
    ("price", "period", "wanted"),
    [(600, "yearly", 50), (5, "quarterly", 2), (7, "monthly", 7), (100, "every_two_years", 4), (7, "weekly", None)],
)
def test_a_price_is_spread_over_the_months_of_its_period(price: int, period: str, wanted: int | None) -> None:
    """Incident: a yearly plan that made its month the best of all."""
    assert monthly(price, period) == wanted


@pytest.mark.parametrize(
    ("days", "period"),
    [(28, "monthly"), (31, "monthly"), (90, "quarterly"), (182, "biannually"), (366, "yearly"), (7, None)],
)
def test_a_period_is_known_by_its_days(days: int, period: str | None) -> None:
    """Incident: February's members, who had no MRR."""
    start = datetime(2025, 2, 1, tzinfo=UTC)
    assert period_of(start, start + timedelta(days=days)) == period
