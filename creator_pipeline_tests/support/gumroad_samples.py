"""Gumroad's answers as they were written down, and a pace that never waits."""

from __future__ import annotations

import json
from typing import Any

from creator_pipeline_tests.support import paths

FIXTURES = paths.FIXTURES / "gumroad"


class Free:
    """A pace that never waits."""

    def wait(self) -> float:
        """Go."""
        return 0.0


def fixture(name: str) -> dict[str, Any]:
    """An answer of the API."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def sale_of(name: str, **over: Any) -> dict[str, Any]:
    """The sale of a fixture, with some fields changed; None takes a field away."""
    sale = fixture(name)["sale"] | over
    return {key: value for key, value in sale.items() if key not in over or value is not None}
