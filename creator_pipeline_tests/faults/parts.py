"""How each part of a system is started, and how it is seen that it is ready."""

from __future__ import annotations

import getpass
import os
import pwd
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

import grpc
import psycopg2
import redis
from sqlalchemy.exc import DBAPIError

from creator_pipeline_tests.support.servers import postgres_binaries, redis_binary

if TYPE_CHECKING:
    from creator_pipeline_tests.faults.system import System

SERVERS = ("postgres", "redis")
PARTS = (*SERVERS, "gateway", "code", "daemon", "webserver")
DATABASE_USER = "creator_pipeline"


def system_user() -> str:
    """Who runs PostgreSQL, which refuses to run as root."""
    if os.getuid() != 0:
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def make_postgres_files(system: System) -> None:
    """Run ``initdb`` in the system's folder, as a user that PostgreSQL accepts."""
    folder = system.folder / "postgres"
    if os.getuid() == 0:
        owner = pwd.getpwnam(system_user())
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    options = ["-D", f"{folder}/data", "-U", DATABASE_USER, "-A", "trust", "--no-sync", "-E", "UTF8"]
    words = [*_as_system_user(), f"{postgres_binaries()}/initdb", *options]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


def command(system: System, part: str) -> list[str]:
    """The command of a part."""
    port, folder, python = str(system.ports[part]), system.folder, [sys.executable, "-m"]
    if part == "postgres":
        options = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}/postgres"]
        # A killed process loses nothing that the kernel has; only a crash of the machine asks for fsync.
        options += ["fsync=off", "full_page_writes=off", "max_connections=200"]
        flags = [word for option in options for word in ("-c", option)]
        return [*_as_system_user(), f"{postgres_binaries()}/postgres", "-D", f"{folder}/postgres/data", *flags]
    if part == "redis":
        keep = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return [redis_binary(), "--port", port, "--bind", "127.0.0.1", "--dir", f"{folder}/redis", *keep]
    if part == "gateway":
        return [*python, "creator_pipeline", "gateway", "--port", port]
    if part == "code":
        module = ["-m", "creator_pipeline.definitions", "--location-name", "creator_pipeline"]
        return [*python, "dagster", "api", "grpc", "--host", "127.0.0.1", "--port", port, *module]
    workspace = ["-w", str(folder / "home" / "workspace.yaml")]
    if part == "daemon":
        return [*python, "dagster._daemon", "run", *workspace]
    return [*python, "dagster_webserver", "-h", "127.0.0.1", "-p", port, *workspace]


def ready(system: System, part: str) -> bool:
    """Whether a part that was started does its work."""
    port = system.ports[part]
    try:
        if part == "postgres":
            psycopg2.connect(system.database_url("postgres"), connect_timeout=2).close()
        elif part == "redis":
            with redis.Redis(port=port, socket_timeout=1) as client:
                client.ping()
        elif part == "gateway":
            return _answers(port, "/healthz")
        elif part == "webserver":
            return _answers(port, "/server_info")
        elif part == "code":
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=2)
        else:
            # The heart of a former daemon beat too.
            since = f"to_timestamp({system.launched[part]}) AT TIME ZONE 'UTC'"
            return bool(system.ask(f"SELECT 1 FROM daemon_heartbeats WHERE timestamp > {since}", "dagster"))
    except (psycopg2.OperationalError, redis.RedisError, OSError, HTTPException, grpc.FutureTimeoutError, DBAPIError):
        return False
    return True


def _answers(port: int, path: str) -> bool:
    # Not by httpx: a client of its own for each look costs more than the look.
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _as_system_user() -> list[str]:
    if os.getuid() != 0:
        return []
    owner = pwd.getpwnam(system_user())
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]
