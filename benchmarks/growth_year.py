"""A year of nights and what is left of them: ``python benchmarks/growth_year.py``.

One profile's night is run once for real against the sandbox: every job that Gumroad's schedules ask for at night. Its
runs, events and checks are then copied by SQL for each profile and each night of a year, with their ids, days and
times, and after each night Dagster's old runs are deleted as the job ``retention`` does it.

Printed: Dagster's storage by month, what 100 profiles would have by the same figures, and the asset page before and
after the runs of ten nights went at once. Anything that isn't as it was ends it with an error.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
import httpx
import psycopg2
from growth import HEALTH, KEY, LIVE, process, wait_for_webserver
from growth_fill import REAL, REAL_DAYS, Installation
from psycopg2.extras import execute_values

from creator_pipeline.core.windows import now, today
from creator_pipeline.runtime.tags import KEEP_TAG
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.installation import QUIET
from creator_pipeline_tests.support.sandbox import SandboxServer

EVENTS = """query AssetEvents($assetKey: AssetKeyInput!) { assetOrError(assetKey: $assetKey) { ... on Asset { id
  assetMaterializations(limit: 3000) { timestamp partition message description runOrError { __typename }
    metadataEntries { label description __typename
      ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } } } } } }"""
"""The runs of events are asked for, as the page does: an event without one must be no error."""
MONTH = 30
WEEK = 7
LAST = 10
"""Nights after the year whose old runs go at once, for the pages before and after."""
MARKED = 5
"""Night whose first run somebody marked."""
TABLES = {
    "runs": "run_id snapshot_id pipeline_name status run_body partition partition_set create_timestamp "
    "update_timestamp start_time end_time backfill_id",
    "run_tags": "run_id key value",
    "event_logs": "run_id event dagster_event_type timestamp step_key asset_key partition",
    "asset_check_executions": "asset_key check_name partition run_id execution_status evaluation_event "
    "evaluation_event_timestamp evaluation_event_storage_id materialization_event_storage_id create_timestamp",
}
ALL = [dict(KEY), {"path": ["sales_events", "gumroad"]}, {"path": ["gumroad", "products"]}]


class Year(Installation):
    """An installation that has one real night, and copies of it for each profile and night."""

    def _fill(self) -> None:
        """Instead of a thousand days that have landed."""
        from creator_pipeline.definitions import defs
        from creator_pipeline.orchestration.schedules import requests
        from creator_pipeline.platforms import of_name

        self.day, platform = today(), of_name("gumroad")
        assert platform is not None
        before = set(self.instance.get_run_ids())
        with SandboxServer(self.seller) as server:
            os.environ["GUMROAD_API_URL"] = server.gumroad_url
            for line in platform.dagster.get().schedules:
                if not line.name.endswith("_nightly"):
                    continue
                for one in requests(platform, line, self.warehouse, now()):
                    if isinstance(one, dg.RunRequest) and one.tags["creator_pipeline/profile"] == REAL:
                        done = defs.resolve_job_def(line.job).execute_in_process(
                            instance=self.instance,
                            tags=dict(one.tags),
                            partition_key=one.partition_key,
                            run_config={**QUIET, **one.run_config},
                        )
                        assert done.success
        self.real = [run for run in self.instance.get_run_ids() if run not in before]
        self.rows_of: dict[str, list[tuple[Any, ...]]] = {}
        with self.connection() as cursor:
            for table, columns in TABLES.items():
                names = columns.replace(" ", ", ")
                cursor.execute(f"SELECT {names} FROM {table} WHERE run_id = ANY(%s) ORDER BY id", (self.real,))
                self.rows_of[table] = cursor.fetchall()
            cursor.execute("SELECT asset_key, last_run_id, last_materialization FROM asset_keys")
            self.assets = [row for row in cursor.fetchall() if row[1] in self.real]

    def connection(self) -> Any:
        """A cursor of Dagster's database; each statement is a transaction."""
        return _Cursor(self.urls["dagster"])

    def relations(self) -> dict[str, tuple[int, int]]:
        """Bytes of the rows of each table, with what lies beside them, and of all its indexes."""
        with self.connection() as cursor:
            cursor.execute(
                "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
                " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
            return {name: (rows, indexes) for name, rows, indexes in cursor.fetchall()}

    def night(self, day: int, days: int) -> list[str]:
        """Copy the real night, as it was so many days ago; returns the first profile's runs."""
        ago = timedelta(days=days - day)
        first = list[str]()
        with self.connection() as cursor:
            for name in self.names:
                ids = {real: str(uuid.uuid4()) for real in self.real}
                first = first or list(ids.values())
                for table, columns in TABLES.items():
                    rows = [tuple(self._moved(row, name, ids, ago)) for row in self.rows_of[table]]
                    execute_values(cursor, f"INSERT INTO {table} ({columns.replace(' ', ', ')}) VALUES %s", rows)
                for key, run_id, event in self.assets:
                    last = ids[run_id], event and self._renamed(event, name, ids, ago), key
                    cursor.execute(
                        "UPDATE asset_keys SET last_run_id = %s, last_materialization = %s WHERE asset_key = %s", last
                    )
        return first

    def _moved(self, row: tuple[Any, ...], name: str, ids: dict[str, str], ago: timedelta) -> Iterator[Any]:
        for value in row:
            if isinstance(value, datetime):
                yield value - ago
            elif isinstance(value, float):
                yield value - ago.total_seconds()
            elif isinstance(value, str):
                yield self._renamed(value, name, ids, ago)
            else:
                yield value

    def _renamed(self, text: str, name: str, ids: dict[str, str], ago: timedelta) -> str:
        for real, copied in ids.items():
            text = text.replace(real, copied)
        # The oldest first: a day must not become one that is replaced in its turn.
        for day in (self.day - timedelta(days=left) for left in range(REAL_DAYS - 1, -1, -1)):
            text = text.replace(f"{day}|{REAL}", f"{day - ago}|{name}")
        return text.replace(REAL, name)

    def clean(self, day: int, days: int, keep: int) -> int:
        """What the job does after a night; returns how many runs went."""
        from creator_pipeline.orchestration.old_runs import delete_old_runs
        from creator_pipeline.runtime.run_events import give_back

        before = datetime.now(UTC) - timedelta(days=days - day + keep)
        count = delete_old_runs(self.instance, self.warehouse, before)["runs"]
        refused = give_back(self.instance, indexes=day % WEEK in (0, 3) or day == days)
        assert not refused, refused
        return count


class _Cursor:
    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Any:
        self._connection = psycopg2.connect(self._url)
        self._connection.autocommit = True
        return self._connection.cursor()

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


def pages(place: Year) -> tuple[list[Any], float]:
    """What the asset pages show, and the seconds of the first look at the largest."""
    port, answers, seconds = servers.free_port(), list[Any](), 0.0
    with (
        process(place, "dagster_webserver", "-p", str(port), "-w", "workspace.yaml"),
        httpx.Client(timeout=300) as ui,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_for_webserver(ui, url)

        def ask(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            answer = ui.post(f"{url}/graphql", json={"query": query, "variables": variables}).json()
            assert "errors" not in answer, answer
            return answer["data"]

        for query, variables in [(LIVE, {"assetKeys": ALL}), *((HEALTH, {"assetKey": key}) for key in ALL)]:
            began = time.monotonic()
            answer = ask(query, variables)
            if query == HEALTH and variables == {"assetKey": KEY}:
                seconds = time.monotonic() - began
            for some in answer.values():
                if isinstance(some, list):  # in no order
                    some.sort(key=lambda one: str(one.get("assetKey") or one["id"]))
            answers.append(answer)
        for key in ALL:
            events = ask(EVENTS, {"assetKey": key})["assetOrError"]["assetMaterializations"]
            newest = dict[str, Any]()
            for one in events:
                shown = {name: one[name] for name in ("timestamp", "message", "description", "metadataEntries")}
                newest.setdefault(one["partition"], shown)
            answers.append(newest)
    return answers, seconds


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Places where two answers differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for at in range(len(one)) for found in differences(one[at], other[at], f"{where}[{at}]")]
    return [] if one == other else [f"{where}: {str(one)[:200]} -> {str(other)[:200]}"]


def grown(place: Year, first: dict[str, tuple[int, int]]) -> None:
    """Print which tables are larger than they were at first."""
    for name, (rows, indexes) in place.relations().items():
        if (rows, indexes) != first[name]:
            told = f"{name}: {first[name][0] / 1e3:,.0f} -> {rows / 1e3:,.0f} kB of rows, "
            print(told + f"{first[name][1] / 1e3:,.0f} -> {indexes / 1e3:,.0f} kB of indexes", flush=True)


def play(place: Year, nights: int, keep: int) -> None:
    """The year, its table, and what must be as it was."""
    empty, month, deleted = place.size("dagster"), 0, 0
    first = dict[str, tuple[int, int]]()

    def line(day: int) -> None:
        nonlocal month, first
        size = place.size("dagster") - empty
        month, first = month or size, first or place.relations()
        each, count = size / len(place.names) * 100 / 1e6, place.instance.get_runs_count()
        told = (
            f"{day:>6}{size / 1e6:>9.1f}{size / month:>12.2f}{each:>18,.0f}{count:>8,}{place.rows():>12,}{deleted:>9,}"
        )
        print(told, flush=True)

    print(f"{len(place.real)} runs a profile's night, {len(place.names)} profiles, runs kept {keep} days")
    print(f"{'night':>6}{'MB':>9}{'of month 1':>12}{'100 profiles, MB':>18}{'runs':>8}{'event rows':>12}{'deleted':>9}")
    marked = ""
    days = nights + LAST
    for day in range(1, days + 1):
        runs = place.night(day, days)
        if day == MARKED:
            marked = runs[0]
            place.instance.add_run_tags(marked, {KEEP_TAG: "1"})
        if day <= nights:
            deleted += place.clean(day, days, keep)
        if day == nights or (day < nights and day % MONTH == 0):
            line(day)
        if day == nights:
            grown(place, first)
    shown, seconds = pages(place)
    began = time.monotonic()
    last = place.clean(days, days, keep)
    took = time.monotonic() - began
    again, seconds_after = pages(place)
    print(f"without deleting, reckoned: {month / MONTH * nights / 1e6:,.1f} MB")
    print(f"{LAST} nights more, and {last:,} runs went in {took:.1f} s")
    print(f"asset page, first look: {seconds:.2f} s before that, {seconds_after:.2f} s after; the same answers")
    assert shown == again, differences(shown, again)
    assert last, "no run went"
    landed = place.instance.get_materialized_partitions(dg.AssetKey(["gumroad", "sales"]))
    print(f"days that have landed: {len(landed):,}, as many as were read")
    assert len(landed) == (days + REAL_DAYS - 1) * len(place.names)
    events = place.instance.all_logs(marked)
    print(f"the marked run of night {MARKED} is there, with {len(events)} events")
    assert place.instance.get_run_by_id(marked), "the marked run is gone"
    assert events, "the marked run's events are gone"


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=3)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--keep", type=int, default=30, help="KEEP_RUNS_DAYS")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="growth_"))
    place: Year | None = None
    try:
        place = Year(folder, options.profiles)
        play(place, options.nights, options.keep)
    finally:
        if place is not None:
            place.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
