"""Which upload counts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.platforms.kdp.layers import Snapshot
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.precedence import Decision, decide
from creator_pipeline.platforms.kdp.sizes import Book, Size, authors_of, sizes_of
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, FINAL, REEXPORT

START = datetime(2026, 4, 1, tzinfo=UTC)
MARCH, PRINT = "sales/digital:2026-03", "sales/print:2026-03"
HALF = datetime(2026, 3, 15, tzinfo=UTC)


def size(books: Mapping[str, int], form: str = "ebook", rows: int = 1) -> Size:
    """Copies by ``product shop``."""
    listed = {f"{name.split()[0]}|amazon.{name.split()[1]}": Book(form, rows, copies) for name, copies in books.items()}
    copies = sum(books.values())
    return Size(len(books) * rows, copies, 0, listed)


def snapshot(
    name: str, hour: int, slices: Mapping[str, int | Mapping[str, int]], finality: str = "estimate", **said: object
) -> Snapshot:
    start = said.pop("start", START)
    sizes = {key: size({"b1 us": each} if isinstance(each, int) else each) for key, each in slices.items()}
    return Snapshot(name, finality, start + timedelta(hours=hour), sizes, authors=frozenset({"ada"}), **said)


def counted(decided: Decision) -> dict[str, list[str]]:
    return {name: sorted(uploads) for name, uploads in decided.counts.items()}


BOOKS = st.dictionaries(st.sampled_from(["b1 us", "b2 us", "b1 uk", "b3 de"]), st.integers(0, 9), max_size=4)
SNAPSHOTS = st.lists(
    st.builds(
        snapshot,
        st.text("abcdef", min_size=1, max_size=2),
        st.integers(0, 4),
        st.dictionaries(
            st.sampled_from(
                [MARCH, f"{MARCH}-01", f"{MARCH}-02", f"{MARCH}-28", PRINT, "kenp:2026-03", "sales/digital:2026-04"]
            ),
            BOOKS,
        ),
        st.sampled_from(["estimate", "final"]),
        accepted_smaller=st.booleans(),
        partial=st.booleans(),
        dated=st.booleans(),
        start=st.sampled_from([START, HALF]),
    ),
    max_size=7,
    unique_by=lambda each: each.upload_id,
)


@given(SNAPSHOTS, st.randoms(use_true_random=False))
def test_any_order_of_uploads_gives_the_same_answer(snapshots: list[Snapshot], dice: random.Random) -> None:
    """Incident: the ledger depended on which of two files was dropped first."""
    answer = decide(snapshots)
    dice.shuffle(snapshots)
    assert decide(snapshots) == answer
    assert not answer.quarantined & {upload for uploads in answer.counts.values() for upload in uploads}
    by_id = {each.upload_id: each for each in snapshots}
    for name, uploads in answer.counts.items():
        books = [
            book
            for upload, some in uploads.items()
            for book in (by_id[upload].slices[name].books if some is None else some)
        ]
        assert len(books) == len(set(books)), "a book counts twice"
    if snapshots:
        # An upload that is taken back and comes again changes nothing.
        without = [each for each in snapshots if each is not snapshots[0]]
        assert decide([*without, snapshots[0]]) == answer


def test_final_beats_monthly_beats_the_union_of_days() -> None:
    """Incident: a later estimate replaced the settled month."""
    days = [
        snapshot("d1", 0, {f"{MARCH}-01": 1, f"{MARCH}-02": 1}),
        snapshot("d2", 1, {f"{MARCH}-02": 2, f"{MARCH}-03": 1}),
    ]
    assert counted(decide(days)) == {f"{MARCH}-01": ["d1"], f"{MARCH}-02": ["d2"], f"{MARCH}-03": ["d2"]}
    month = [*days, snapshot("m", 0, {MARCH: 4})]
    assert counted(decide(month)) == {MARCH: ["m"]}
    final = decide([*month, snapshot("f", 0, {MARCH: 4}, "final"), snapshot("m2", 9, {MARCH: 9})])
    # The newest estimate holds more than twice of the final report: a person looks.
    assert final.quarantined == {"f"}
    final = decide([*month, snapshot("f", 0, {MARCH: 4}, "final"), snapshot("m2", 9, {MARCH: 5})])
    assert counted(final) == {MARCH: ["f"]}
    assert final.superseded == {"d1", "d2", "m", "m2"}


def test_what_never_counts_holds_nothing_back() -> None:
    """Incident: a newer export was held back because orders placed cover other days each day."""
    old = snapshot("a", 0, {MARCH: 9, "orders:2026-03": 10, "orders_placed:2026-03-01": 9})
    new = snapshot("b", 1, {MARCH: 9, "orders:2026-03": 9, "orders_placed:2026-03-01": 2, "payments:2026-03": 0})
    assert decide([old, new]).quarantined == set()
    assert counted(decide([old, new]))[MARCH] == ["b"]


def test_a_range_that_cuts_the_first_month_leaves_it_as_it_is_stored() -> None:
    """Incident: a report of half of March and all of April was refused whole, or took half of March away."""
    whole = snapshot("a", 0, {MARCH: 9, PRINT: 4})
    cut = snapshot("b", 1, {MARCH: 5, PRINT: 4, "sales/digital:2026-04": 5})
    decided = decide([whole, cut])
    assert counted(decided) == {MARCH: ["a"], PRINT: ["a"], "sales/digital:2026-04": ["b"]}
    assert {(each.upload_id, each.slice, each.stored_upload_id) for each in decided.kept} == {
        ("b", MARCH, "a"),
        ("b", PRINT, "a"),
    }
    # Days that are stored of the month tell it too.
    days = snapshot("d", 0, {f"{MARCH}-{day:02}": 1 for day in range(1, 10)})
    assert counted(decide([days, cut]))["sales/digital:2026-04"] == ["b"]
    assert MARCH not in counted(decide([days, cut]))


def test_a_month_in_the_middle_that_lost_books_holds_the_report_back() -> None:
    """Guards: a report that lost rows taken for one that a range has cut."""
    months = ["sales/digital:2026-02", MARCH, "sales/digital:2026-04"]
    old = snapshot("a", 0, {key: {"b1 us": 5, "b2 us": 5} for key in months})
    new = snapshot("b", 1, {**{key: {"b1 us": 5, "b2 us": 5} for key in months}, MARCH: {"b1 us": 5}})
    assert decide([old, new]).quarantined == {"b"}


def test_a_smaller_snapshot_waits_for_a_person() -> None:
    """Incident: a range cut in the middle of March erased half of it."""
    held = decide([snapshot("a", 0, {MARCH: 9}), snapshot("b", 1, {MARCH: 4})])
    assert (counted(held), held.quarantined) == ({MARCH: ["a"]}, {"b"})
    assert held.losses[0].missing == ("b1|amazon.us",)
    taken = decide([snapshot("a", 0, {MARCH: 9}), snapshot("b", 1, {MARCH: 4}, accepted_smaller=True)])
    assert counted(taken) == {MARCH: ["b"]}


@pytest.mark.parametrize(("rows", "copies", "held"), [(1, 9, False), (2, 8, False), (1, 4, True)])
def test_sums_may_fall_and_rows_may_not(rows: int, copies: int, held: bool) -> None:
    """Incident: a return that was booked as a negative row was taken for a cut-off file."""
    old, new = snapshot("a", 0, {MARCH: 10}), snapshot("b", 1, {})
    new = Snapshot("b", "estimate", new.snapshot_at, {MARCH: size({"b1 us": copies}, rows=rows)})
    assert bool(decide([old, new]).quarantined) == held


def test_shops_that_come_in_files_of_their_own_stand_beside_each_other() -> None:
    """Incident: the British final report replaced the American one, and nobody was told."""
    us, uk = snapshot("us", 0, {MARCH: {"b1 us": 5}}, "final"), snapshot("uk", 1, {MARCH: {"b1 uk": 7}}, "final")
    assert counted(decide([us, uk])) == {MARCH: ["uk", "us"]}
    # A fresh file of one shop replaces that shop only; one of all shops replaces all.
    newer = snapshot("us2", 2, {MARCH: {"b1 us": 6}}, "final")
    assert decide([us, uk, newer]).counts == {MARCH: {"us2": None, "uk": None}}
    every = snapshot("all", 3, {MARCH: {"b1 us": 6, "b1 uk": 7}}, "final")
    assert counted(decide([us, uk, newer, every])) == {MARCH: ["all"]}
    # A final report of one shop leaves the estimates of the others.
    estimate = snapshot("e", 0, {MARCH: {"b1 us": 5, "b1 uk": 7}})
    assert decide([estimate, us]).counts == {MARCH: {"us": None, "e": frozenset({"b1|amazon.uk"})}}


def test_a_report_of_another_account_is_held_back() -> None:
    """Incident: a report of somebody else, in the wrong folder, replaced a month of sales."""
    mine = snapshot("a", 0, {MARCH: {"b1 us": 5}})
    for shop in ("us", "uk"):
        other = snapshot("b", 1, {MARCH: {f"x9 {shop}": 50}})
        other = Snapshot("b", "estimate", other.snapshot_at, other.slices, authors=frozenset({"bo"}))
        assert decide([mine, other]).quarantined == {"b"}
    # A person can say that it is only a part: then both count.
    part = Snapshot("b", "estimate", other.snapshot_at, other.slices, partial=True)
    assert counted(decide([mine, part])) == {MARCH: ["a", "b"]}


def test_a_month_that_was_open_gives_way_to_newer_days_that_hold_all_of_it() -> None:
    """Incident: an export of the 5th was the month's figure until the final report, whatever came after."""
    stale = snapshot("m", 0, {MARCH: 3}, start=datetime(2026, 3, 5, tzinfo=UTC))
    days = {f"{MARCH}-{day:02}": 1 for day in range(1, 28)}
    fresh = snapshot("d", 0, days, start=datetime(2026, 3, 28, tzinfo=UTC))
    assert counted(decide([stale, fresh])) == {key: ["d"] for key in days}
    assert decide([stale, fresh]).superseded == {"m"}
    # Days that begin later hold only a part: what was exported before stands, and they count beside it.
    late = {name: copies for name, copies in days.items() if name > f"{MARCH}-20"}
    part = snapshot("d", 0, {**late, f"{MARCH}-05": 1}, start=datetime(2026, 3, 28, tzinfo=UTC))
    big = snapshot("m", 0, {MARCH: 30}, start=datetime(2026, 3, 5, tzinfo=UTC))
    assert counted(decide([big, part])) == {MARCH: ["m"], **{key: ["d"] for key in late}}


