"""Tokens are read, refreshed and used while the keys change beneath them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.commands.keys import command
from creator_pipeline.core.secrets import KEY_FILE, KeyRing, key_ring, new_key, read_keys
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.queue.pace import LocalPace
from creator_pipeline.store import profiles, token_keys
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.paths import ROOT

NAMES = [f"seller-{number}" for number in range(6)]

# A run of another process, with the ring it made when it began: reads every token, and stores new ones.
WORKER = """
import sys, time
from pathlib import Path
from creator_pipeline.core.secrets import key_ring
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import open_warehouse
url, home, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(",")
warehouse, ring, turns = open_warehouse(url), key_ring(None, home), 0
print("ready", flush=True)
while not (home / "stop").exists():
    turns += 1
    for name in names:
        token = profiles.get_connection(warehouse, ring, "gumroad", name).access_token
        assert token.startswith(f"token-of-{name}-"), token
    with warehouse.write() as connection:
        name = names[turns % len(names)]
        profiles.connect(connection, ring, "gumroad", name, f"token-of-{name}-{turns}", refresh_token="again")
    time.sleep(0.01)
print(turns)
"""


def under(warehouse: Warehouse, key: str) -> bool:
    """Whether every stored token is under this very key."""
    with warehouse.read() as connection:
        rows = connection.execute(select(platform_connections.c.access_token, platform_connections.c.refresh_token))
        tokens = [token for row in rows for token in row if token]
    for token in tokens:
        Fernet(key).decrypt(token.encode())
    return bool(tokens)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a generated key, as an installation has that sets no APP_SECRET_KEYS."""
    monkeypatch.delenv("APP_SECRET_KEYS")
    made = settings.load().home
    made.mkdir(parents=True)
    (made / KEY_FILE).write_text(new_key() + "\n", encoding="utf-8")
    return made


def rotate() -> str:
    """The command, as somebody gives it."""
    done = CliRunner().invoke(command, ["rotate"])
    assert done.exit_code == 0, done.output
    return done.output


def test_no_read_and_no_sync_fails_while_keys_are_rotated(warehouse: Warehouse, home: Path) -> None:
    """Incident: the night the key was changed, every run that had begun before could read no token any more."""
    ring, stop, failures = key_ring(None, home), threading.Event(), list[BaseException]()
    first = read_keys(home / KEY_FILE)[0]
    with small.small_sandbox() as server:
        small.connect_all(warehouse, ring, server)
        with warehouse.write() as connection:
            for name in NAMES:
                profiles.add_profile(connection, name, f"{name}@example.com")
                profiles.connect(connection, ring, "gumroad", name, f"token-of-{name}-0", refresh_token="again")

        def syncs() -> None:
            token = profiles.get_connection(warehouse, ring, "gumroad", "chen").access_token
            with GumroadClient(server.gumroad_url, token, LocalPace(10_000_000)) as client:
                list(load_sales(warehouse, client, ring, "chen", DayWindow(small.WINDOW.start, small.WINDOW.end)))

        def reads() -> None:
            for name in NAMES:
                found = profiles.get_connection(warehouse, ring, "gumroad", name)
                assert found.access_token.startswith(f"token-of-{name}-")
                assert found.refresh_token == "again"

        def often(work: Callable[[], None]) -> None:
            while not stop.is_set():
                try:
                    work()
                    time.sleep(0.01)
                except BaseException as error:  # noqa: BLE001 - shown by the test
                    failures.append(error)
                    return

        threads = [threading.Thread(target=often, args=(work,)) for work in (syncs, reads, reads)]
        url = warehouse.engine.url.render_as_string(hide_password=False)
        words = [sys.executable, "-c", WORKER, url, str(home), ",".join(NAMES)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            for thread in threads:
                thread.start()
            for _ in range(5):
                rotate()
                time.sleep(0.05)
            (home / "stop").touch()
            said, complained = worker.communicate()
        stop.set()
        for thread in threads:
            thread.join()
    assert (worker.returncode, complained) == (0, "")
    assert int(said) >= 2
    assert failures == []
    rotate()
    keys = read_keys(home / KEY_FILE)
    assert (len(keys), keys[-1]) == (7, first)
    assert under(warehouse, keys[0])
    # A buyer is the same buyer as before.
    assert key_ring(None, home).hash_address("a@example.com") == KeyRing([first]).hash_address("a@example.com")


def test_keys_of_the_environment_are_rotated_and_a_lost_one_is_named(
    sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: "rotated", and one token was still under the key that had leaked."""
    old, new, gone = new_key(), new_key(), new_key()
    with sqlite_warehouse.write() as connection:
        for name, keys in (("bea", [old]), ("chen", [gone])):
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, KeyRing(keys), "whop", name, "key")
    monkeypatch.setenv("APP_SECRET_KEYS", f"{new},{old}")
    done = CliRunner().invoke(command, ["rotate"])
    assert done.exit_code == 1
    assert "1 token is under" in done.output
    assert "chen's whop" in done.output
    assert token_keys.rotate(sqlite_warehouse, KeyRing([new, old])) == (0, ["chen's whop"])
    assert profiles.get_connection(sqlite_warehouse, KeyRing([new]), "whop", "bea").access_token == "key"


def test_every_process_can_read_before_the_first_one_writes() -> None:
    """Incident: the gateway, restarted first, stored a token that the runs couldn't read before their own restart."""
    old, new = new_key(), new_key()
    first, both, after = KeyRing([old]), KeyRing([old, new, old]), KeyRing([new, old])
    assert first.decrypt(both.encrypt("x")) == "x"
    assert both.decrypt(after.encrypt("x")) == "x"
    assert len({ring.hash_address("a@example.com") for ring in (first, both, after)}) == 1
