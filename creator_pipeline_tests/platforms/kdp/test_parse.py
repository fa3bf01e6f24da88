"""What must not change the rows, and what a row's identity is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.models import Row, Totals
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_samples import COMBINED, ESTIMATOR, FINAL, REEXPORT, as_csv, table, workbook

PLAIN = [(row.measures, row.dimensions) for row in parse(COMBINED).rows]
MONEY = range(10, 14)


def contents(data: bytes) -> list[tuple[object, object]]:
    report = parse(data, "x.csv")
    assert report.verdict == "accept"
    return [(row.measures, row.dimensions) for row in report.rows]


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(15)),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\r\n", "\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    extra=st.integers(0, 2),
    tails=st.integers(0, 3),
    comma=st.booleans(),
)
def test_how_a_spreadsheet_saved_it_changes_no_row(
    order: list[int], delimiter: str, newline: str, encoding: str, extra: int, tails: int, comma: bool
) -> None:
    """Incident: the same report gave other money after a trip through a German Excel."""
    header, *body = table()
    if comma:
        body = [[cell.replace(".", ",") if place in MONEY else cell for place, cell in enumerate(row)] for row in body]
    rows = [[*(row[place] for place in order), *["more"] * extra] for row in (header, *body)]
    rows += [[""] * (15 + extra)] * tails
    rows[0][15:] = [f"New {n}" for n in range(extra)]
    assert contents(as_csv(rows, delimiter=delimiter, newline=newline, encoding=encoding)) == PLAIN


def test_shift_jis_is_believed_only_with_a_japanese_header() -> None:
    """Incident: Japanese titles stored as Western noise."""
    header = [
        "ロイヤリティ発生日",
        "タイトル",
        "著者名",
        "ASIN/ISBN",
        "マーケットプレイス",
        "ロイヤリティの種類",
        "取引の種類",
        "販売数量",
        "払い戻し数",
        "実質販売数",
        "平均希望小売価格(税別)",
        "平均販売価格(税別)",
        "平均配信/制作コスト",
        "ロイヤリティ",
        "通貨",
    ]
    row = [
        "2026-03",
        "海霧の図書館",
        "灰原",
        "B0TESTEA04",
        "Amazon.co.jp",
        "70%",
        "標準",
        "2",
        "0",
        "2",
        "500",
        "500",
        "該当なし",
        "699.66",
        "JPY",
    ]
    (read,) = parse(as_csv([header, row], encoding="cp932"), "ja.csv").rows
    assert (read.dimensions.title, read.dimensions.event_key[5], read.measures.royalty_micros) == (
        "海霧の図書館",
        "standard",
        699_660_000,
    )


def test_exact_copies_are_kept() -> None:
    """Incident: DISTINCT lost half the print income."""
    copies = Counter(row.dimensions for row in parse(ESTIMATOR).rows if row.dimensions.kind == "sales")
    assert max(copies.values()) >= 3


def events(rows: list[Row], month: str, kind: str) -> dict[tuple[str, ...], Totals]:
    sums: dict[tuple[str, ...], Totals] = {}
    for row in rows:
        if row.dimensions.month == month and row.dimensions.kind == kind:
            sums.setdefault(row.dimensions.event_key, Totals()).add(row)
    return sums


@pytest.mark.parametrize("kind", ["sales", "kenp"])
def test_estimate_and_final_agree_on_keys_and_sums(kind: str) -> None:
    """Incident: the final month looked like 27 vanished and 27 new sales."""
    estimate, final = (events(parse(path).rows, "2026-03", kind) for path in (ESTIMATOR, FINAL))
    assert set(estimate) == set(final)
    for key, sums in final.items():
        assert (sums.net_units, sums.pages_read) == (estimate[key].net_units, estimate[key].pages_read)
        if kind == "sales":
            assert sums.royalty_micros == estimate[key].royalty_micros


def test_a_renamed_title_changes_no_key() -> None:
    """Incident: a corrected title counted every closed month twice."""
    before, after = (events(parse(path).rows, "2026-03", "sales") for path in (ESTIMATOR, REEXPORT))
    assert set(before) == set(after)
    assert {row.dimensions.title for row in parse(ESTIMATOR).rows} != {
        row.dimensions.title for row in parse(REEXPORT).rows
    }


def test_the_hardcover_tab_is_believed_not_the_word() -> None:
    """Incident: hardcovers filed as paperbacks."""
    assert Counter(row.dimensions.format for row in parse(ESTIMATOR).of_kind("sales"))["hardcover"] == 1


HEADER_EBOOK = ["Royalty Date", "Title", "Author Name", "ASIN", "Marketplace", "Royalty Type", "Transaction Type", "Units Sold", "Units Refunded", "Net Units Sold", "Avg. List Price without tax", "Avg. Offer Price without tax", "Avg. File Size (MB)", "Avg. Delivery Cost", "Royalty", "Currency"]  # fmt: skip


def ebook(day: str, units: float = 1.0) -> list[object]:
    return [
        day,
        "T",
        "A",
        "B0TESTEA01",
        "Amazon.com",
        "70%",
        "Standard",
        units,
        0.0,
        units,
        4.99,
        4.99,
        1.0,
        0.1,
        3.41 * units,
        "USD",
    ]


def test_a_daily_workbook_has_daily_slices_empty_days_and_a_snapshot_time() -> None:
    """Incident: a cancelled day stayed because the newer export had no row for it."""
    report = parse(
        workbook(
            {"eBook Royalty": [HEADER_EBOOK, ebook("2026-03-01"), ebook("2026-03-03")]}, created="2026-03-05T06:07:08Z"
        )
    )
    assert (report.kind, report.grain, report.snapshot_at) == (
        "estimator_daily",
        "day",
        datetime(2026, 3, 5, 6, 7, 8, tzinfo=UTC),
    )
    assert (report.period_start, report.period_end) == (date(2026, 3, 1), date(2026, 3, 4))
    assert "sales/digital:2026-03-02" in report.empty_slices
    assert report.slices()["sales/digital:2026-03-02"] == Totals()


def test_a_workbook_that_contradicts_its_own_totals_is_held_back() -> None:
    """Incident: a person deleted rows of one tab before uploading."""
    header, *body = table()
    combined = [header, *([*row[:7], *map(float, row[7:10]), *row[10:13], float(row[13]), row[14]] for row in body)]
    report = parse(workbook({"Combined Sales": combined, "eBook Royalty": [HEADER_EBOOK, ebook("2026-03", 11.0)]}))
    assert report.verdict == "quarantine"
    assert any(problem.sheet == "Combined Sales" and problem.column == "net units" for problem in report.problems)


def test_a_second_report_below_the_first_is_not_taken_for_its_rows() -> None:
    """Incident: April counted as March after two exports were pasted together."""
    head = [
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
        "Royalty",
    ]
    sale = ["T", "A", "B0TESTEA01", "Amazon.com", "1", "0", "1", "70%", "Standard", "USD", "3.41"]
    first, second = (["Sales Period", month, *[""] * 9] for month in ("March 2026", "April 2026"))
    assert parse(as_csv([first, head, sale])).verdict == "accept"
    assert parse(as_csv([first, head, sale, second, head, sale])).verdict == "quarantine"


@pytest.mark.parametrize("column", [0, 3, 4, 7, 13, 14])
def test_a_cell_that_cannot_be_read_names_row_and_column(column: int) -> None:
    """Incident: an empty royalty counted as zero."""
    rows = table()
    rows[4][column] = "?"
    if column == 4:
        rows[4][column] = ""
    report = parse(as_csv(rows), "x.csv")
    assert report.verdict == "quarantine"
    assert [(each.row, each.column) for each in report.problems] == [(5, rows[0][column])]
    assert len(report.rows) == len(PLAIN) - 1


def test_damaged_utf8_is_not_read_as_western_text() -> None:
    """Incident: a download cut in the middle of a letter filled the titles with noise."""
    data = as_csv(table())
    with pytest.raises(DataError, match="damaged or cut off"):
        parse(data[: data.rindex("館".encode()) + 1])
