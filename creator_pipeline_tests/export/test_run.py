"""Exported files: the ledger to the millionth, whole months at any moment, and no trace of who was erased."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import delete, select, update

from creator_pipeline.core.errors import ConfigError, DataError, TransientError
from creator_pipeline.core.money import to_decimal
from creator_pipeline.core.windows import now
from creator_pipeline.export import manifest, run
from creator_pipeline.export.target import Target
from creator_pipeline.ledger.replace import note_changes
from creator_pipeline.platforms import personal
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import exported, invented_year


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "export"


def change(warehouse: Warehouse, day: date, profile: str = "alice") -> None:
    """Another row of the ledger of this day."""
    columns = sales_events.c
    with warehouse.write() as connection:
        some = update(sales_events).where(columns.profile_id == profile, columns.occurred_on == day)
        assert connection.execute(some.values(net_micros=columns.net_micros + 1)).rowcount
        for platform in invented_year.CURRENCIES:
            note_changes(connection, platform, profile, [day])


def a_day(warehouse: Warehouse, month: str, profile: str = "alice") -> date:
    """A day of a month that has rows."""
    columns = sales_events.c
    with warehouse.read() as connection:
        days = connection.execute(select(columns.occurred_on).where(columns.profile_id == profile)).scalars()
        return next(day for day in sorted(days) if f"{day:%Y-%m}" == month)


def test_sums_of_a_year_are_the_ledgers_to_the_millionth(warehouse: Warehouse, root: Path) -> None:
    """Guards: a warehouse whose revenue differs from the ledger's by what floats lost."""
    invented_year.fill(warehouse)
    told = run.export(warehouse, str(root))
    ledger = invented_year.ledger_sums(warehouse)
    assert exported.sums(root) == exported.sums(root, "daily_revenue") == ledger
    expected = {key: to_decimal(net) for key, net in exported.by_month(ledger).items()}
    assert exported.duckdb_sums(root) == expected
    assert len(exported.files(root)) == 24
    rows = {one.table: one.rows for one in told}
    assert rows["ledger"] == 800
    assert rows["payouts"] == 4
    assert rows["products"] == rows["subscriptions"] == 2


def test_only_months_that_changed_are_written(warehouse: Warehouse, root: Path) -> None:
    """Guards: a nightly upload of ten years, and a late refund that never reached its month."""
    invented_year.fill(warehouse)
    run.export(warehouse, str(root))
    before, generation = exported.files(root), exported.manifest(root)["generation"]
    assert {(one.written, one.dropped) for one in run.export(warehouse, str(root))} == {(0, 0)}
    assert exported.manifest(root)["generation"] == generation
    change(warehouse, a_day(warehouse, "2026-03"))
    told = {one.table: one.written for one in run.export(warehouse, str(root))}
    assert {table: written for table, written in told.items() if written} == {"ledger": 1, "daily_revenue": 1}
    after = exported.files(root)
    assert {unit for unit in after if after[unit] != before[unit]} == {("2026-03", "alice")}
    assert exported.sums(root) == invented_year.ledger_sums(warehouse)