def test_a_tab_that_came_alone_with_an_older_state_is_held_back() -> None:
    """Guards: a CSV of last week, saved today, that takes a week's sales away."""
    old, stale = snapshot("a", 0, {MARCH: 40}), snapshot("b", 1, {MARCH: 30}, dated=False)
    assert decide([old, stale]).quarantined == {"b"}
    assert not decide([old, snapshot("b", 1, {MARCH: 30})]).quarantined


def test_a_final_report_without_most_of_the_estimates_sales_is_held_back() -> None:
    """Incident: the final workbook lost its paperback tab."""
    assert decide([snapshot("a", 0, {MARCH: 9}), snapshot("f", 1, {MARCH: 4}, "final")]).quarantined == {"f"}
    kept = decide([snapshot("a", 0, {MARCH: 9}), snapshot("f", 1, {MARCH: 8}, "final")])
    assert counted(kept) == {MARCH: ["f"]}
    lost = snapshot("f", 1, {MARCH: 9, PRINT: {}}, "final")
    assert decide([snapshot("a", 0, {MARCH: 9, PRINT: 4}), lost]).quarantined == {"f"}


def test_the_real_shapes_end_as_their_manifest_says() -> None:
    """Incident: re-exports added up."""
    reports = {path.name: parse(path) for path in (FINAL, ESTIMATOR, REEXPORT)}
    stored = [
        Snapshot(name, report.finality, START, sizes_of(report), authors=frozenset(authors_of(report)))
        for name, report in reports.items()
    ]
    decision = decide(stored)
    assert decision.superseded == {ESTIMATOR.name}
    assert not decision.quarantined
    assert {name for name in decision.counts_of(FINAL.name) if not name.startswith("orders")} == {
        MARCH,
        PRINT,
        "kenp:2026-03",
    }
    counts = counted(decision)
    assert counts["sales/print:2026-04"] == counts["kenp:2026-04"] == [REEXPORT.name]
