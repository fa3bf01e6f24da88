"""Every fixture against the manifest."""

from __future__ import annotations

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.inspect import describe, inspect
from creator_pipeline.platforms.kdp.models import total
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_samples import FINAL, FIXTURES, MANIFEST

LEGACY = "legacy_month_end_2012_sections.csv"
# What only a second file or the name could tell is no kind of its own.
KINDS = {"estimator_monthly_reexport": "estimator_monthly", "prior_month_wrong_month": "prior_month_final"}
KEYS = {
    *("file", "verdict", "kind", "finality", "period", "sales_rows", "net_units", "refunded", "free_units"),
    *("kenp_pages", "royalty_by_currency", "kenp_royalty_by_currency", "problems"),
}


def described(name: str) -> dict[str, object]:
    try:
        return describe(parse(FIXTURES / name))
    except DataError as error:
        return {"verdict": "reject", "kind": getattr(error, "kind", None), "where": error.where(), "hint": error.hint}


@pytest.mark.parametrize("name", sorted(set(MANIFEST) - {LEGACY}))
def test_a_fixture_is_judged_and_counted_as_its_manifest_says(name: str) -> None:
    """Incident: a report accepted with other units or money than the person sees in KDP."""
    expected, got = dict(MANIFEST[name]), described(name)
    expected["kind"] = KINDS.get(expected["kind"], expected["kind"])
    if name == "xlsx_named.csv":
        expected["kind"] = "estimator_monthly"
    assert {key: got[key] for key in expected if key in got} == {
        key: value for key, value in expected.items() if key in got
    }


@pytest.mark.parametrize("name", sorted(name for name, it in MANIFEST.items() if it["verdict"] != "accept"))
def test_a_refusal_says_where_and_what_to_do(name: str) -> None:
    """Incident: 'invalid file', and nobody knows which of 40 columns."""
    got = described(name)
    if got["verdict"] == "reject":
        assert got["hint"]
        assert got["where"]["file"] == name
    else:
        held = [each for each in parse(FIXTURES / name).problems if each.level == "quarantine"]
        assert held
        assert all(each.hint and each.found and each.expected and each.column for each in held)


def test_the_old_layout_is_named_and_refused() -> None:
    """Incident: a 2012 report read with a store's currency that stands in another line."""
    with pytest.raises(DataError, match="old layout, not supported yet"):
        parse(FIXTURES / LEGACY)


@pytest.mark.parametrize("name", [FINAL.name, "csv_prior_month_total_earnings.csv"])
def test_money_for_pages_is_apart_from_sales(name: str) -> None:
    """Incident: page reads counted twice, once as pages and once inside Total Earnings."""
    kenp = total(parse(FIXTURES / name).of_kind("kenp"))
    assert kenp.rows == MANIFEST[name]["kenp_rows"]
    money = {code: to_text(micros, code) for code, micros in kenp.royalty_micros.items()}
    assert money == MANIFEST[name]["kenp_royalty_by_currency"]


def test_inspect_has_the_contracts_keys_through_the_guarded_process() -> None:
    """Incident: a script that reads the JSON breaks on a rejected file."""
    names = ["csv_combined_utf8.csv", "csv_dates_mangled_by_excel.csv", "empty.csv"]
    answers = inspect(FIXTURES / name for name in names)
    assert [answer["file"] for answer in answers] == names
    assert [answer["verdict"] for answer in answers] == ["accept", "quarantine", "reject"]
    for answer in answers:
        assert set(answer) == KEYS
        assert all(
            set(problem) == {"sheet", "row", "column", "found", "expected", "hint"} for problem in answer["problems"]
        )
