"""A monitor outside hears of each look, and alarms when it hears nothing."""

from __future__ import annotations

import pytest

from creator_pipeline import settings
from creator_pipeline.monitoring import heartbeat
from creator_pipeline_tests.support.http_server import Server, reply


def test_the_monitor_is_asked_and_what_it_says_hurts_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Incident: the daemon was down for a night, and what would have told of it ran in the daemon."""
    assert heartbeat.send(settings.load()) is False
    server = Server()
    try:
        server.script = [lambda handler: reply(handler, 200, b"OK"), lambda handler: reply(handler, 404, b"")]
        monkeypatch.setenv("HEARTBEAT_URL", f"{server.url}/ping/secret-of-ours")
        assert heartbeat.send(settings.load()) is True
        assert heartbeat.send(settings.load()) is False
        assert [path for path, _ in server.seen] == ["/ping/secret-of-ours"] * 2
    finally:
        server.close()
    monkeypatch.setenv("HEARTBEAT_URL", "http://127.0.0.1:9/ping/secret-of-ours")
    assert heartbeat.send(settings.load()) is False
    assert "was not reached" in caplog.text
    assert "secret-of-ours" not in caplog.text
