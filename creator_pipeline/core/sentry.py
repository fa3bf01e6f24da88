"""Errors reported to Sentry: which kind, where in the code, in which run; never a secret, a row or an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from creator_pipeline import __version__
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import redact, without_addresses

_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
_FRAME = ("filename", "function", "lineno", "module", "in_app")
_RUN = ("run_id", "job_name", "step_key")
_PROFILE = "creator_pipeline/profile"
"""The run's tag."""
_OURS = "creator_pipeline."


Prepare = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any] | None]
"""Called with an event and Sentry's hint, before it is scrubbed; None drops the event."""


def report_errors(dsn: str | None, secrets: Sequence[str] = (), prepare: Prepare | None = None) -> bool:
    """Send this process's errors to Sentry from now on; False where no ``dsn`` is given. Needs the extra ``sentry``.

    Args:
        secrets: are cut out of every text.

    Raises:
        ConfigError: the extra is not installed.
    """
    if not dsn:
        return False
    try:
        import sentry_sdk
    except ModuleNotFoundError:
        raise ConfigError(
            "SENTRY_DSN is set, but sentry-sdk is not installed.",
            hint="pip install 'creator-pipeline[sentry]', or unset it.",
        ) from None

    def before_send(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        prepared = prepare(event, hint) if prepare else event
        return None if prepared is None else scrub(prepared, secrets=secrets)

    sdk: Any = sentry_sdk
    sdk.init(
        dsn=dsn,
        release=__version__,
        before_send=before_send,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        # Sessions and transactions go past before_send.
        auto_session_tracking=False,
        server_name="",
    )
    return True


def scrub(event: dict[str, Any], *, secrets: Sequence[str] = ()) -> dict[str, Any]:
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
    if profile := (meta.get("job_tags") or {}).get(_PROFILE):
        clean["tags"]["profile"] = str(profile)
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
    return without_addresses(redact(told, secrets))[:2_000]
