"""Wrong words on the command line: a sentence, the hint, and an honest exit code."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import click
import pytest
from sqlalchemy import insert

from creator_pipeline import cli
from creator_pipeline.core.windows import today
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR
from creator_pipeline_tests.support.ledger_samples import event
from creator_pipeline_tests.support.paths import ROOT

TODAY, TOMORROW, OLD = today().isoformat(), (today() + timedelta(days=1)).isoformat(), "2019-01-01"
YESTERDAY = (today() - timedelta(days=1)).isoformat()


def call(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    """The console script in this process: exit code, and all that was said."""
    monkeypatch.setattr("sys.argv", ["creator-pipeline", *arguments])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    said = capsys.readouterr()
    return code, said.out + said.err


def backfill(profile: str, first: str, last: str) -> tuple[str, ...]:
    """The words of a backfill."""
    return "backfill", "gumroad", "--profile", profile, "--from", first, "--to", last


@pytest.fixture
def alice(sqlite_warehouse, ring, monkeypatch):
    with small.small_sandbox() as server:
        monkeypatch.setenv("GUMROAD_API_URL", server.gumroad_url)
        small.connect_all(sqlite_warehouse, ring, server)
        yield server


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (backfill("nobody", TODAY, TODAY), "no profile 'nobody'"),
        (backfill("alice", TODAY, YESTERDAY), "after --to"),
        (backfill("alice", TODAY, TOMORROW), "in the future"),
        (backfill("alice", OLD, TODAY), "PIPELINE_START_DATE"),
        (backfill("alice", "yesterday", TODAY), "does not match the format"),
        (("backfill", "patreon", "--profile", "alice", "--from", TODAY, "--to", TODAY), "patreon"),
        (("profiles", "add", "Al ice", "--email", "a@example.com"), "can't be a profile's id"),
        (("profiles", "add", "bob", "--email", "nobody"), "name@example.com"),
        (("profiles", "remove", "nobody"), "no profile 'nobody'"),
        (("profiles", "add", "bob", "--email", "b\udcff@example.com"), "not UTF-8"),
        (("nonsense",), "No such command"),
        (("backfill",), "Missing"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_wrong_words_end_with_2_and_ask_nothing_of_the_platform(alice, monkeypatch, capsys, words, says):
    """Guards: a stack trace for a typing error, and a script that goes on after it."""
    code, said = call(monkeypatch, capsys, *words)
    assert says in said
    assert "Traceback" not in said
    assert code == 2, said
    assert alice.faults.requests.total() == 0


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("nonsense", 2, "DATABASE_URL"),
        ("mysql://u:secret@h/d", 2, "DATABASE_URL"),
        ("postgresql://u:secret@127.0.0.1:9/d", 1, "can't be reached"),
    ],
)
def test_a_warehouse_that_is_not_there_is_told_without_its_password(monkeypatch, capsys, url, code, says):
    """Guards: a password in a terminal's history because the database was down."""
    monkeypatch.setenv("DATABASE_URL", url)
    ended, said = call(monkeypatch, capsys, "migrate")
    assert (ended, says in said, "secret" in said, "Traceback" in said) == (code, True, False, False), said


def test_a_variable_that_can_not_be_read_is_named(monkeypatch, capsys):
    """Guards: a validation error that shows the value, or nothing."""
    monkeypatch.setenv("GUMROAD_API_URL", "gumroad.com")
    code, said = call(monkeypatch, capsys, "migrate")
    assert (code, "GUMROAD_API_URL" in said, ".env.example" in said) == (2, True, True), said


def test_migrate_says_what_it_did_and_lists_are_empty_with_a_hint(warehouse_url, monkeypatch, capsys):
    """Guards: a command that says nothing."""
    monkeypatch.setenv("DATABASE_URL", warehouse_url)
    assert call(monkeypatch, capsys, "migrate") == (0, f"The warehouse is at revision {migrate.HEAD} now.\n")
    assert call(monkeypatch, capsys, "migrate") == (0, f"The warehouse is at revision {migrate.HEAD} already.\n")
    code, said = call(monkeypatch, capsys, "profiles", "list")
    assert (code, "profiles add" in said) == (0, True)


def test_migrate_says_that_a_ledger_of_the_release_before_is_to_be_made_anew(warehouse_url, monkeypatch, capsys):
    """Guards: an upgrade after which refunds are wrong until their days are read again, and nobody knows."""
    monkeypatch.setenv("DATABASE_URL", warehouse_url)
    assert call(monkeypatch, capsys, "migrate")[0] == 0
    stored = open_warehouse(warehouse_url)
    with stored.write() as connection:
        connection.execute(insert(sales_events).values(event(1)._asdict()))
    assert call(monkeypatch, capsys, "migrate", "--to", "0005", "--down")[0] == 0
    code, said = call(monkeypatch, capsys, "migrate")
    assert (code, "books rebuild" in said) == (0, True), said


def test_profiles_are_listed_and_removed_and_no_token_is_shown(alice, monkeypatch, capsys):
    """Guards: a token on a screen that is shared."""
    code, said = call(monkeypatch, capsys, "profiles", "list", "--json")
    assert code == 0
    assert {row["id"]: row["provider"] for row in json.loads(said)} == dict.fromkeys(small.SIZES, "gumroad")
    assert call(monkeypatch, capsys, "profiles", "remove", "bea")[0] == 0
    code, said = call(monkeypatch, capsys, "profiles", "list")
    assert code == 0
    assert not [seller.token for seller in alice.world.gumroad.values() if seller.token in said]


def test_a_new_key_is_one_that_can_be_used(monkeypatch, capsys):
    """Guards: a printed key that the next start refuses."""
    from creator_pipeline.core.secrets import KeyRing

    code, said = call(monkeypatch, capsys, "keys", "new")
    assert code == 0
    assert KeyRing([said.strip()]).decrypt(KeyRing([said.strip()]).encrypt("x")) == "x"


HEAVY = {"alembic", "dagster", "httpx", "matplotlib", "pandas", "pyarrow"}


@pytest.mark.parametrize("words", [("--help",), ("kdp", "inspect", str(ESTIMATOR))], ids=["help", "kdp inspect"])
def test_a_command_loads_what_it_needs(words, tmp_path):
    """Incident: two seconds for a page of help, because each command was loaded, and Dagster for each command."""
    line = [sys.executable, "-X", "importtime", "-c", "from creator_pipeline.cli import main; main()", *words]
    done = subprocess.run(
        line, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    loaded = {name.rpartition("|")[2].strip() for name in done.stderr.splitlines() if name.startswith("import time:")}
    assert loaded & HEAVY == set()
    assert loaded & {"creator_pipeline.cli"}
    assert done.stdout


def test_the_page_of_help_says_of_each_command_what_it_says_itself(monkeypatch, capsys):
    """Guards: a list that is read from the sources and lacks a command, or tells something else."""
    monkeypatch.setenv("COLUMNS", "300")
    _, said = call(monkeypatch, capsys, "--help")
    listed = dict(line.split(maxsplit=1) for line in said.partition("Commands:\n")[2].splitlines())
    context = click.Context(cli.cli)
    names = cli.cli.list_commands(context)
    assert listed.keys() == set(names)
    for name in names:
        command = cli.cli.get_command(context, name)
        assert command is not None
        assert listed[name].removesuffix("...") in command.get_short_help_str(300), name
