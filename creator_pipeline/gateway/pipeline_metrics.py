"""What ``/metrics`` tells of the pipeline: runs, lateness, open problems, connections, mails and the oldest webhook.

Asked of the warehouse and of Dagster's storage at every scrape; what can't be read is left out.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.gateway.dagster_storage import last_sensor_tick, runs_of_a_day
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.retention import OPEN_MAILS, STATES
from creator_pipeline.store.tables import (
    alert_messages,
    email_messages,
    health_reports,
    platform_connections,
    webhook_events,
)


class PipelineCollector(Collector):
    """Figures of the pipeline behind the gateway."""

    def __init__(self, warehouse: Warehouse, config: Settings) -> None:
        self._warehouse, self._config = warehouse, config

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead: registering must not ask the warehouse."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        moment = now()
        runs = GaugeMetricFamily("pipeline_runs", "Runs begun within a day", labels=["status"])
        for status, count in runs_of_a_day(self._config, moment - timedelta(days=1)).items():
            runs.add_metric([status.lower()], count)
        yield runs
        yield _daemon(self._config, moment)
        yield from _disk(self._config)
        try:
            with self._warehouse.read() as connection:
                yield from _connections(connection, moment)
                yield from _problems(connection)
                yield from _mails(connection, moment)
                yield from _notices(connection, moment)
                yield _oldest_webhook(connection, moment)
        except PipelineError:
            return


def _daemon(config: Settings, moment: datetime) -> Metric:
    age = GaugeMetricFamily("pipeline_sensor_tick_age_seconds", "Since Dagster's daemon last evaluated a sensor")
    if (last := last_sensor_tick(config)) is not None:
        age.add_metric([], (moment - last).total_seconds())
    return age


def _disk(config: Settings) -> Iterator[Metric]:
    """Of the volume that DAGSTER_HOME is on: Dagster's files, the inbox, the embedded warehouse."""
    free = GaugeMetricFamily("pipeline_disk_free_bytes", "Free on the volume of DAGSTER_HOME")
    size = GaugeMetricFamily("pipeline_disk_bytes", "Size of the volume of DAGSTER_HOME")
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(config.home)
        free.add_metric([], usage.free)
        size.add_metric([], usage.total)
    yield free
    yield size


def _connections(connection: Connection, moment: datetime) -> Iterator[Metric]:
    table = platform_connections.c
    columns = (table.provider, table.profile_id, table.status, table.fresh_at, table.expected_by)
    # Not by the token: the gateway's role may not read it.
    rows = connection.execute(select(*columns).order_by(table.provider, table.profile_id)).all()
    counts = dict[tuple[str, str], int]()
    age = GaugeMetricFamily(
        "pipeline_sync_age_seconds", "Since the last sync that read the present", labels=["platform", "profile"]
    )
    late = GaugeMetricFamily(
        "pipeline_sync_late_seconds", "Since such a sync is late; 0 in time", labels=["platform", "profile"]
    )
    for row in rows:
        counts[row.provider, row.status] = counts.get((row.provider, row.status), 0) + 1
        if row.fresh_at is not None:
            age.add_metric([row.provider, row.profile_id], (moment - row.fresh_at).total_seconds())
        if row.expected_by is not None:
            seconds = max(0.0, (moment - row.expected_by).total_seconds())
            late.add_metric([row.provider, row.profile_id], seconds)
    connections = GaugeMetricFamily("pipeline_connections", "Connected accounts", labels=["platform", "status"])
    for labels, count in counts.items():
        connections.add_metric(list(labels), count)
    yield connections
    yield age
    yield late


def _problems(connection: Connection) -> Iterator[Metric]:
    table = health_reports.c
    ids = connection.execute(select(table.id).where(table.resolved_at.is_(None))).scalars()
    counts = dict[str, int]()
    for report_id in ids:
        kind = report_id.partition("/")[0]
        counts[kind] = counts.get(kind, 0) + 1
    problems = GaugeMetricFamily("pipeline_open_problems", "Open problems of pipeline_health", labels=["kind"])
    for kind, count in counts.items():
        problems.add_metric([kind], count)
    yield problems
    total = GaugeMetricFamily("pipeline_open_problems_all", "Open problems of pipeline_health of all kinds")
    total.add_metric([], sum(counts.values()))
    yield total


def _mails(connection: Connection, moment: datetime) -> Iterator[Metric]:
    table = email_messages.c
    waiting = (
        select(table.status, func.count(), func.min(table.created_at))
        .where(table.status.in_(OPEN_MAILS))
        .group_by(table.status)
    )
    found = {status: (count, oldest) for status, count, oldest in connection.execute(waiting)}
    outbox = GaugeMetricFamily("pipeline_outbox", "Mails that are not sent yet", labels=["status"])
    age = GaugeMetricFamily("pipeline_outbox_age_seconds", "Since the oldest of them was written", labels=["status"])
    for status in OPEN_MAILS:
        count, oldest = found.get(status, (0, None))
        outbox.add_metric([status], count)
        age.add_metric([status], (moment - oldest).total_seconds() if oldest else 0)
    yield outbox
    yield age


def _notices(connection: Connection, moment: datetime) -> Iterator[Metric]:
    table = alert_messages.c
    waiting = select(table.channel, func.count(), func.min(table.created_at)).where(
        table.status.in_(("queued", "sending"))
    )
    outbox = GaugeMetricFamily("pipeline_alerts", "Notices that are not sent yet", labels=["channel"])
    age = GaugeMetricFamily("pipeline_alerts_age_seconds", "Since the oldest of them was written", labels=["channel"])
    for channel, count, oldest in connection.execute(waiting.group_by(table.channel)):
        outbox.add_metric([channel], count)
        age.add_metric([channel], (moment - oldest).total_seconds())
    yield outbox
    yield age


def _oldest_webhook(connection: Connection, moment: datetime) -> Metric:
    table = webhook_events.c
    open_ones = (table.status.in_(("queued", "stored")), table.provider.not_in((STATES, "resend")))
    oldest = connection.execute(select(func.min(table.received_at)).where(*open_ones)).scalar()
    age = GaugeMetricFamily("pipeline_oldest_webhook_seconds", "Since the oldest webhook that waits was received")
    age.add_metric([], (moment - oldest).total_seconds() if oldest else 0)
    return age
