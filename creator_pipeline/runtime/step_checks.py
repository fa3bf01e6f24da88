"""Checks that ride in a run's own step: declared once, their results made by one piece of code for every platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import dagster as dg

SHOWN = 20
"""Examples that a result names."""


@dataclass(frozen=True, slots=True)
class StepCheck:
    """A check of what a run has just read.

    Attributes:
        hint: what to do where it fails; shown then only.
        warns: False where a failure means wrong money.
    """

    asset: dg.AssetKey
    name: str
    description: str
    hint: str = ""
    warns: bool = True

    def spec(self) -> dg.AssetCheckSpec:
        """For the asset's definition."""
        return dg.AssetCheckSpec(self.name, asset=self.asset, description=self.description)


class Verdict(NamedTuple):
    """What came out of one check. ``text`` says it in a sentence where it failed."""

    name: str
    passed: bool
    metadata: Mapping[str, Any]
    text: str | None = None


class Tally(Protocol):
    """What the checks of one stream need of the parts of a run, added up as they land."""

    def add(self, part: Any) -> None:
        """Count a committed part."""
        ...

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        ...


def known_fields(asset: dg.AssetKey) -> StepCheck:
    """The check that every platform's rows have."""
    return StepCheck(
        asset,
        "known_fields",
        "The API's objects have no field this code has never heard of.",
        "Nothing is lost: they are kept in raw. Update this package, or tell its authors the names.",
    )


def results(
    checks: Iterable[StepCheck], verdicts: Iterable[Verdict], selected: AbstractSet[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """The results of those checks that belong to the run."""
    declared = {check.name: check for check in checks}
    wanted = {key.name for key in selected}
    for verdict in verdicts:
        if verdict.name in wanted:
            yield _result(declared[verdict.name], verdict)


def log(context: dg.OpExecutionContext, checks: Iterable[StepCheck], verdicts: Iterable[Verdict]) -> None:
    """Record the same results from a run that no asset is selected in."""
    declared = {check.name: check for check in checks}
    for verdict in verdicts:
        made = _result(declared[verdict.name], verdict)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=declared[verdict.name].asset,
            check_name=verdict.name,
            passed=made.passed,
            severity=made.severity,
            description=made.description,
            metadata=made.metadata,
        )
        context.log_event(evaluation)  # pyright: ignore[reportArgumentType] - taken, but not named by its type


def _result(check: StepCheck, verdict: Verdict) -> dg.AssetCheckResult:
    hint = {"hint": check.hint} if check.hint and not verdict.passed else {}
    return dg.AssetCheckResult(
        asset_key=check.asset,
        check_name=check.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.WARN if check.warns else dg.AssetCheckSeverity.ERROR,
        description=verdict.text,
        metadata={**verdict.metadata, **hint},
    )
