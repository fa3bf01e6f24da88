"""The Summary and the rows of a workbook."""

from __future__ import annotations

import pytest

from creator_pipeline.platforms.kdp.models import Report
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_samples import workbook

EBOOK = [
    "Royalty Date",
    "Title",
    "Author Name",
    "ASIN",
    "Marketplace",
    "Royalty Type",
    "Transaction Type",
    "Units Sold",
    "Units Refunded",
    "Net Units Sold",
    "Avg. List Price without tax",
    "Avg. Offer Price without tax",
    "Avg. File Size (MB)",
    "Avg. Delivery Cost",
    "Royalty",
    "Currency",
]
SUMMARY = [
    "Date",
    "Paid Units Sold (eBook)",
    "Free Units Sold (eBook)",
    "Net Units Sold (Paperback)",
    "Net Units Sold (Hardcover)",
    "KOLL Borrows",
    "Kindle Edition Normalized Page (KENP) Read",
    "Royalty (USD)",
]


def read(rows: dict[str, tuple[int, float]], summary: dict[str, tuple[int, float]], *more: str) -> Report:
    """Units and royalty by day or month in the rows, and by month in the Summary."""
    book = ["The Glass Orchard", "Ada Example", "B0TSTBK001", "Amazon.com", "70%", "Standard"]
    body = [[day, *book, units, 0, units, 4.99, 4.99, 1.2, 0.06, money, "USD"] for day, (units, money) in rows.items()]
    listed = [[month, units, 0, 0, 0, "N/A", 0, money, *more] for month, (units, money) in summary.items()]
    tabs = {"Summary": [[*SUMMARY, *more], *listed], "eBook Royalty": [EBOOK, *body]}
    return parse(workbook(tabs, "2026-10-28T08:00:00Z"), "report.xlsx")


def test_a_summary_that_disagrees_holds_the_workbook_back_with_both_numbers() -> None:
    """Incident: a workbook of which two rows had been deleted counted, with a note."""
    report = read({"2026-10": (10, 34.0)}, {"October 2026": (12, 40.8)})
    assert report.verdict == "quarantine"
    found = {each.column: (each.level, each.found, each.expected) for each in report.problems}
    assert found == {
        "e-book units": ("quarantine", "10", "12"),
        "royalty in USD": ("quarantine", "34.00", "40.80"),
    }


@pytest.mark.parametrize(
    ("rows", "summary", "verdict"),
    [
        ({"2026-10": (10, 34.0)}, {"October 2026": (10, 34.0)}, "accept"),
        # The range cut the first month, or the last one.
        (
            {"2026-08": (3, 9.0), "2026-09": (5, 15.0), "2026-10": (7, 21.0)},
            {"August 2026": (9, 27.0), "September 2026": (5, 15.0), "October 2026": (7, 21.0)},
            "accept",
        ),
        # No range takes days out of the middle, and none adds any.
        (
            {"2026-08": (9, 27.0), "2026-09": (3, 9.0), "2026-10": (7, 21.0)},
            {"August 2026": (9, 27.0), "September 2026": (5, 15.0), "October 2026": (7, 21.0)},
            "quarantine",
        ),
        (
            {"2026-09": (6, 18.0), "2026-10": (7, 21.0)},
            {"September 2026": (5, 15.0), "October 2026": (7, 21.0)},
            "quarantine",
        ),
        # A month in the middle lost all its rows.
        (
            {"2026-08": (9, 27.0), "2026-10": (7, 21.0)},
            {"August 2026": (9, 27.0), "September 2026": (5, 15.0), "October 2026": (7, 21.0)},
            "quarantine",
        ),
        # The Summary lists more months than were exported.
        ({"2026-10": (7, 21.0)}, {"July 2017": (5, 15.0), "October 2026": (7, 21.0)}, "accept"),
        # Days from the tenth on.
        ({"2026-10-10": (2, 6.0), "2026-10-20": (2, 6.0)}, {"October 2026": (9, 27.0)}, "accept"),
    ],
)
def test_only_the_range_explains_a_difference(
    rows: dict[str, tuple[int, float]], summary: dict[str, tuple[int, float]], verdict: str
) -> None:
    """Guards: a cut range taken for damage, and damage taken for a cut range."""
    assert read(rows, summary).verdict == verdict


def test_months_of_the_summary_that_were_not_exported_take_nothing_away() -> None:
    """Incident: the Summary of the whole account's life emptied every month before the chosen range."""
    report = read({"2026-10": (7, 21.0)}, {"June 2017": (0, 0.0), "July 2017": (5, 15.0), "October 2026": (7, 21.0)})
    assert "sales/digital:2017-07" not in report.slices()
    assert "sales/digital:2017-06" in report.slices()


def test_a_summary_with_a_column_that_is_not_known_proves_nothing() -> None:
    """Guards: what stands in a column of its own taken for missing rows."""
    report = read({"2026-10": (10, 34.0)}, {"October 2026": (12, 40.8)}, "Net Units Sold (Hologram)")
    assert report.verdict == "accept"
    assert {each.found for each in report.problems} >= {"10", "34.00"}
