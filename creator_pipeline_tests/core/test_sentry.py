"""What leaves for Sentry: enough to find the error, nothing of a person."""

from __future__ import annotations

import json
import sys

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.sentry import report_errors, scrub

FRAME = {"filename": "client.py", "function": "get", "lineno": 7, "vars": {"token": "hunter2"}, "context_line": "x"}
EVENT = {
    "event_id": "1",
    "level": "error",
    "request": {"url": "https://x/webhooks/gumroad/hunter2", "data": {"email": "buyer@example.com"}},
    "user": {"email": "buyer@example.com"},
    "breadcrumbs": {"values": [{"message": "hunter2"}]},
    "server_name": "db-1.internal",
    "logentry": {"message": "refused %s", "formatted": "refused Bearer abcdefgh of buyer@example.com, hunter2"},
    "extra": {"dagster_meta": {"run_id": "r1", "job_name": "gumroad_sync", "step_key": "s", "other": "hunter2"}},
    "exception": {
        "values": [
            {"type": "IntegrityError", "module": "psycopg2", "value": "Key (email)=(buyer@example.com)",
             "stacktrace": {"frames": [FRAME]}},
            {"type": "AuthError", "module": "creator_pipeline.core.errors", "value": "Gumroad refuses hunter2."},
        ]
    },
}  # fmt: skip


def test_an_event_keeps_kind_place_and_run_and_loses_all_else() -> None:
    """Incident: a buyer's address and a token in a third party's database, found by its search."""
    clean = scrub(EVENT, secrets=["hunter2"])
    text = json.dumps(clean)
    for leak in ("hunter2", "buyer@", "abcdefgh", "internal", "vars", "context_line", "breadcrumbs"):
        assert leak not in text
    assert clean["tags"] == {"run_id": "r1", "job_name": "gumroad_sync", "step_key": "s"}
    foreign, ours = clean["exception"]["values"]
    assert (foreign["type"], foreign["value"]) == ("IntegrityError", "")
    assert foreign["stacktrace"]["frames"] == [{"filename": "client.py", "function": "get", "lineno": 7}]
    assert ours["value"] == "Gumroad refuses ***."
    assert clean["message"] == "refused Bearer *** of [address], ***"


def test_without_a_dsn_nothing_is_loaded_and_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: errors that everybody thought were reported; the library was never installed."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    assert report_errors(None) is False
    with pytest.raises(ConfigError, match="not installed") as caught:
        report_errors("https://key@sentry.example/1")
    assert "[sentry]" in caught.value.hint
