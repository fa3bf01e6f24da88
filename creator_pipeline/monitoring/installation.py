"""Probes of our own house: settings, keys, warehouse, Redis, Dagster, inbox, disk."""

from __future__ import annotations

import importlib.util
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
from sqlalchemy import Connection, inspect, make_url, select

from creator_pipeline.core import secrets
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.monitoring.doctor import Finding, Probe
from creator_pipeline.platforms.kdp import inbox_checks
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.runtime.unknown_fields import PREFIX
from creator_pipeline.settings import Settings
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import Warehouse, open_warehouse, translated
from creator_pipeline.store.tables import health_reports, metadata

MIN_FREE_BYTES = 1 << 30
DAEMON_SILENT_SECONDS = 300.0
"""Dagster's daemons tell of themselves every 30 s."""
MIGRATE = "creator-pipeline migrate"
SOURCES = ("gumroad", "whop", "kdp", "email")


def probes(config: Settings, open_instance: Callable[[], dg.DagsterInstance]) -> list[Probe]:
    """All of this file, in the order they are shown."""
    return [
        Probe("flags", lambda: flags(config)),
        Probe("secret keys", lambda: keys(config)),
        Probe("warehouse", lambda: warehouse(config)),
        Probe("redis", lambda: redis(config)),
        Probe("dagster storage", lambda: dagster(open_instance)),
        Probe("kdp inbox", lambda: kdp_inbox(config)),
        Probe("disk", lambda: disk(config.home)),
        Probe("sentry", lambda: sentry(config)),
        Probe("health", lambda: health(config)),
    ]


def flags(config: Settings) -> Iterator[Finding]:
    """A line for each feature flag."""
    for source in SOURCES:
        name = f"flag ENABLE_{source.upper()}"
        if config.enabled(source):
            yield Finding(name, "ok", "on")
        else:
            yield Finding(name, "off", "Switched off; what arrives meanwhile is kept.", f"ENABLE_{source.upper()}=true")


def keys(config: Settings) -> Iterator[Finding]:
    """The keys that encrypt tokens. Makes none."""
    configured = config.app_secret_keys
    if configured is not None:
        secrets.key_ring(configured.get_secret_value(), config.home)
        yield Finding("secret keys", "ok", "APP_SECRET_KEYS is set")
        return
    path = config.home / secrets.KEY_FILE
    if not path.exists():
        yield Finding("secret keys", "off", "None yet; one is made on first use.", "creator-pipeline keys new")
        return
    secrets.key_ring(None, config.home)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("secret keys", "no", f"{path} can be read by others.", f"chmod 600 {path}")
        return
    yield Finding("secret keys", "ok", f"generated: {path}. Keep a copy, or set APP_SECRET_KEYS.")


def warehouse(config: Settings) -> Iterator[Finding]:
    """Reachable, migrated, and a line for each table. Migrates nothing."""
    house = known_warehouse(config)
    if house is None:
        yield Finding("warehouse", "off", "The SQLite file isn't there yet; it is made on first use.", MIGRATE)
        return
    with translated(house.engine), house.engine.connect() as connection:
        yield Finding("warehouse", "ok", f"{house.engine.dialect.name}, reachable")
        yield _migrations(connection)
        yield from _tables(connection)


def _migrations(connection: Connection) -> Finding:
    found = migrate.current(connection)
    if found == migrate.HEAD:
        return Finding("migrations", "ok", f"at {found}")
    if found is None:
        return Finding("migrations", "no", "The database was never migrated.", MIGRATE)
    hint = MIGRATE if found < migrate.HEAD else "Install the release that made it, or restore a backup."
    return Finding("migrations", "no", f"at {found}, this release wants {migrate.HEAD}", hint)


def _tables(connection: Connection) -> Iterator[Finding]:
    look = inspect(connection)
    there = set(look.get_table_names())
    for table in metadata.sorted_tables:
        name = f"table {table.name}"
        if table.name not in there:
            yield Finding(name, "no", "It is missing.", f"{MIGRATE}; at the newest revision: restore a backup.")
            continue
        columns = {column["name"] for column in look.get_columns(table.name)}
        if lost := sorted({column.name for column in table.columns} - columns):
            yield Finding(name, "no", f"Lost columns: {', '.join(lost)}.", f"{MIGRATE}; else restore a backup.")
            continue
        filled = connection.execute(select(1).select_from(table).limit(1)).first() is not None
        yield Finding(name, "ok", "has rows" if filled else "empty")


def redis(config: Settings) -> Iterator[Finding]:
    """A sign of life of Redis."""
    link = connect(config)
    if link is None:
        text = "Not set: the queue asks the database, caches miss, limits count per process."
        yield Finding("redis", "off", text, "REDIS_URL=rediss://…")
        return
    link.check()
    yield Finding("redis", "ok", link.where)


