"""Reports that other programs saved: Numbers, Excel, LibreOffice. And those of other languages and of old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import openpyxl
import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.models import total
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_languages import LANGUAGES
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, as_csv, saved, table, workbook

Rows = list[list[object]]


def sheets(path: object) -> dict[str, Rows]:
    """The tabs of a workbook as KDP wrote them."""
    book = openpyxl.load_workbook(str(path), read_only=False)
    return {
        sheet.title: [["" if cell is None else cell for cell in row] for row in sheet.iter_rows(values_only=True)]
        for sheet in book.worksheets
    }


def figures(content: object) -> dict[str, object]:
    report = describe(parse(content, "report"))
    return {key: report[key] for key in ("verdict", "period", "sales_rows", "net_units", "royalty_by_currency")}


def as_text(cell: object) -> object:
    return f"{cell:,.2f}" if isinstance(cell, float) and cell != int(cell) else str(cell)


@pytest.mark.parametrize("path", [ESTIMATOR, FINAL], ids=["dashboard", "final"])
def test_a_workbook_that_numbers_stacked_in_one_sheet_is_read_table_by_table(path) -> None:
    """Incident: Numbers' export with all tables in one sheet was read to the end of the first one, and accepted."""
    tabs = sheets(path)
    stacked: Rows = []
    for name, rows in tabs.items():
        stacked += [[name], *rows, [""], [""]]
    width = max(map(len, stacked))
    content = saved({"Sheet 1": [[*row, *[""] * (width - len(row))] for row in stacked]})
    assert figures(content) == figures(path)


def test_a_workbook_of_numbers_with_a_tab_for_each_table_is_read() -> None:
    """Incident: tabs named after sheet and table were none of KDP's."""
    tabs = {f"{name[:18]} - Table 1": [[name], *rows] for name, rows in sheets(ESTIMATOR).items()}
    assert figures(saved(tabs)) == figures(ESTIMATOR)


@pytest.mark.parametrize("above", [["Combined Sales"], ["Table 1"], ["Combined Sales", ""]])
def test_a_csv_of_numbers_with_the_name_of_its_table_above_the_header_is_read(above: list[str]) -> None:
    """Incident: 'no header in the first row' of a CSV for each table."""
    assert figures(as_csv([above, *table()])) == figures(COMBINED)


def test_a_workbook_that_was_saved_again_with_true_dates_and_numbers_as_text_is_read() -> None:
    """Incident: dates that became dates and numbers that became text were refused, row by row."""
    tabs = sheets(ESTIMATOR)
    for rows in tabs.values():
        for row in rows:
            for place, cell in enumerate(row):
                if isinstance(cell, str) and len(cell) == 10 and cell[4:8:3] == "--":
                    row[place] = datetime.fromisoformat(cell)
                elif isinstance(cell, int | float):
                    row[place] = as_text(cell)
    assert figures(saved(tabs)) == figures(ESTIMATOR)


def test_one_month_whose_dates_became_first_days_is_held_back() -> None:
    """Guards: a month booked on its first day, because a program made 2026-03 the first of March."""
    header, *body = table()
    at = header.index("Royalty Date")
    month: Rows = [[*row[:at], date(2026, 3, 1), *row[at + 1 :]] for row in body if row[at].startswith("2026-03")]
    content = saved({"Combined Sales": [[*header], *month]})
    assert parse(content, "report.xlsx").verdict == "quarantine"


def translated(rows: Sequence[Sequence[object]], language: str) -> Rows:
    known = dict(zip(table()[0], LANGUAGES_OF[language], strict=True))
    return [[known.get(str(cell), cell) for cell in rows[0]], *map(list, rows[1:])]


_HEADER = "royalty_date title author asin_isbn marketplace royalty_type transaction units_sold units_refunded net_units"
_MONEY = "list_price offer_price any_cost royalty currency"
LANGUAGES_OF = {name: [words[role] for role in f"{_HEADER} {_MONEY}".split()] for name, words in LANGUAGES.items()}


def test_an_italian_workbook_is_read_by_what_its_columns_hold() -> None:
    """Incident: an Italian workbook was refused for a column that it had."""
    content = workbook({"Vendite combinate": translated(table(), "Italian")})
    got, right = figures(content), figures(COMBINED)
    assert got == right


def test_a_sign_that_contradicts_the_row_s_currency_holds_that_row_back() -> None:
    """Incident: pounds in the ledger as dollars."""
    header, *body = table()
    at, code = header.index("Royalty"), header.index("Currency")
    dollars = [row for row in body if row[code] == "USD"]
    right = parse(as_csv([header, *[[*row[:at], f"${row[at]}", *row[at + 1 :]] for row in dollars]]))
    assert (
        total(right.of_kind("sales")).royalty_micros
        == total(parse(as_csv([header, *dollars])).of_kind("sales")).royalty_micros
    )
    dollars[1][at] = f"£{dollars[1][at]}"
    wrong = parse(as_csv([header, *dollars]))
    [problem] = [each for each in wrong.problems if each.column == "Royalty" and each.row]
    assert (problem.row, wrong.verdict) == (3, "quarantine")
    assert "USD" in str(problem.expected)


def test_the_old_layout_is_named_and_never_empty() -> None:
    """Incident: an old Sales & Royalties file, taken for another report without its columns."""
    header = ["Title", "Author", "ASIN", "Units Sold", "Units Refunded", "Net Units Sold", "Royalty Type", "Royalty"]
    rows = [["Amazon.com Sales report for the period 01-Mar-2012 to 31-Mar-2012"], header, ["A", "B", "B00TEST001"]]
    with pytest.raises(DataError):
        parse(as_csv(rows))


def test_the_old_reports_columns_are_read_where_something_says_when() -> None:
    """Incident: nobody knew whether the layout that a public program names is read, or as what."""
    header = [
        "Title",
        "Author",
        "ASIN",
        "Marketplace",
        "Units Sold",
        "Units Refunded",
        "Net Units Sold",
        "Royalty Type",
        "Transaction Type",
        "Currency",
        "Avg. List Price without tax",
        "Avg. Offer Price without tax",
        "Avg. File Size (MB)",
        "Avg. Delivery Cost",
        "Royalty",
    ]
    row = "The Glass Orchard,Ada Example,B0TSTBK001,Amazon.com,10,1,9,70%,Standard,USD,4.99,4.99,0.4,0.06,31.06"
    tab = [header, row.split(",")]
    dated = [["Royalty Date", *header], ["2018-09-15", *tab[1]]]
    for rows, period in (([["Sales Period", "September 2018"], *tab], "2018-09"), (dated, "2018-09-15")):
        told = describe(parse(as_csv(rows)))
        assert (told["verdict"], told["period"], told["net_units"]) == ("accept", period, 9)
        assert told["royalty_by_currency"] == {"USD": "31.06"}
    with pytest.raises(DataError, match="month is missing"):
        parse(as_csv(tab))
