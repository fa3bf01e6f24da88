"""What ``growth.py`` measures on: an installation of so many profiles whose every day has landed.

One real run (``gumroad_sync`` of a profile's few days, against the sandbox) writes Dagster's own events through
Dagster's own interface. All others are copies of its rows, made by SQL in the database: the interface writes one event
at a time, which for a million partitions would take a day.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psycopg2
import yaml

from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.core.windows import today
from creator_pipeline.runtime.run_logs import RunLines
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.support import servers
from creator_pipeline_tests.support.installation import QUIET, RANGE_END, RANGE_START
from creator_pipeline_tests.support.sandbox import SandboxServer, World

ROOT = Path(__file__).resolve().parents[1]
DAYS = 1_000
REAL = "p0000"
REAL_DAYS, REAL_SALES = 7, 700
NIGHTS = 3
ONE_ASSET_ABOVE = 500
SALES, EVENTS = '["gumroad", "sales"]', '["sales_events", "gumroad"]'

# For each of the real run's kinds of events: the newest one, once for each of a profile's days, in one run a profile.
COPY_EVENTS = """
INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
SELECT 'filled-' || profile,
       replace(replace(t.event, t.partition, day || '|' || profile), t.run_id, 'filled-' || profile),
       t.dagster_event_type, t.timestamp, t.step_key, t.asset_key, day || '|' || profile
FROM (SELECT DISTINCT ON (dagster_event_type) * FROM event_logs
      WHERE asset_key = %(asset)s AND partition IS NOT NULL ORDER BY dagster_event_type DESC, id DESC) AS t,
     unnest(%(profiles)s::text[]) AS profile,
     (SELECT to_char(%(first)s::date + n, 'YYYY-MM-DD') AS day FROM generate_series(0, %(days)s - 1) AS n) AS days
ORDER BY t.dagster_event_type DESC, profile, day
"""
COPY_RUNS = """
INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, partition, partition_set, create_timestamp,
                  update_timestamp, start_time, end_time)
SELECT 'filled-' || profile, r.snapshot_id, r.pipeline_name, r.status,
       replace(r.run_body, r.run_id, 'filled-' || profile),
       r.partition, r.partition_set, r.create_timestamp, r.update_timestamp, r.start_time, r.end_time
