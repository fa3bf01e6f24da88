"""What an owner is told of, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from creator_pipeline.core.errors import AuthError, ConfigError
from creator_pipeline.store.source import Source

Trigger = Literal["request", "schedule", "operator", "webhook", "backfill"]
"""Who started it: the profile's owner (connected, uploaded), a schedule, a person at the UI or the command line, a
webhook, or a backfill (which has a digest of its own)."""

ACCESS = frozenset({AuthError.code, "other_account"})
"""Codes of errors that the owner ends by connecting the account again."""
_SHOWN_PARTITIONS = 5


def wants_success(notify: str, trigger: Trigger) -> bool:
    """Whether the owner is told of a success: what they asked for, and with ``every`` also what ran by itself."""
    if notify == "none" or trigger in {"webhook", "backfill"}:
        return False
    return notify == "every" or trigger == "request"


def wants_failure(notify: str, trigger: Trigger, error_code: str = "", unit: str = "") -> bool:
    """Whether the owner is told of a failure: of one they can do something about, or that they wait for.

    What else fails is told to operators by ``pipeline_health``, and is tried again.

    Args:
        notify: what the owner wants.
        trigger: who started it.
        error_code: ``PipelineError.code``; an account that must be connected again is the owner's.
        unit: a file's id: it is the owner's.
    """
    if notify == "none" or trigger == "backfill":
        return False
    return bool(unit) or error_code in ACCESS or (trigger == "request" and error_code != ConfigError.code)


def partitions_text(partitions: Sequence[str]) -> str:
    """The partitions by name, the first few of many."""
    shown = ", ".join(partitions[:_SHOWN_PARTITIONS])
    rest = len(partitions) - _SHOWN_PARTITIONS
    return f"{shown} and {rest} more" if rest > 0 else shown


def in_words(source: Source, partitions: Sequence[str], unit: str = "") -> str:
    """Partitions for their owner: the file's name, or the days."""
    if unit or source.named_unit:
        return partitions_text(partitions)
    days = sorted({key.partition("|")[0].partition(" ")[0] for key in partitions if "|" in key})
    days += [key.rpartition(" to ")[2].partition("|")[0] for key in partitions if " to " in key]
    if not days:
        return ""
    first, last = min(days), max(days)
    return f"your sales of {first}" if first == last else f"your sales of {first} to {last}"


def step_of(source: Source, error_code: str, unit: str) -> str:
    if error_code in ACCESS:
        return f"Open your page and press Connect again beside {source.label}."
    if unit:
        return "Open your page: it says what is wrong with the file. Export it again, and upload it there."
    return "There is nothing for you to do: whoever runs this pipeline knows of it, and it is tried again."
