"""Owners' answers about reports that are held back: one that can't be done, and one that came too late."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from creator_pipeline.platforms.kdp import held
from creator_pipeline.platforms.kdp.files import File
from creator_pipeline.platforms.kdp.withdraw import withdraw
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_uploads, profiles
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_samples import as_csv, table


@pytest.fixture
def waiting(sqlite_warehouse: Warehouse, tmp_path) -> dict[str, File]:
    """A report of each of two profiles that is held back and answered; bob's is the older one."""
    kdp_landing.add_profiles(sqlite_warehouse, "bob", "alice")
    files = dict[str, File]()
    for name in ("bob", "alice"):
        header, *body = table()
        author = header.index("Author Name")
        rows = [header, *([*row[:author], f"{name} Example", *row[author + 1 :]] for row in body)]
        whole, less = tmp_path / f"{name}.csv", tmp_path / f"{name}-less.csv"
        whole.write_bytes(as_csv(rows))
        less.write_bytes(as_csv(rows[:-6]))
        kdp_landing.land(sqlite_warehouse, whole, name)
        done = kdp_landing.land(sqlite_warehouse, less, name, at=kdp_landing.MADE_AT + 60)
        assert done.status == "quarantined"
        files[name] = done.file
        assert held.answer(sqlite_warehouse, name, done.file.upload_id or "", held.SMALLER)
    return files


def answers(warehouse: Warehouse) -> dict[str, tuple[str, str | None]]:
    """File name -> status and what its owner said that isn't done."""
    columns = kdp_uploads.c
    with warehouse.read() as connection:
        rows = connection.execute(select(columns.file_name, columns.status, columns.answer)).all()
    return {name: (status, answer) for name, status, answer in rows}


def test_an_answer_that_cant_be_done_is_told_and_stops_no_other(sqlite_warehouse, waiting) -> None:
    """Incident: one owner's answer that failed with each tick, and no answer and no file of anybody was taken."""
    with sqlite_warehouse.write() as connection:
        connection.execute(delete(profiles).where(profiles.c.id == "bob"))
    told = held.work_off(sqlite_warehouse)
    refused, done = (next(each for each in told if f" of {name} said" in each) for name in ("bob", "alice"))
    assert "smaller. It couldn't be done: There is no profile 'bob'." in refused
    assert done.endswith("said: smaller.")
    after = answers(sqlite_warehouse)
    assert after["bob-less.csv"] == ("quarantined", None), "it waits for an answer again"
    assert after["alice-less.csv"] == ("accepted", None)
    assert held.work_off(sqlite_warehouse) == []
    assert held.answer(sqlite_warehouse, "bob", waiting["bob"].upload_id or "", held.WRONG)


def test_an_answer_about_a_report_that_a_command_took_back_changes_nothing(sqlite_warehouse, waiting) -> None:
    """Guards: a report that a person withdrew meanwhile, back in the ledger by the owner's older answer."""
    withdraw(sqlite_warehouse, waiting["alice"].upload_id or "")
    before = kdp_landing.ledger(sqlite_warehouse)
    held.work_off(sqlite_warehouse)
    assert kdp_landing.ledger(sqlite_warehouse) == before
    assert answers(sqlite_warehouse)["alice-less.csv"] == ("withdrawn", None)
