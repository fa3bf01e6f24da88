"""Numbers in texts have the noun's right form."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from creator_pipeline.core.text import number
from creator_pipeline_tests.support.paths import ROOT

_PLURAL = re.compile(
    r" (?:[a-z]+ )?(rows|days|files|jobs|tokens|deliveries|payouts|rates|runs|problems|sales|profiles|partitions|reports"
    r"|requests|mails|lines|payments|months|keys|messages|events|times|products|uploads|memberships|differences|checks"
    r"|accounts|currencies|secrets|schedules|objects|subscriptions|columns|tables)\b"
)
MORE_THAN_ONE = ("creator_pipeline/platforms/gumroad/counted_otherwise.py",)
"""Says before that there are several."""
_CONSTANT = re.compile(r"[A-Z_.]*[A-Z][A-Z_]+")


@pytest.mark.parametrize(("count", "text"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1000, "1000 days")])
def test_a_number_has_its_noun(count: int, text: str) -> None:
    """Incident: "1 rows are in the ledger"."""
    assert number(count, "day") == text
    assert number(count, "delivery", "deliveries").endswith("y" if count == 1 else "ies")


def plurals(path: Path) -> Iterator[str]:
    """Numbers that a plural stands behind, whatever they are; a constant is never one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for gap, text in zip(node.values, node.values[1:], strict=False):
            if not isinstance(gap, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            inside = ast.unparse(gap.value)
            noun = _PLURAL.match(str(text.value))
            if noun and _is_count(inside) and not _CONSTANT.fullmatch(inside):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {{{inside}}}{noun.group()}"


def _is_count(expression: str) -> bool:
    if expression.startswith("number("):
        return False
    return bool(
        re.match(r"(len|sum)\(", expression)
        or re.search(r"(count|number|rows|files|days|age|done|waiting|sales|queued|accepted|open|was|is_now|before|gone|tokens|written|payments|events)(\W|$)", expression)
    )  # fmt: skip


def test_no_text_has_a_plural_behind_any_number() -> None:
    """Incident: "1 rows", "1 jobs are in the queue again", on every page a different one."""
    found = [one for path in sorted((ROOT / "creator_pipeline").rglob("*.py")) for one in plurals(path)]
    assert [one for one in found if not one.startswith(MORE_THAN_ONE)] == []
