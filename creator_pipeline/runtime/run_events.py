"""What of old runs is still the newest word on something, and how the rest goes.

Dagster's ``delete_run`` takes a run's events along, and with them what its pages show: a day is materialized for as
long as one event says so. Every nightly run holds the last word on one day, so none of them could ever go. Here such an
event is kept as one of no run, as Dagster keeps those that are reported from outside. It keeps its number, and so its
place among the others.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Connection, Select, bindparam, delete, exists, func, or_, select, text, union, update
from sqlalchemy.exc import SQLAlchemyError

from creator_pipeline.runtime.dagster_internals import records

BATCH = 500
"""Events that are changed in one transaction."""
_LANDED = dg.DagsterEventType.ASSET_MATERIALIZATION.value
_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
_SEEN = dg.DagsterEventType.ASSET_OBSERVATION.value
_TABLES = ("event_logs", "asset_check_executions", "asset_keys", "runs", "run_tags")
_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY(:tables)"
_LOCK_SECONDS = 5
_NOT_EVALUATED = "PLANNED"


def needed(instance: dg.DagsterInstance, run_ids: Collection[str], failed: Collection[str]) -> set[str]:
    """Those of the runs that hold the last word on something that can't be kept without its run.

    That is: the newest materialization of an asset without partitions, the newest observation, the newest result of a
    check, the newest event of each kind of an asset, since pages name its run; and what was planned and wasn't tried
    again. What a failed run planned must have landed since.

    Args:
        instance: that has the runs.
        run_ids: a few hundred at most.
        failed: those of them that failed.
    """
    with transaction(instance) as connection:
        found = connection.execute(union(*_last_words(list(run_ids), list(failed))))
        return {str(row.run_id) for row in found}


def _last_words(run_ids: list[str], failed: list[str]) -> list[Select[Any]]:
    events = records.event_rows()
    here, newer = events.alias("here").c, events.alias("newer").c
    asset = (newer.asset_key == here.asset_key, newer.id > here.id)
    alone = (*asset, newer.partition.is_(None))
    same = (*asset, newer.partition == here.partition)

    def of_type(name: str, *others: Any) -> Any:
        return exists(select(1).where(newer.dagster_event_type == name, *others))

    def held(name: str, *rules: Any) -> Select[Any]:
        return select(here.run_id).where(
            here.run_id.in_(run_ids), here.asset_key.is_not(None), here.dagster_event_type == name, *rules
        )

    landed = or_(of_type(_LANDED, *same), (here.partition.is_(None)) & of_type(_LANDED, *alone))
    planned = or_(of_type(_PLANNED, *same), (here.partition.is_(None)) & of_type(_PLANNED, *alone))
    return [
        *(held(name, ~of_type(name, *asset)) for name in (_LANDED, _PLANNED, _SEEN)),
        held(_LANDED, here.partition.is_(None), ~of_type(_LANDED, *alone)),
        held(_SEEN, here.partition.is_(None), ~of_type(_SEEN, *alone)),
        held(_SEEN, here.partition.is_not(None), ~of_type(_SEEN, *same)),
        held(_PLANNED, ~landed, or_(here.run_id.in_(failed), ~planned)),
        _last_checks(run_ids),
    ]


def _last_checks(run_ids: list[str]) -> Select[Any]:
    table = records.check_rows()
    columns = table.c
    words = (columns.asset_key, columns.check_name, columns.partition)
    last = (
        select(*words, func.max(columns.id).label("last"))
        .where(columns.execution_status != _NOT_EVALUATED)
        .group_by(*words)
        .subquery()
    )
    # Dagster plans a check once for each partition of the run, and notes one result, of none of them.
    whole = last.c.partition.is_(None) & (columns.execution_status == _NOT_EVALUATED)
    replaced = exists(
        select(1).where(
            last.c.asset_key == columns.asset_key,
            last.c.check_name == columns.check_name,
            or_(last.c.partition.is_not_distinct_from(columns.partition), whole),
            last.c.last > columns.id,
        )
    )
    return select(columns.run_id).where(columns.run_id.in_(run_ids), ~replaced)


def release(instance: dg.DagsterInstance, run_id: str, tags: Mapping[str, str]) -> int:
    """Keep as events of no run what a run holds the last word on, of partitions; returns how many events that was.

    Stopped anywhere and called again, it goes on.

    Args:
        instance: that has the run.
        run_id: of a run that is about to go.
        tags: what is to be known of the run later; see :func:`tags_of`.
    """
    events, count = records.event_rows(), 0
    here, newer = events.alias("here").c, events.alias("newer").c
    later = exists(
        select(1).where(
            newer.asset_key == here.asset_key,
            newer.dagster_event_type == _LANDED,
            newer.partition == here.partition,
            newer.id > here.id,
        )
    )
    some = (
        select(here.id, here.event)
        .where(here.run_id == run_id, here.dagster_event_type == _LANDED, here.partition.is_not(None), ~later)
        .order_by(here.id)
        .limit(BATCH)
    )
    change = (
        update(events).where(events.c.id == bindparam("at")).values(run_id="", step_key=None, event=bindparam("kept"))
    )
    while True:
        with transaction(instance) as connection:
            rows = connection.execute(some).all()
            if not rows:
                return count
            kept = [{"at": row.id, "kept": records.of_no_run(row.event, tags)} for row in rows]
            connection.execute(change, kept)
        count += len(rows)


def tags_of(entry: dg.EventLogEntry) -> Mapping[str, str]:
    """What :func:`release` was told of the run that an event is of no more."""
    return entry.get_dagster_event().logging_tags or {}


def forget_checks(instance: dg.DagsterInstance, run_ids: Collection[str]) -> None:
    """Delete what checks said in these runs, which ``delete_run`` leaves."""
    table = records.check_rows()
    with transaction(instance) as connection:
        connection.execute(delete(table).where(table.c.run_id.in_(list(run_ids))))


def delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run with its events, its print-outs and its file.

    The run's own row is the last that goes: Dagster deletes it first, and a process that is stopped then leaves events
    that nobody finds again.
    """
    instance.event_log_storage.delete_events(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    if name := records.run_file(instance, run_id):
        _remove_file(Path(name))


def remove_files(instance: dg.DagsterInstance, before: float) -> int:
    """Remove the files of runs that are no more, as a process leaves them that is stopped; returns how many.

    Args:
        instance: in a storage that has no such files nothing is found.
        before: of what was changed last before this moment, in seconds.
    """
    if not (name := records.run_file(instance, "any")):
        return 0
    folder, count = Path(name).parent, 0
    old = [file for file in folder.glob("*.db") if _looks_like_run(file.stem) and file.stat().st_mtime < before]
    for start in range(0, len(old), BATCH):
        some = {file.stem: file for file in old[start : start + BATCH]}
        there = {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=list(some)))}
        for run_id in some.keys() - there:
            _remove_file(some[run_id])
            count += 1
    return count


