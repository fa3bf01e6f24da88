"""Headers that nobody knows: read right or refused by name; a person's answer is kept."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.models import total
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.problems import ReportError
from creator_pipeline.platforms.kdp.taught import taught_headers
from creator_pipeline.platforms.kdp.taught import teach as keep
from creator_pipeline.platforms.kdp.teach import teach
from creator_pipeline_tests.fuzz.kdp_headers import FIELD, outcome
from creator_pipeline_tests.support.kdp_samples import as_csv, table

CASES = json.loads((FIELD / "manifest.json").read_text(encoding="utf-8"))["cases"]
READ = {name: case for name, case in CASES.items() if case["files"][0] in {path.name for path in FIELD.iterdir()}}


@pytest.mark.parametrize("name", [name for name in READ if READ[name]["right"].get("verdict", "").startswith("accept")])
def test_what_the_field_sends_is_read_right(name: str) -> None:
    """Incident: a Japanese workbook was accepted as empty, and Spanish and Portuguese ones were refused."""
    report, right = parse(FIELD / READ[name]["files"][0]), READ[name]["right"]
    told, pages = describe(report), total(report.of_kind("kenp"))
    paid = {code: to_text(micros, code) for code, micros in pages.royalty_micros.items()}
    told |= {"royalty": told["royalty_by_currency"], "kenp_royalty": paid, "day": told["period"]}
    assert {key: told[key] for key in right if key in told and key != "verdict"} == {
        key: value for key, value in right.items() if key in told and key != "verdict"
    }
    assert report.verdict == "accept"


def test_a_day_that_can_be_no_month_says_which_part_is_the_month() -> None:
    """Incident: 9/15/2026 "can be read in several ways", and "valid and empty" beside it."""
    told = describe(parse(FIELD / "V9_date_us.csv"))
    assert (told["verdict"], told["period"], told["royalty_by_currency"]) == ("accept", "2026-09-15", {"USD": "3.40"})


def test_pre_orders_are_named() -> None:
    """Incident: 'no header of a KDP report; download it again' for a report that KDP itself wrote."""
    with pytest.raises(DataError, match="pre-orders, not sales yet"):
        parse(FIELD / "L1_preorders.csv")


def test_other_headers_are_read_right_or_refused_by_name() -> None:
    """Incident: a report in another language gave other money, or none, and was accepted."""
    counts, bad = Counter[str](), list[str]()
    for seed in range(40):
        result = outcome(seed)
        counts[result.what] += 1
        bad += [result.told] if result.what not in {"right", "refused"} else []
    assert not bad
    assert counts["right"] >= 15


def unknown() -> bytes:
    header, *rows = table()
    names = {"Royalty": "Xyz", "Units Sold": "Abc", "Avg. List Price without tax": "Def"}
    return as_csv([[names.get(name, name) for name in header], rows[0]])


def test_a_persons_answer_is_kept_and_used(tmp_path, sqlite_warehouse) -> None:
    """Incident: every export of a seller whose language nobody knows had to be renamed by hand."""
    path = tmp_path / "report.csv"
    path.write_bytes(unknown())
    with pytest.raises(DataError, match="Xyz"):
        parse(path)
    refused = CliRunner().invoke(teach, [str(path)], input="\n" * 9)
    assert refused.exit_code == 1
    assert "Xyz" in refused.output
    answered = CliRunner().invoke(teach, [str(path), "--column", "Xyz=royalty", "--column", "Abc=Units Sold"])
    assert answered.exit_code == 0, answered.output
    assert taught_headers(sqlite_warehouse) == {"xyz": "royalty", "abc": "units_sold"}
    assert parse(path, taught=taught_headers(sqlite_warehouse)).verdict == "accept"
    keep(sqlite_warehouse, {"XYZ": "list_price"})
    assert taught_headers(sqlite_warehouse)["xyz"] == "list_price"


def test_prompts_are_answered_one_after_the_other(tmp_path, sqlite_warehouse) -> None:
    """Guards: a command that asks, and forgets or mixes up the answers."""
    path = tmp_path / "report.csv"
    path.write_bytes(unknown())
    with pytest.raises(ReportError) as refused:
        parse(path)
    right = {"Xyz": "royalty", "Abc": "units_sold", "Def": "list_price"}
    answers = "\n".join(right[header] for header in refused.value.doubts) + "\n"
    result = CliRunner().invoke(teach, [str(path)], input=answers)
    assert result.exit_code == 0, result.output
    assert "1 row, accept" in result.output
    kept = taught_headers(sqlite_warehouse)
    assert kept == {header.lower(): right[header] for header in refused.value.doubts}