def test_since_and_profile_leave_the_rest_as_it_was(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: a run for one profile whose manifest forgot all others."""
    invented_year.fill(sqlite_warehouse)
    run.export(sqlite_warehouse, str(root))
    before = exported.files(root)
    for month in ("2026-03", "2026-10"):
        for profile in ("alice", "bea"):
            change(sqlite_warehouse, a_day(sqlite_warehouse, month, profile), profile)
    run.export(sqlite_warehouse, str(root), since=date(2026, 10, 17), profile="alice")
    after = exported.files(root)
    assert {unit for unit in after if after[unit] != before.get(unit)} == {("2026-10", "alice")}
    assert after.keys() == before.keys()


def test_a_run_that_ends_between_files_and_manifest_changes_nothing_for_readers(
    sqlite_warehouse: Warehouse, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: half a month in a board's report, because the upload had stopped in the middle."""
    invented_year.fill(sqlite_warehouse)
    run.export(sqlite_warehouse, str(root))
    old = invented_year.ledger_sums(sqlite_warehouse)
    change(sqlite_warehouse, a_day(sqlite_warehouse, "2026-03"))
    change(sqlite_warehouse, a_day(sqlite_warehouse, "2026-04"))
    put, left = Target.put, 0

    def stopping(self: Target, name: str, data: bytes) -> None:
        nonlocal left
        if not left:
            raise TransientError("the disk is full")
        left -= 1
        put(self, name, data)
        assert exported.sums(root) == old

    monkeypatch.setattr(Target, "put", stopping)
    for files in range(4):
        left = files
        with pytest.raises(TransientError):
            run.export(sqlite_warehouse, str(root))
        assert exported.sums(root) == old
    monkeypatch.setattr(Target, "put", put)
    run.export(sqlite_warehouse, str(root))
    assert exported.sums(root) == invented_year.ledger_sums(sqlite_warehouse) != old


def test_a_reader_has_an_hour_for_the_files_of_the_former_manifest(
    sqlite_warehouse: Warehouse, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a query that broke at night with "no such file"; and a folder that only grew."""
    invented_year.fill(sqlite_warehouse, 50)
    run.export(sqlite_warehouse, str(root))
    former = exported.files(root)["2026-03", "alice"]
    left = root / "ledger/month=2026-03/profile=alice/20200101T000000000000Z-killed.parquet"
    left.write_bytes(b"half")
    mine = root / "notes.txt"
    mine.write_text("not ours")
    change(sqlite_warehouse, a_day(sqlite_warehouse, "2026-03"))
    run.export(sqlite_warehouse, str(root))
    assert (root / former).exists()
    assert not left.exists()
    monkeypatch.setattr(run, "now", lambda: now() + timedelta(hours=1, minutes=1))
    run.export(sqlite_warehouse, str(root))
    assert not (root / former).exists()
    assert exported.manifest(root)["superseded"] == {}
    assert mine.exists()
    assert exported.sums(root) == invented_year.ledger_sums(sqlite_warehouse)


def test_an_erased_profile_is_in_no_file(warehouse: Warehouse, root: Path) -> None:
    """Guards: a profile that was erased, and read on from an old Parquet file."""
    invented_year.fill(warehouse, 60)
    run.export(warehouse, str(root))
    change(warehouse, a_day(warehouse, "2026-03"))
    run.export(warehouse, str(root))
    erasure.erase_profile(warehouse, "alice", personal())
    run.export(warehouse, str(root))
    held = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in held if "alice" in str(path.relative_to(root)) or b"alice" in path.read_bytes()]
    assert exported.sums(root) == invented_year.ledger_sums(warehouse)
    assert not exported.files(root, "subscriptions").keys() & {("", "alice")}


def test_a_file_that_somebody_deleted_is_written_again(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: a manifest that names nothing, for ever, because the rows had not changed."""
    invented_year.fill(sqlite_warehouse, 40)
    run.export(sqlite_warehouse, str(root))
    (root / exported.files(root)["2026-03", "alice"]).unlink()
    run.export(sqlite_warehouse, str(root))
    assert exported.sums(root) == invented_year.ledger_sums(sqlite_warehouse)


def test_a_wrong_database_does_not_empty_the_files(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: a fresh database in DATABASE_URL, and a year of files gone by the morning."""
    invented_year.fill(sqlite_warehouse)
    run.export(sqlite_warehouse, str(root))
    before = exported.manifest(root)
    with sqlite_warehouse.write() as connection:
        connection.execute(delete(sales_events))
    with pytest.raises(DataError, match="800 were exported") as refused:
        run.export(sqlite_warehouse, str(root))
    assert "--allow-shrink" in refused.value.hint
    assert exported.manifest(root) == before
    run.export(sqlite_warehouse, str(root), allow_shrink=True)
    assert exported.files(root) == {}


def test_the_slower_of_two_runs_gives_up(
    sqlite_warehouse: Warehouse, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a run that began before a load and put its older files over the newer ones."""
    invented_year.fill(sqlite_warehouse, 40)
    snapshot = run._snapshot

    def other_first(warehouse: Warehouse):
        monkeypatch.setattr(run, "_snapshot", snapshot)
        run.export(sqlite_warehouse, str(root))
        return snapshot(warehouse)

    monkeypatch.setattr(run, "_snapshot", other_first)
    with pytest.raises(TransientError, match="Another export"):
        run.export(sqlite_warehouse, str(root))
    assert exported.sums(root) == invented_year.ledger_sums(sqlite_warehouse)


def test_any_store_of_fsspec_takes_the_files(sqlite_warehouse: Warehouse, root: Path) -> None:
    """Guards: an export that works on a laptop's folder only."""
    invented_year.fill(sqlite_warehouse, 40)
    for url in ("memory://exported/here", root.as_uri()):
        run.export(sqlite_warehouse, url)
        change(sqlite_warehouse, a_day(sqlite_warehouse, "2026-03"))
        assert {one.table: one.written for one in run.export(sqlite_warehouse, url)}["ledger"] == 1
        found = manifest.read(Target(url))
        assert found.rows("ledger") == 80
        assert {file.path for file in found.files.values()} <= Target(url).names()
    fsspec.filesystem("memory").rm("/exported", recursive=True)


@pytest.mark.parametrize("url", ["nonsense://x/y", "abfs-no-such://x"])
def test_an_address_that_nothing_knows_is_named(sqlite_warehouse: Warehouse, url: str) -> None:
    """Guards: "Protocol not known" with a page of Python around it."""
    with pytest.raises(ConfigError, match="EXPORT_URL"):
        run.export(sqlite_warehouse, url)


@pytest.mark.parametrize(
    ("content", "error"), [(b"{", DataError), (b"[]", DataError), (b'{"schema_version": 1}', DataError)]
)
def test_a_foreign_manifest_is_not_written_over(
    sqlite_warehouse: Warehouse, root: Path, content: bytes, error: type[Exception]
) -> None:
    """Guards: another program's folder, taken for ours."""
    root.mkdir()
    (root / "manifest.json").write_bytes(content)
    with pytest.raises(error, match=r"manifest\.json"):
        run.export(sqlite_warehouse, str(root))
    assert (root / "manifest.json").read_bytes() == content