def give_back(instance: dg.DagsterInstance, *, indexes: bool) -> str:
    """Let PostgreSQL use the room of what was deleted; returns why it refused, where it did.

    Its own autovacuum waits until a fifth of a table is dead. The indexes are another matter: what stays of each night
    keeps a page of them that is nearly empty, which only building them anew ends. Writers wait meanwhile, a second or
    two for each index of a hundred profiles.

    Args:
        instance: of another storage nothing is asked.
        indexes: build them anew.
    """
    storage: Any = instance.event_log_storage
    try:
        with storage.index_connection() as opened:
            if opened.dialect.name != "postgresql":
                return ""
            connection = opened.execution_options(isolation_level="AUTOCOMMIT")
            for table in _TABLES:
                connection.execute(text(f"VACUUM {table}"))
            names = connection.execute(text(_INDEXES), {"tables": list(_TABLES)}).scalars().all() if indexes else []
            # Who waits for a table's lock makes all others wait behind it.
            connection.execute(text(f"SET lock_timeout = '{_LOCK_SECONDS}s'"))
            for name in names:
                connection.execute(text(f'REINDEX INDEX "{name}"'))
    except SQLAlchemyError as error:
        return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return ""


def _looks_like_run(name: str) -> bool:
    # The index of all runs lies beside them, and the file of events of no run.
    return len(name) == 36 and name.count("-") == 4


def _remove_file(path: Path) -> None:
    for end in ("-wal", "-shm", "-journal", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()


@contextmanager
def transaction(instance: dg.DagsterInstance) -> Generator[Connection]:
    """A transaction in the storage that has the events of all runs."""
    storage: Any = instance.event_log_storage
    with storage.index_transaction() as connection:
        yield connection
