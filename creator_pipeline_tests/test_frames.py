"""Frames: exact, aware, and what their page shows."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from creator_pipeline import frames
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import to_decimal
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import invented_year
from creator_pipeline_tests.support.paths import ROOT

FUNCTIONS = {
    "ledger": frames.ledger,
    "daily_revenue": frames.daily_revenue,
    "payouts": frames.payouts,
    "products": frames.products,
    "subscriptions": frames.subscriptions,
}


def test_sums_of_a_year_are_the_ledgers_to_the_millionth(warehouse: Warehouse) -> None:
    """Guards: a report that was off by cents because a frame had added up floats."""
    invented_year.fill(warehouse)
    expected = {key: to_decimal(net) for key, net in invented_year.ledger_sums(warehouse).items()}
    for frame in (frames.ledger(), frames.daily_revenue()):
        found = Counter[tuple[str, str, str, str]]()
        for profile, day, platform, currency, net in frame[
            ["profile_id", "occurred_on", "platform", "currency", "net"]
        ].itertuples(index=False):
            assert type(net) is Decimal
            found[profile, f"{day:%Y-%m}", platform, currency] += net
        assert found == expected


def test_no_column_is_a_float_an_object_or_a_naive_time(sqlite_warehouse: Warehouse) -> None:
    """Guards: a column that is exact on a full table and a float on an empty one."""
    for full in (False, True):
        if full:
            invented_year.fill(sqlite_warehouse, 20)
        for name, function in FUNCTIONS.items():
            frame = function()
            assert bool(len(frame)) is full, name
            for column, kind in frame.dtypes.items():
                assert isinstance(kind, pd.ArrowDtype), (name, column)
                assert not re.search("float|double|object", str(kind)), (name, column)
                assert "timestamp" not in str(kind) or "tz=UTC" in str(kind), (name, column)


def test_windows_are_half_open_utc_days_of_one_profile(warehouse: Warehouse) -> None:
    """Guards: the last day of a month that counts in two months, and another seller's rows in a report."""
    invented_year.fill(warehouse, 200)
    whole = frames.ledger(profile="alice")
    edge = whole["occurred_on"].iloc[0]
    parts = [frames.ledger(profile="alice", until=edge), frames.ledger(profile="alice", since=edge.isoformat())]
    assert sorted(id_ for part in parts for id_ in part["id"]) == sorted(whole["id"])
    assert max(parts[0]["occurred_on"]) < edge == min(parts[1]["occurred_on"])
    assert set(whole["profile_id"]) == {"alice"}
    assert set(frames.ledger(platform="whop")["platform"]) == {"whop"}
    assert whole["occurred_at"].iloc[0].tzinfo is not None
    made = frames.payouts(since="2026-03-06", until=date(2026, 3, 7))["created_at"]
    assert {moment.astimezone(UTC) for moment in made} == {datetime(2026, 3, 6, 10, tzinfo=UTC)}
    with pytest.raises(ConfigError, match=r"since='1 March'.*2026-11-22"):
        frames.ledger(since="1 March")


def test_frames_say_nothing_of_a_buyer(sqlite_warehouse: Warehouse) -> None:
    """Guards: a notebook, mailed around, with the ids of those who bought."""
    invented_year.fill(sqlite_warehouse, 20)
    for function in FUNCTIONS.values():
        said = function().to_csv()
        assert not re.search("@example|hash|buyer|country|raw", said)


def test_the_page_runs(sqlite_warehouse: Warehouse) -> None:
    """Guards: an example that nobody had run since a column was renamed."""
    invented_year.fill(sqlite_warehouse, 60)
    page = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/frames.md", "exec"), names)  # noqa: S102 - the page itself
    by_month = names["by_month"]
    assert isinstance(by_month, pd.Series)
    assert len(by_month) > 10
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == FUNCTIONS.keys() | {"revenue_in"}
