"""Which upload counts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline.platforms.kdp.precedence import Size, Snapshot, decide
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, FINAL, REEXPORT

START = datetime(2026, 4, 1, tzinfo=UTC)


def snapshot(
    name: str, hour: int, slices: dict[str, int], finality: str = "estimate", *, accepted: bool = False
) -> Snapshot:
    sizes = {key: Size(units, units, 0) for key, units in slices.items()}
    return Snapshot(name, finality, START + timedelta(hours=hour), sizes, accepted)


SNAPSHOTS = st.lists(
    st.builds(
        snapshot,
        st.text("abcdef", min_size=1, max_size=2),
        st.integers(0, 4),
        st.dictionaries(
            st.sampled_from(
                ["sales/print:2026-03", "sales/print:2026-03-01", "sales/print:2026-03-02", "kenp:2026-03"]
            ),
            st.integers(0, 5),
        ),
        st.sampled_from(["estimate", "final"]),
        accepted=st.booleans(),
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
    assert not answer.quarantined & set(answer.counts.values())
    assert not any(f"{name[:-3]}" in answer.counts for name in answer.counts if len(name.split(":")[1]) == 10)


def test_final_beats_monthly_beats_the_union_of_days() -> None:
    """Incident: a later estimate replaced the settled month."""
    days = [
        snapshot("d1", 0, {"s:2026-03-01": 1, "s:2026-03-02": 1}),
        snapshot("d2", 1, {"s:2026-03-02": 2, "s:2026-03-03": 1}),
    ]
    assert decide(days).counts == {"s:2026-03-01": "d1", "s:2026-03-02": "d2", "s:2026-03-03": "d2"}
    month = [*days, snapshot("m", 0, {"s:2026-03": 4})]
    assert decide(month).counts == {"s:2026-03": "m"}
    final = decide([*month, snapshot("f", 0, {"s:2026-03": 4}, "final"), snapshot("m2", 9, {"s:2026-03": 9})])
    assert final.counts == {"s:2026-03": "f"}
    assert final.superseded == {"d1", "d2", "m", "m2"}


def test_a_smaller_snapshot_waits_for_a_person_and_says_how() -> None:
    """Incident: a range cut in the middle of March erased half of it."""
    held = decide([snapshot("a", 0, {"s:2026-03": 9}), snapshot("b", 1, {"s:2026-03": 5, "s:2026-04": 5})])
    assert held.counts == {"s:2026-03": "a"}
    assert held.quarantined == {"b"}
    assert "creator-pipeline kdp ingest x.xlsx --profile alice --accept-smaller" in held.losses[0].hint(
        "x.xlsx", "alice"
    )
    taken = decide([snapshot("a", 0, {"s:2026-03": 9}), snapshot("b", 1, {"s:2026-03": 5}, accepted=True)])
    assert taken.counts == {"s:2026-03": "b"}


def test_a_final_report_without_most_of_the_estimates_sales_is_held_back() -> None:
    """Incident: the final workbook lost its paperback tab."""
    assert decide([snapshot("a", 0, {"s:2026-03": 9}), snapshot("f", 1, {"s:2026-03": 4}, "final")]).quarantined == {
        "f"
    }
    assert decide([snapshot("a", 0, {"s:2026-03": 9}), snapshot("f", 1, {"s:2026-03": 8}, "final")]).counts == {
        "s:2026-03": "f"
    }


def test_the_real_shapes_end_as_their_manifest_says() -> None:
    """Incident: re-exports added up."""
    reports = {path.name: parse(path) for path in (FINAL, ESTIMATOR, REEXPORT)}
    stored = [
        Snapshot(name, report.finality, START, {key: Size.of(sums) for key, sums in report.slices().items()})
        for name, report in reports.items()
    ]
    decision = decide(stored)
    assert decision.superseded == {ESTIMATOR.name}
    counts = decision.counts
    assert not decision.quarantined
    assert {name for name in counts if counts[name] == FINAL.name} == {
        "sales/digital:2026-03",
        "sales/print:2026-03",
        "kenp:2026-03",
    }
    assert counts["sales/print:2026-04"] == counts["kenp:2026-04"] == REEXPORT.name
