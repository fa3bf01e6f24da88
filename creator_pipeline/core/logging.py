"""Logs as JSON lines, of the gateway, of runs and of commands: without secrets, rows and addresses.

What a request carried is never in them: its route's template is, its path and query are not.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime

import orjson

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.secrets import redact, without_addresses

FIELDS = ("request_id", "method", "route", "status", "ms", "caller")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = head(record, record.getMessage())
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def head(record: logging.LogRecord, message: str) -> dict[str, object]:
    """What every line begins with."""
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": clean(message),
    }


def clean(text: str) -> str:
    """``text`` without credentials and e-mail addresses."""
    return without_addresses(redact(text))


def _error(error: BaseException) -> dict[str, object]:
    # A driver's text may quote the row it choked on: of a foreign error only its kind and place are told.
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    text = clean(str(error)) if isinstance(error, PipelineError) else ""
    return {"type": type(error).__name__, "text": text, "frames": frames[-12:]}


def set_up(level: int = logging.INFO) -> None:
    """Send everything that this process logs to standard output as JSON lines, as Dagster's own processes do."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It names every request with its URL.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def set_up_command() -> None:
    """Send what a command logs to standard error: its answer on standard output stays clean.

    People at a terminal get text; what a service or a scheduler keeps gets JSON lines, as of every other process.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if sys.stderr.isatty() else JsonLines())
    handler.setLevel(logging.WARNING)
    # Dagster writes its own there itself.
    handler.addFilter(lambda record: record.name.partition(".")[0] != "dagster")
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(capture=True)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = record.exc_info[1] if record.exc_info else None
        after = f" ({type(told).__name__})" if told is not None else ""
        return f"{record.levelname.lower()}: {clean(record.getMessage())}{after}"
