"""Two commands that do the same thing at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.runtime.alone import alone


def test_of_two_equal_ones_one_works_and_the_other_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: two equal backfills at once took each other's job, and both read every day."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with (
        alone("The same backfill of alice", "gumroad", "alice"),
        pytest.raises(ConfigError, match="backfill of alice is under way"),
        alone("The same backfill of alice", "gumroad", "alice"),
    ):
        pytest.fail("Two are at it.")
    with alone("It", "gumroad", "alice"), alone("It", "gumroad", "bea"):
        pass
