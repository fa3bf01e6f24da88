"""Errors reported to Sentry: which kind, where in the code, in which run; never a secret, a row or an address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from creator_pipeline import __version__
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import redact

_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
_FRAME = ("filename", "function", "lineno", "module", "in_app")
_RUN = ("run_id", "job_name", "step_key")
_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_OURS = "creator_pipeline."


def report_errors(dsn: str | None, secrets: Sequence[str] = ()) -> bool:
    """Send this process's errors to Sentry from now on; False where no ``dsn`` is given. Needs the extra ``sentry``.

    Args:
        secrets: are cut out of every text.

    Raises:
        ConfigError: the extra is not installed.
    """
    if not dsn:
        return False
    try:
        import sentry_sdk  # pyright: ignore[reportMissingImports] - an extra
    except ModuleNotFoundError:
        raise ConfigError(
            "SENTRY_DSN is set, but sentry-sdk is not installed.",
            hint="pip install 'creator-pipeline[sentry]', or unset it.",
        ) from None
    sdk: Any = sentry_sdk
    sdk.init(
        dsn=dsn,
        release=__version__,
        before_send=partial(scrub, secrets=secrets),
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        server_name="",
    )
    return True


def scrub(event: dict[str, Any], _hint: object = None, *, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """A new event with what is known to be harmless; of a foreign error only its kind and place.

    A driver's text may quote the row it choked on, and a request its buyer.
    """
    clean = {name: event[name] for name in _KEPT if name in event}
    entry = cast("dict[str, Any]", event.get("logentry") or {})
    said = entry.get("formatted") or entry.get("message") or event.get("message")
    if said:
        clean["message"] = _text(str(said), secrets)
    errors = cast("list[dict[str, Any]]", (event.get("exception") or {}).get("values") or [])
    if errors:
        clean["exception"] = {"values": [_error(error, secrets) for error in errors]}
    meta = cast("dict[str, Any]", (event.get("extra") or {}).get("dagster_meta") or {})
    clean["tags"] = {name: str(meta[name]) for name in _RUN if meta.get(name)}
    return clean


def _error(error: dict[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    ours = str(error.get("module") or "").startswith(_OURS)
    frames = cast("list[dict[str, Any]]", (error.get("stacktrace") or {}).get("frames") or [])
    return {
        "type": error.get("type"),
        "module": error.get("module"),
        "value": _text(str(error.get("value") or ""), secrets) if ours else "",
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }


def _text(text: str, secrets: Sequence[str]) -> str:
    # Dagster puts its stack trace into the message; the frames of the error itself are told apart from it.
    told = re.split(r"\n\s*(?:Stack Trace:|Traceback )", text, maxsplit=1)[0]
    return _ADDRESS.sub("***", redact(told, secrets))[:2_000]