FROM (SELECT * FROM runs ORDER BY id LIMIT 1) AS r, unnest(%(profiles)s::text[]) AS profile
"""


class Installation:
    """A home, a warehouse and Dagster's storage, both in PostgreSQL, of so many profiles.

    Attributes:
        bytes_of_night: what one profile's nightly run of seven days left in Dagster's storage.
        statement_ms: after how long the webserver gives a statement up.
        bytes_of_sale: what one sale and its ledger rows take in the warehouse.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.statement_ms = 15_000
        self.names = [f"p{number:04}" for number in range(count)]
        self.home = folder / str(count)
        self.home.mkdir()
        self.urls = {name: servers.postgres().fresh_database() for name in ("warehouse", "dagster")}
        config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        # The queue is filled; nothing of it is to be done.
        config["concurrency"]["runs"]["max_concurrent_runs"] = 0
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        module = {"module_name": "creator_pipeline.definitions", "location_name": "creator_pipeline"}
        (self.home / "workspace.yaml").write_text(
            yaml.safe_dump({"load_from": [{"python_module": module}]}), encoding="utf-8"
        )
        self.first = today() - timedelta(days=DAYS - 1)
        self.key = new_key()
        os.environ |= self.environment
        self.warehouse: Warehouse = open_warehouse(self.urls["warehouse"])
        self.instance = dg.DagsterInstance.get()
        RunLines.muted = True
        self._connect()
        self._run()
        self._fill()

    @property
    def environment(self) -> dict[str, str]:
        """For this process and those of Dagster."""
        return {
            "DAGSTER_HOME": str(self.home),
            "DATABASE_URL": self.urls["warehouse"],
            "DAGSTER_POSTGRES_URL": self.urls["dagster"],
            "REDIS_URL": "",
            "APP_SECRET_KEYS": self.key,
            "PIPELINE_START_DATE": self.first.isoformat(),
            "GUMROAD_REQUESTS_PER_MINUTE": "600000",
            "ENABLE_WHOP": "false",
            "PYTHONPATH": str(ROOT),
        }

    def _connect(self) -> None:
        ring = KeyRing([self.key])
        self.seller = World.invented(3, today=today(), sizes={REAL: REAL_SALES}, days=REAL_DAYS)
        token = self.seller.gumroad[REAL].token
        with self.warehouse.write() as connection:
            for name in self.names:
                profiles.add_profile(connection, name, f"{name}@example.com")
                profiles.connect(connection, ring, "gumroad", name, token)
        self.instance.add_dynamic_partitions("gumroad_profiles", self.names)

    def _run(self) -> None:
        from creator_pipeline.definitions import defs

        rows, sizes = self.size("warehouse"), list[int]()
        begin = today() - timedelta(days=REAL_DAYS - 1)
        tags = {RANGE_START: f"{begin}|{REAL}", RANGE_END: f"{today()}|{REAL}", "creator_pipeline/profile": REAL}
        with SandboxServer(self.seller) as server:
            os.environ["GUMROAD_API_URL"] = server.gumroad_url
            job = defs.resolve_job_def("gumroad_sync")
            # The first one also makes what is there once: the job's snapshot, the first pages of each table.
            for _ in range(1 + NIGHTS):
                assert job.execute_in_process(instance=self.instance, tags=tags, run_config=QUIET).success
                sizes.append(self.size("dagster"))
        self.bytes_of_night = (sizes[-1] - sizes[0]) / NIGHTS
        self.bytes_of_sale = (self.size("warehouse") - rows) / REAL_SALES

    def _fill(self) -> None:
        others = [name for name in self.names if name != REAL]
        values = {"profiles": others, "first": self.first, "days": DAYS}
        with psycopg2.connect(self.urls["dagster"]) as connection, connection.cursor() as cursor:
            cursor.execute(COPY_RUNS, values)
            # Without a log of writes, and with indexes made at the end, it takes a fraction of the time.
            cursor.execute("ALTER TABLE event_logs SET UNLOGGED")
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'event_logs'")
            indexes = [found for found in cursor.fetchall() if not found[0].endswith("_pkey")]
            for name, _ in indexes:
                cursor.execute(f"DROP INDEX {name}")
            # Of the largest only what is asked for: the other asset has as many rows again.
            for asset in (SALES, EVENTS)[: 2 if len(self.names) <= ONE_ASSET_ABOVE else 1]:
                cursor.execute(COPY_EVENTS, values | {"asset": asset})
            for _, definition in indexes:
                cursor.execute(definition)
        connection.close()
        connection = psycopg2.connect(self.urls["dagster"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        connection.close()
        self._fail_one_day()

    def _fail_one_day(self) -> None:
        """One run that failed long ago and was never solved, so that the look at failed partitions has to look."""
        with psycopg2.connect(self.urls["dagster"]) as connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE runs SET status = 'FAILURE', run_body = replace(run_body, 'SUCCESS', 'FAILURE') "
                "WHERE run_id = %s",
                (f"filled-{self.names[-1]}",),
            )
            cursor.execute(
                "DELETE FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND partition = %s",
                (f"{self.first + timedelta(days=5)}|{self.names[-1]}",),
            )
        connection.close()

    def size(self, name: str) -> int:
        """Bytes of a database, without the catalogues that it shares with the server's others."""
        connection = psycopg2.connect(self.urls[name])
        try:
            with connection.cursor() as cursor:
                own = "SELECT oid FROM pg_class WHERE relkind = 'r' AND NOT relisshared"
                cursor.execute(f"SELECT sum(pg_total_relation_size(oid)) FROM ({own}) AS own")
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def forget_statuses(self) -> None:
        """Let Dagster keep nothing of which partitions have landed."""
        with psycopg2.connect(self.urls["dagster"]) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE asset_keys SET cached_status_data = NULL")
        connection.close()

    def rows(self) -> int:
        """Of Dagster's event log."""
        connection = psycopg2.connect(self.urls["dagster"])
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM event_logs")
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def close(self) -> None:
        """Give the databases back."""
        self.warehouse.engine.dispose()
        self.instance.dispose()
        for url in self.urls.values():
            servers.postgres().drop(url)
