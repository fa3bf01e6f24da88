"""Workbooks and CSVs that people changed: renamed tabs, rewritten dates, added rows, empty tabs in other languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.models import total
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.upload import name_of
from creator_pipeline_tests.support.kdp_languages import LANGUAGES
from creator_pipeline_tests.support.kdp_samples import COMBINED, FINAL, as_csv, saved, table, workbook

SALE = "marketplace royalty_type transaction units_sold units_refunded net_units list_price offer_price"
PRINT = f"royalty_date order_date title author isbn {SALE} manufacturing_cost royalty currency asin".split()
EBOOK = f"royalty_date title author asin {SALE} file_size delivery_cost royalty currency".split()
PAGES = ["date", "title", "author", "asin", "marketplace", "kenp"]
ENGLISH = {
    "royalty_date": "Royalty Date",
    "order_date": "Order Date",
    "date": "Date",
    "title": "Title",
    "author": "Author Name",
    "asin": "ASIN",
    "isbn": "ISBN",
    "marketplace": "Marketplace",
    "royalty_type": "Royalty Type",
    "transaction": "Transaction Type",
    "units_sold": "Units Sold",
    "units_refunded": "Units Refunded",
    "net_units": "Net Units Sold",
    "list_price": "Avg. List Price without tax",
    "offer_price": "Avg. Offer Price without tax",
    "file_size": "Avg. File Size (MB)",
    "delivery_cost": "Avg. Delivery Cost",
    "manufacturing_cost": "Avg. Manufacturing Cost",
    "royalty": "Royalty",
    "currency": "Currency",
    "kenp": "KENP",
}


def printed(day: object, units: int, isbn: str, word: str = "Standard - Paperback") -> list[object]:
    """Of a book of 10.00 whose copies cost 2.00: 4.00 each."""
    sale = ["Amazon.com", "60%", word, units, 0, units, 10.0, 10.0]
    return [day, day, "A", "Ada Example", isbn, *sale, 2.0, 4.0 * units, "USD", "B0PRINT001"]


def ebook(day: object, units: int) -> list[object]:
    """Of a book of 5.00 that is delivered for 0.50: 3.15 each."""
    sale = ["Amazon.com", "70%", "Standard", units, 0, units, 5.0, 5.0]
    return [day, "A", "Ada Example", "B0EBOOK001", *sale, 1.0, 0.5, round(3.15 * units, 2), "USD"]


def header(roles: list[str], words: dict[str, str] = ENGLISH) -> list[object]:
    return [words[role] for role in roles]


PAPER, HARD = (
    printed("2026-10-03", 2, "9798999900012"),
    printed("2026-10-14", 1, "9798999900029", "Standard - Hardcover"),
)


@pytest.mark.parametrize("names", [("Tab 1", "Tab 2"), ("Hardcover Royalty (2)", "Paperback Royalty (2)"), ("b", "a")])
def test_renamed_tabs_of_paperbacks_and_hardcovers_both_count(names: tuple[str, str]) -> None:
    """Incident: "two reports, or one tab twice" of a workbook whose tabs had been renamed."""
    one, two = names
    report = parse(workbook({two: [header(PRINT), PAPER], one: [header(PRINT), HARD]}), "report.xlsx")
    sums = total(report.of_kind("sales"))
    assert (report.verdict, sums.net_units, sums.royalty_micros) == ("accept", 3, {"USD": 12_000_000})
    assert {row.dimensions.isbn: row.dimensions.format for row in report.rows}["9798999900029"] == "hardcover"


def test_one_tab_twice_is_refused_whatever_its_name() -> None:
    """Guards: a copy of a tab that counts beside it."""
    with pytest.raises(DataError, match="one tab twice"):
        parse(workbook({"Tab 1": [header(PRINT), PAPER], "Tab 2": [header(PRINT), PAPER]}), "report.xlsx")


@pytest.mark.parametrize(("month", "period"), [(True, "2026-09/2026-10"), (False, "2026-10-01/2026-10-14")])
def test_a_tab_of_first_days_is_read_as_the_other_tabs_are(*, month: bool, period: str) -> None:
    """Incident: a saved-again workbook held back whole, as all hardcovers were sold on the first of one month."""
    days = [date(2026, 9, 1), date(2026, 10, 1)] if month else [date(2026, 10, 3), date(2026, 10, 14)]
    tabs = {
        "eBook Royalty": [header(EBOOK), *(ebook(f"{day}", 1) for day in days)],
        "Hardcover Royalty": [header(PRINT), printed(date(2026, 10, 1), 1, "9798999900029")],
    }
    for row in tabs["eBook Royalty"][1:]:
        row[0] = date.fromisoformat(str(row[0]))
    told = describe(parse(saved(tabs), "report.xlsx"))
    assert (told["verdict"], told["period"], told["net_units"]) == ("accept", period, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tabs_that_hold_no_rows_are_no_error_in_any_language(language: str) -> None:
    """Incident: "column missing" of an empty tab of a Dutch workbook that had only page reads."""
    words = LANGUAGES[language]
    page = ["2026-10-03", "A", "Ada Example", "B0EBOOK001", "Amazon.com", 500]
    tabs = {
        "1": [header(EBOOK, words)],
        "2": [header(PRINT, words)],
        "3": [header(PRINT, words)],
        "4": [header(PAGES, words | {"kenp": "KENP"}), page],
    }
    report = parse(workbook(tabs), "report.xlsx")
    assert (report.verdict, total(report.of_kind("kenp")).pages_read) == ("accept", 500)
    with pytest.raises(DataError, match="No tab of this workbook"):
        parse(workbook({name: rows[:1] for name, rows in tabs.items() if name != "4"}), "report.xlsx")


TOTALS = {
    "in a currency": ["Total", *[""] * 6, "99", "0", "99", "", "", "", "500.00", "USD"],
    "in a column of its own": ["", "Summe", *[""] * 5, "99", "0", "99", "", "", "", "500.00", ""],
    "as a remark": ["* Free units are no sales"],
    "as a remark of several words": ["Made by my bookkeeper in October"],
}


@pytest.mark.parametrize("row", TOTALS.values(), ids=TOTALS.keys())
def test_what_somebody_wrote_below_the_rows_is_left_out_and_told(row: list[str]) -> None:
    """Incidents: a row of totals in USD that had no product id; "cut off" of a file with a remark below."""
    report = parse(as_csv([*table(), [], row]), "report.csv")
    right = parse(COMBINED)
    assert total(report.rows) == total(right.rows)
    assert report.verdict == "accept"
    assert any("left out" in each.hint for each in report.problems)


@pytest.mark.parametrize("cut", ["2026-", "Oct", "Sat 03"])
def test_a_file_that_ends_within_its_first_cell_is_cut_off(cut: str) -> None:
    """Guards: the rest of a download, taken for a remark."""
    with pytest.raises(DataError, match="cut off"):
        parse(as_csv([*table(), [cut]]), "report.csv")


@pytest.mark.parametrize("period", ["Mar-26", "2026-03-01", "3月 2026", "2026 年 3 月", "março de 2026"])
def test_the_sales_period_is_read_as_programs_rewrite_it(period: str) -> None:
    """Incident: Excel made Mar-26 of March 2026, and the final report was refused."""
    tabs = {
        "eBook Royalty": [
            ["Sales Period", period],
            [
                *("Title", "Author", "ASIN", "Marketplace", "Units Sold", "Units Refunded", "Net Units Sold"),
                *("Royalty Type", "Transaction Type", "Currency", "Avg. List Price without tax"),
                *("Avg. Offer Price without tax", "Avg. File Size (MB)", "Avg. Delivery Cost", "Royalty"),
            ],
            ["A", "Ada", "B0EBOOK001", "Amazon.com", 2, 0, 2, "70%", "Standard", "USD", 5.0, 5.0, 1.0, 0.5, 6.3],
        ]
    }
    told = describe(parse(workbook(tabs), "report.xlsx"))
    assert (told["verdict"], told["period"], told["net_units"]) == ("accept", "2026-03", 2)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("Title,ASIN,Units Sold,Units Refunded,KENP Read,Free Units-Promo,Free Units-Price Match", "month to date"),
        ("Month,Net Units Sold,KENP,Marketplace", "Historical"),
    ],
)
def test_what_kdp_shows_and_nobody_can_count_is_named(columns: str, said: str) -> None:
    """Incident: "upload the file that KDP made" of a table that KDP made."""
    with pytest.raises(DataError, match=said):
        parse(as_csv([columns.split(","), ["x"] * (columns.count(",") + 1)]), "report.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_an_upload_may_have_every_encoding_that_is_read(tmp_path: Path, encoding: str) -> None:
    """Incident: "neither a workbook nor a CSV file" on the page, of a file that the command reads."""
    path = tmp_path / "report"
    path.write_bytes(as_csv(table(), encoding=encoding, delimiter="\t"))
    assert name_of(path, "report.txt") == "report.txt.csv"
    assert total(parse(path, "report.csv").rows) == total(parse(COMBINED).rows)


def test_the_final_report_stays_final() -> None:
    """Guards: a Sales Period that is read as a day."""
    assert describe(parse(FINAL))["period"] == "2026-03"
