"""Runs as JSON lines on standard output, beside Dagster's own text on standard error; ``dagster.yaml`` asks for them.

A line for each begin, end and failure, each partition that landed, each check that failed, each message from INFO on.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import dagster as dg
import orjson

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.logging import clean, head
from creator_pipeline.runtime import process
from creator_pipeline.runtime.tags import PARTITION, PROFILE_TAG, RANGE_END, RANGE_START

_KIND = dg.DagsterEventType
_TOLD = {
    _KIND.RUN_START,
    _KIND.RUN_SUCCESS,
    _KIND.RUN_FAILURE,
    _KIND.RUN_CANCELED,
    _KIND.STEP_FAILURE,
    _KIND.STEP_UP_FOR_RETRY,
    _KIND.ASSET_MATERIALIZATION,
    _KIND.ASSET_CHECK_EVALUATION,
}
_OWN = {
    "books": None,
    "export": None,
    "fx": None,
    "daily": "ledger",
    "ledger": "ledger",
    "write": None,
    "digest": None,
    "forget": None,
    "product": None,
    "products": None,
    "retention": None,
    "subscriptions": None,
}
"""First word of the installation's own steps and jobs, to the ``source`` of their lines. The first word of every other
step and job is the name of its platform."""
RUN_FAILURE = _KIND.RUN_FAILURE
OURS = {kind.__name__ for kind in (PipelineError, *PipelineError.__subclasses__())}
"""Names of the errors whose text was written to be read."""


class RunLines(logging.Handler):
    """What Dagster logs of a run, a JSON object a line."""

    muted = False
    """Set by commands that run in this process and tell of it themselves."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        # Where the storage isn't this package's own, no other class of it is made before a run.
        process.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, where the record is worth one."""
        if self.muted:
            return
        try:
            line = _line(record)
            if line is not None:
                sys.stdout.write(orjson.dumps(line, default=str).decode() + "\n")
                sys.stdout.flush()
        except Exception:  # noqa: BLE001 - logging's own rule: what can't be logged must not stop the work
            self.handleError(record)


def _line(record: logging.LogRecord) -> dict[str, object] | None:
    meta: dict[str, Any] = record.__dict__.get("dagster_meta") or {}
    event: dg.DagsterEvent | None = meta.get("dagster_event")
    if not (record.levelno >= logging.INFO if event is None else event.event_type in _TOLD):
        return None
    told: dict[str, object] = {} if event is None else _event(event)
    if told.get("passed") is True:
        return None
    message = "" if "error" in told else str(meta.get("orig_message") or record.getMessage())
    level = logging.getLevelName(_level(record.levelno, event, told)).lower()
    run = {"run_id": meta.get("run_id"), "job": meta.get("job_name"), "step": meta.get("step_key")}
    line = head(record, message) | {"level": level} | run | _whose(meta, told) | told
    return {name: value for name, value in line.items() if value not in (None, "")}


def _level(given: int, event: dg.DagsterEvent | None, told: dict[str, object]) -> int:
    """How bad it is: Dagster logs each of its events as DEBUG, a failed check too."""
    if event is None:
        return given
    if event.event_type == _KIND.ASSET_CHECK_EVALUATION:
        bad = event.asset_check_evaluation_data.severity == dg.AssetCheckSeverity.ERROR
        return logging.ERROR if bad else logging.WARNING
    if event.event_type == _KIND.STEP_UP_FOR_RETRY:
        return logging.WARNING
    return logging.ERROR if "error" in told else logging.INFO


def _whose(meta: dict[str, Any], told: dict[str, object]) -> dict[str, object]:
    """Profile and source, by what the line is about, else by the run."""
    tags: dict[str, str] = meta.get("job_tags") or {}
    about = [str(told.get("partition") or ""), *(tags.get(tag, "") for tag in (PARTITION, RANGE_START, RANGE_END))]
    # A key of two dimensions ends with the profile; a range over several profiles names none.
    named = [key.rpartition("|")[2] for key in about if "|" in key]
    profile = named[0] if told.get("partition") and named else tags.get(PROFILE_TAG)
    if profile is None and len(set(named)) == 1:
        profile = named[0]
    named, asset = str(meta.get("job_name") or ""), str(told.get("asset") or "")
    if asset:
        from creator_pipeline.runtime.keys import INSTALLATION

        asset = asset.removeprefix(f"{INSTALLATION}/")
        # An asset of the ledger is named after the provider; its step after the platform.
        named = str(meta.get("step_key") or "") if asset.startswith("sales_events/") else asset.partition("/")[0]
    first = named.partition("_")[0]
    return {"profile": profile, "source": _OWN.get(first, first)}


def _event(event: dg.DagsterEvent) -> dict[str, object]:
    told: dict[str, object] = {"event": event.event_type.value}
    if event.event_type == _KIND.ASSET_MATERIALIZATION:
        metadata: dict[str, Any] = dict(event.step_materialization_data.materialization.metadata)
        figures = {name: value.value for name, value in metadata.items() if name.startswith(("api_", "cache_"))}
        rows = metadata.get("dagster/partition_row_count")
        asset = event.asset_key.to_user_string() if event.asset_key else None
        return told | {"asset": asset, "partition": event.partition, "rows": rows.value if rows else None} | figures
    if event.event_type == _KIND.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        return told | {"asset": check.asset_key.to_user_string(), "check": check.check_name, "passed": check.passed}
    if event.event_type in {_KIND.STEP_FAILURE, _KIND.STEP_UP_FOR_RETRY, _KIND.RUN_FAILURE}:
        told["error"] = _error(event.event_specific_data)
    return told


def _error(data: Any) -> dict[str, object] | None:
    # A driver's text may quote the row it choked on: of a foreign error only its kind is told.
    user = getattr(data, "user_failure_data", None)
    if user is not None and user.description:
        return {"type": "Failure", "text": clean(str(user.description))}
    error = root_error(data)
    if error is None:
        return None
    return {"type": error.cls_name, "text": clean(own_text(error))}


def own_text(error: Any) -> str:
    """The text of an error of this package; nothing of a foreign one."""
    if error.cls_name not in OURS:
        return ""
    return error.message.strip().removeprefix(f"{PipelineError.__module__}.{error.cls_name}: ")


def root_error(data: Any) -> Any:
    """The error that an event of a failure began with, as Dagster keeps it; None where there is none."""
    error = getattr(data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error
