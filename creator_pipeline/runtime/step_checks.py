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
    """What came out of one check. ``text`` says it in a sentence where it failed.

    Its metadata holds whole collections: :func:`figures` counts them and shows the first.
    """

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


def figures(metadata: Mapping[str, Any], *, passed: bool) -> dict[str, Any]:
    """Metadata of a result, with a number at least: the UI plots numbers only.

    Args:
        metadata: figures, texts and whole collections. Of a collection NAME the first are shown, and NAME_count says
            how many there are; where ``count`` says it already, or it is of hints, nothing does.
        passed: whether the check passed; told as a number where there is no other.
    """
    told = dict[str, Any]()
    for name, value in metadata.items():
        if isinstance(value, AbstractSet):
            value = sorted(value)  # noqa: PLW2901 - the same, in an order
        if isinstance(value, (list, tuple, Mapping)) and name != "hint" and "count" not in metadata:
            told[f"{name}_count"] = len(value)
        told[name] = list(value[:SHOWN]) if isinstance(value, (list, tuple)) else value
    numbers = [value for value in told.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return told if numbers else {**told, "failed": int(not passed)}


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


def log(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    checks: Iterable[StepCheck],
    verdicts: Iterable[Verdict],
    *,
    left_out: AbstractSet[dg.AssetCheckKey] = frozenset(),
) -> None:
    """Record the same results from a run that they are not selected in.

    A check whose asset landed after it was evaluated reads "Not evaluated".

    Args:
        context: of the step.
        checks: of the assets that landed.
        verdicts: what came out of them; those of other checks are passed over.
        left_out: checks that are selected, so :func:`results` has theirs.
    """
    known = {key.name for key in left_out}
    declared = {check.name: check for check in checks if check.name not in known}
    for verdict in verdicts:
        if verdict.name not in declared:
            continue
        log_result(context, _result(declared[verdict.name], verdict))


def log_result(context: dg.OpExecutionContext | dg.AssetExecutionContext, result: dg.AssetCheckResult) -> None:
    """Record a result from a run that its check is not selected in.

    Args:
        context: of the step.
        result: names its asset and its check.
    """
    made = evaluation(result)
    context.log_event(made)  # pyright: ignore[reportArgumentType] - taken, but not named by its type


def evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """A result as it is logged where the check isn't selected.

    Args:
        result: names its asset and its check.

    Raises:
        ValueError: it names none.
    """
    if result.asset_key is None or result.check_name is None:
        raise ValueError("The result names no check.")
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def _result(check: StepCheck, verdict: Verdict) -> dg.AssetCheckResult:
    hint = {"hint": check.hint} if check.hint and not verdict.passed else {}
    return dg.AssetCheckResult(
        asset_key=check.asset,
        check_name=check.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.WARN if check.warns else dg.AssetCheckSeverity.ERROR,
        description=verdict.text,
        metadata={**figures(verdict.metadata, passed=verdict.passed), **hint},
    )
