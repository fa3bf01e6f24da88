"""The connection: which one, what it says when it is refused, and how little a dead one costs."""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

import pytest

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.queue import redis_client
from creator_pipeline.queue.redis_client import RedisDown, RedisLink, connect, redis_url
from creator_pipeline.settings import Settings
from creator_pipeline_tests.support.servers import RedisServer, free_port


def settings(**values: str) -> Settings:
    return Settings(_env_file=None, **values)


UPSTASH = {"upstash_redis_rest_url": "https://name.upstash.io", "upstash_redis_rest_token": "a/b+c=="}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_redis_url_wins_and_the_upstash_token_is_percent_encoded() -> None:
    """A token that ends in = makes a URL of another password."""
    assert redis_url(settings()) is None
    assert connect(settings()) is None
    assert redis_url(settings(**UPSTASH)) == ("rediss://default:a%2Fb%2Bc%3D%3D@name.upstash.io:6379", True)
    assert redis_url(settings(redis_url="redis://here", **UPSTASH)) == ("redis://here", False)
    password = connect(settings(**UPSTASH)).client.connection_pool.connection_kwargs["password"]
    assert password == "a/b+c=="


def test_half_a_configuration_names_the_other_half() -> None:
    """A forgotten token looks like a deliberate life without Redis."""
    for missing in UPSTASH:
        half = {name: value for name, value in UPSTASH.items() if name != missing}
        with pytest.raises(ConfigError, match=missing.upper()):
            redis_url(settings(**half))
    with pytest.raises(ConfigError, match="UPSTASH_REDIS_REST_URL can't be read"):
        redis_url(settings(**(UPSTASH | {"upstash_redis_rest_url": "name.upstash.io"})))
    with pytest.raises(ConfigError, match="REDIS_URL can't be read") as caught:
        RedisLink("http://user:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_one_link_for_each_process_and_url() -> None:
    """Each call opens connections of its own until the server has none left."""
    a, b = (connect(settings(redis_url="redis://127.0.0.1:1/3")) for _ in range(2))
    assert a is b
    assert a is not connect(settings(redis_url="redis://127.0.0.1:1/4"))


def test_a_refused_password_says_what_to_set(server: RedisServer) -> None:
    """WRONGPASS for a REST token, which looks like a wrong token."""
    with RedisServer() as other:
        RedisLink(other.url).client.config_set("requirepass", "right")
        wrong = other.url.replace("redis://", "redis://default:wrong@")
        with pytest.raises(ConfigError, match="TCP tab"):
            RedisLink(wrong, derived=True).check()
        with pytest.raises(ConfigError, match="REDIS_URL"):
            RedisLink(wrong).check()
        with pytest.raises(RedisDown, match="TCP tab"):
            RedisLink(wrong, derived=True).call(lambda client: client.get("k"))
        RedisLink(wrong.replace("wrong", "right")).check()


def test_a_dead_redis_costs_one_failure_and_then_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request waits for the time-out of a server that has been dead for an hour."""
    monkeypatch.setattr(redis_client, "BREAK_SECONDS", 60.0)
    monkeypatch.setattr(redis_client, "BREAK_MAX_SECONDS", 60.0)
    dead, asked = RedisLink(f"redis://127.0.0.1:{free_port()}"), []

    def ask(client: Any) -> None:
        asked.append(client)
        client.get("k")

    for _ in range(200):
        with pytest.raises(RedisDown):
            dead.call(ask)
    assert len(asked) == 1
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    with pytest.raises(TransientError):
        dead.check()


def test_a_redis_that_hangs_costs_one_caller_a_second_and_then_nothing(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: each request waiting nine seconds for a server that takes connections and says nothing."""
    probe, probes = RedisLink._probe, list[threading.Event]()

    def counted(self: RedisLink, answered: threading.Event) -> None:
        probes.append(answered)
        probe(self, answered)

    monkeypatch.setattr(RedisLink, "_probe", counted)
    monkeypatch.setattr(redis_client, "BREAK_SECONDS", 60.0)
    monkeypatch.setattr(redis_client, "BREAK_MAX_SECONDS", 60.0)
    hung = RedisLink(server.url)
    assert hung.call(lambda client: client.set("k", 1))
    server.send_signal(signal.SIGSTOP)
    try:
        tried: list[bool] = []
        for _ in range(20):
            with pytest.raises(RedisDown) as down:
                hung.call(lambda client: client.get("k"))
            tried.append("not tried" not in str(down.value))
            if len(tried) == 10:
                hung._closed_until = 0.0  # as if the pause were over
        # The first caller waits, and who asks whether it is back.
        assert tried == [True] + [False] * 19
        assert len(probes) == 1
        assert redis_client.CONNECT_SECONDS + redis_client.COMMAND_SECONDS < 1.5
        assert redis_client.PROBE_SECONDS < 0.5
    finally:
        server.send_signal(signal.SIGCONT)
    hung.client.close()


def test_a_redis_that_is_slow_opens_the_breaker_and_its_answer_counts(
    link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: every request a little slower, by a server that answers just before the time-out."""
    monkeypatch.setattr(redis_client, "SLOW_SECONDS", -1.0)
    monkeypatch.setattr(redis_client, "BREAK_SECONDS", 60.0)
    assert link.call(lambda client: client.set("k", 1))
    with pytest.raises(RedisDown, match="not tried"):
        link.call(lambda client: client.get("k"))
    link._closed_until = 0.0
    with pytest.raises(RedisDown, match="not tried"):
        link.call(lambda client: client.get("k"))
    monkeypatch.setattr(redis_client, "SLOW_SECONDS", 60.0)
    link._closed_until = 0.0
    assert link.call(lambda client: client.get("k")) == b"1"


def test_it_is_back_by_itself(link: RedisLink, server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """After a restart of Redis everything else has to be restarted too."""
    caplog.set_level(logging.INFO)
    for _ in range(2):
        assert link.call(lambda client: client.set("k", 1))
        server.kill()
        with pytest.raises(RedisDown):
            link.call(lambda client: client.get("k"))
        server.start()
        time.sleep(0.11)
        assert link.call(lambda client: client.get("k")) is None
    assert len([record for record in caplog.records if "is back" in record.message]) == 2


def test_a_server_that_forgot_the_scripts_gets_them_again(link: RedisLink) -> None:
    """After SCRIPT FLUSH or a failover every call fails as NOSCRIPT."""
    script = "return tonumber(ARGV[1]) + 1"
    assert link.script(script, [], [1]) == 2
    link.client.script_flush()
    assert link.script(script, [], [2]) == 3
