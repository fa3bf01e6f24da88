"""Columns whose known headers are exchanged: price, rate and units tell."""

from __future__ import annotations

import pytest

from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.problems import Problem
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, as_csv, table

LIST, OFFER, COST = "Avg. List Price without tax", "Avg. Offer Price without tax", "Avg. Delivery/Manufacturing cost"


def exchanged(one: str, other: str, rows: int) -> bytes:
    header, *body = table()
    names = {one: other, other: one}
    return as_csv([[names.get(name, name) for name in header], *body[:rows]])


def held(content: bytes) -> list[Problem]:
    return [each for each in parse(content).problems if each.level == "quarantine"]


@pytest.mark.parametrize("rows", [2, 3, 18])
@pytest.mark.parametrize("other", [LIST, OFFER])
def test_a_royalty_that_is_a_price_is_named_with_the_column_that_is_the_royalty(other: str, rows: int) -> None:
    """Incident: a file whose headers of price and royalty were exchanged was in the ledger with prices for royalties."""
    [problem] = held(exchanged("Royalty", other, rows))
    assert problem.column == "Royalty"
    assert other in problem.hint
    assert "100%" in str(problem.found)


def test_sold_and_refunded_that_are_exchanged_are_named() -> None:
    """Incident: a shop of refunds that all brought money."""
    found = [each for each in held(exchanged("Units Sold", "Units Refunded", 3)) if each.column == "Royalty"]
    assert "Units Refunded" in found[0].hint


def test_one_row_and_free_copies_prove_nothing() -> None:
    """Guards: a right report that is held back because few of its rows tell anything."""
    header, *body = table()
    at = {name: place for place, name in enumerate(header)}
    free = [*body[0]]
    free[at["Royalty"]], free[at[OFFER]], free[at[COST]] = "0.00", "0.00", "N/A"
    free[at["Transaction Type"]] = "Free - Promotion"
    assert held(as_csv([header, *[free] * 12, body[0]])) == []


def test_prices_that_changed_within_the_month_are_no_matter() -> None:
    """Guards: a month with a promotion, whose average prices make no row's royalty exactly."""
    header, *body = table()
    royalty = header.index("Royalty")
    for row in body[::2]:
        row[royalty] = f"{float(row[royalty]) * 0.8:.2f}"
    assert held(as_csv([header, *body])) == []


@pytest.mark.parametrize("path", [COMBINED, ESTIMATOR, FINAL], ids=lambda path: path.name[:16])
def test_what_kdp_writes_has_no_word_of_it(path) -> None:
    """Guards: a warning on every report, read by nobody."""
    assert not any("royalty =" in str(each.expected) for each in parse(path).problems)
