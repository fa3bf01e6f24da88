"""The servers the tests themselves stand on."""

from __future__ import annotations

import psycopg2
import pytest
import redis

from creator_pipeline_tests.support import servers


def test_a_throw_away_redis_loses_or_keeps_its_data_as_asked() -> None:
    """A test of lost data that never lost any."""
    for persist in (False, True):
        with servers.RedisServer(persist=persist) as server:
            client = redis.Redis.from_url(server.url)
            client.set("k", 1)
            server.kill()
            with pytest.raises(redis.ConnectionError):
                redis.Redis.from_url(server.url, retry=None).ping()
            server.start()
            assert client.exists("k") == persist
            client.close()


def test_without_a_server_on_the_machine_the_wheel_brings_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite fails on every laptop but ours."""
    monkeypatch.setattr(servers.shutil, "which", lambda _: None)
    with servers.RedisServer() as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["server_name"] == "valkey"


def test_databases_are_fresh_and_gone_afterwards() -> None:
    """One test's rows make another one pass."""
    server = servers.PostgresServer()
    first, second = server.fresh_database(), server.fresh_database()
    assert first != second
    with psycopg2.connect(first) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int)")
    connection.close()
    server.close()
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(first)
    assert "PostgreSQL" in server.describe()
    assert ":" in servers.shared_redis().describe()
