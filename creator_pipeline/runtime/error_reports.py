"""Errors of this process to Sentry, where SENTRY_DSN is set: the gateway's, the runs', the commands'."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError, PipelineError
from creator_pipeline.core.sentry import report_errors

_FRAME = re.compile(r'File "(?P<filename>.+)", line (?P<lineno>\d+), in (?P<function>.+)')
_log = logging.getLogger(__name__)
_reported: deque[str] = deque(maxlen=200)


def start() -> bool:
    """Begin to report; False where nothing is to be reported, or it can't be (the doctor says why)."""
    try:
        config = settings.load()
        dsn = config.sentry_dsn
        return report_errors(dsn.get_secret_value() if dsn else None, config.secret_values(), of_run)
    except ConfigError as error:
        # What can't be reported must not keep from working what can be done.
        _log.warning("Errors are not reported: %s", error)
        return False


def of_run(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """What Dagster logs of a run, once, as the error behind it: Dagster's text quotes foreign errors whole."""
    meta: dict[str, Any] = getattr(hint.get("log_record"), "dagster_meta", None) or {}
    if not meta:
        return event
    from creator_pipeline.runtime.run_logs import RUN_FAILURE, root_error

    what, run_id = meta.get("dagster_event"), str(meta.get("run_id"))
    # Dagster logs everything twice, for itself and for the console; and a run fails because its step did.
    if meta["log_message_id"] in _reported or (what and what.event_type == RUN_FAILURE and run_id in _reported):
        return None
    _reported.extend([meta["log_message_id"], run_id] if what else [meta["log_message_id"]])
    told = {**event, "logentry": {"message": str(meta.get("orig_message") or "")}}
    error = root_error(what.event_specific_data) if what else None
    if error is not None:
        told["exception"] = {"values": [_exception(error)]}
    return told


def _exception(error: Any) -> dict[str, Any]:
    from creator_pipeline.runtime.run_logs import OURS, own_text

    found = [match.groupdict() for line in error.stack if (match := _FRAME.search(line))]
    return {
        "type": error.cls_name,
        "module": PipelineError.__module__ if error.cls_name in OURS else None,
        "value": own_text(error),
        "stacktrace": {"frames": [{**frame, "lineno": int(frame["lineno"])} for frame in found]},
    }