def dagster(open_instance: Callable[[], dg.DagsterInstance]) -> Iterator[Finding]:
    """Dagster's storage, its daemons' heartbeats, and what is switched on."""
    with open_instance() as instance:
        instance.get_runs_count()
        yield Finding("dagster storage", "ok", type(instance.run_storage).__name__)
        yield daemons(instance)
        yield from workers(instance)
        yield schedules(instance)


def daemons(instance: dg.DagsterInstance) -> Finding:
    """Whether dagster-daemon is alive."""
    beats = instance.get_daemon_heartbeats()
    hint = "dagster dev, or dagster-daemon run (deployment: see docs/deployment.md)"
    if not beats:
        return Finding("dagster daemons", "off", "None has ever run here: nothing starts by itself.", hint)
    now = time.time()
    silent = {
        name: now - beat.timestamp for name, beat in beats.items() if name in instance.get_required_daemon_types()
    }
    late = {name: age for name, age in silent.items() if age > DAEMON_SILENT_SECONDS}
    if late:
        text = ", ".join(f"{name.lower()} for {age / 60:.0f} min" for name, age in sorted(late.items()))
        return Finding("dagster daemons", "no", f"Silent: {text}.", hint)
    if broken := sorted(name.lower() for name, beat in beats.items() if beat.errors and name in silent):
        return Finding("dagster daemons", "no", f"Errors in: {', '.join(broken)}.", "Read the daemon's log.")
    return Finding("dagster daemons", "ok", f"{len(silent)} alive")


def workers(instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Where runs go to Celery workers: which of them answer."""
    ask = getattr(instance.run_launcher, "workers", None)
    if ask is None:
        return
    try:
        names = sorted(ask())
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises
        yield Finding(
            "celery workers", "no", f"The broker can't be asked: {error}", "CELERY_BROKER_URL; is it running?"
        )
        return
    if names:
        yield Finding("celery workers", "ok", ", ".join(names))
    else:
        yield Finding("celery workers", "no", "None answers: no run is begun.", "Start them: docs/scaling.md")


def schedules(instance: dg.DagsterInstance) -> Finding:
    """Schedules and sensors that are off: by a person, or because nobody has switched them on yet."""
    from creator_pipeline.orchestration.schedules import ALL

    known = {state.name: state.is_running for state in instance.all_instigator_state()}
    off = {name for name, running in known.items() if not running}
    off |= {schedule.name for schedule in ALL if schedule.name not in known and not _starts_on(schedule)}
    if off:
        hint = "In the UI under Automation, or: dagster schedule start --start-all -w workspace.yaml"
        return Finding("schedules", "off", f"Stopped: {', '.join(sorted(off))}.", hint)
    return Finding("schedules", "ok", f"{len(known)} schedules and sensors on")


def _starts_on(schedule: dg.ScheduleDefinition) -> bool:
    return schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def kdp_inbox(config: Settings) -> Iterator[Finding]:
    """Readable, and every file in the folder of a profile."""
    yield Finding("kdp inbox", *inbox_checks.inbox_state(config, known_warehouse(config)))


def disk(home: Path) -> Iterator[Finding]:
    """Free space where embedded state and logs lie."""
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / (1 << 30):.1f} GiB free at {place}"
    if free < MIN_FREE_BYTES:
        yield Finding("disk", "no", text, "Free space, or move DAGSTER_HOME to a larger disk.")
    else:
        yield Finding("disk", "ok", text)


def sentry(config: Settings) -> Iterator[Finding]:
    """Whether errors can be reported."""
    if config.sentry_dsn is None:
        yield Finding("sentry", "off", "SENTRY_DSN is not set.")
    elif importlib.util.find_spec("sentry_sdk") is None:
        raise ConfigError(
            "SENTRY_DSN is set, but sentry-sdk is not installed.", hint="pip install 'creator-pipeline[sentry]'"
        )
    else:
        yield Finding("sentry", "ok", "set")


def health(config: Settings) -> Iterator[Finding]:
    """What the sensor pipeline_health has found and nobody has fixed yet."""
    house = known_warehouse(config)
    if house is None:
        yield Finding("health", "off", "Nothing was looked at yet.")
        return
    with translated(house.engine), house.engine.connect() as connection:
        if not inspect(connection).has_table(health_reports.name):
            yield Finding("health", "off", "Nothing was looked at yet.", MIGRATE)
            return
        table = health_reports.c
        open_ones = select(table.id, table.text, table.hint).where(table.resolved_at.is_(None)).order_by(table.since)
        rows = connection.execute(open_ones).all()
    for row in rows:
        # A new field of a platform is news, and nothing that doesn't work.
        state = "unknown" if row.id.startswith(PREFIX) else "no"
        yield Finding(f"health {row.id}", state, row.text, row.hint)
    if not rows:
        yield Finding("health", "ok", "no open problem")


def known_warehouse(config: Settings) -> Warehouse | None:
    """The warehouse where there is one already; looking must not make it."""
    url = config.warehouse_url
    if url.startswith("sqlite") and not Path(make_url(url).database or "").exists():
        return None
    return open_warehouse(url)
