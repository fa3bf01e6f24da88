"""Checks of the installation itself: settings, keys, warehouse, Redis, disk, error reports."""

from __future__ import annotations

import importlib.util
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from creator_pipeline.core import secrets
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import ConfigError, PipelineError
from creator_pipeline.monitoring import platform_checks
from creator_pipeline.platforms import PLATFORMS, declared, declared_views, of_name
from creator_pipeline.platforms.intake import waiting_for
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.runtime.unknown_fields import PREFIX
from creator_pipeline.settings import WHERE_TO_GET, Settings
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import connect_as_is
from creator_pipeline.store.tables import health_reports, metadata, webhook_events

MIN_FREE_BYTES = 1 << 30
MIGRATE = "creator-pipeline migrate"


def checks(config: Settings) -> list[Check]:
    """All of this file, in the order they are shown."""
    return [
        Check("settings", lambda: [Finding("settings", "ok", "the environment can be read")]),
        Check("flags", lambda: flags(config)),
        Check("secret keys", lambda: keys(config)),
        Check("warehouse", lambda: warehouse(config)),
        Check("redis", lambda: redis(config)),
        Check("disk", lambda: disk(config.home)),
        Check("sentry", lambda: sentry(config)),
        Check("health", lambda: health(config)),
    ]


def flags(config: Settings) -> Iterator[Finding]:
    """A line for each feature flag."""
    for source in [*(platform.name for platform in PLATFORMS), "email"]:
        name = f"flag ENABLE_{source.upper()}"
        if config.enabled(source):
            yield Finding(name, "ok", "on")
        else:
            text = f"Switched off; what arrives meanwhile is kept.{_deliveries_kept(config, source)}"
            yield Finding(name, "off", text, f"ENABLE_{source.upper()}=true")
    yield _streams(config)
    yield from _models(config)


def _streams(config: Settings) -> Finding:
    """The declared tables and views that ``STREAMS`` switches on, and names of it that are none."""
    every = [each.asset for each in (*declared(), *declared_views())]
    unknown = [name for name in config.stream_names if name not in {*every, "all"}]
    if unknown:
        hint = f"Of these: all, {', '.join(every)}."
        return Finding("flag STREAMS", "no", f"There is no table {', '.join(unknown)}.", hint)
    off = [name for name in every if not config.stream_on(name)]
    if off:
        return Finding("flag STREAMS", "off", f"Not read: {', '.join(off)}.", "STREAMS=all")
    return Finding("flag STREAMS", "ok", "every declared table is read")


def _models(config: Settings) -> Iterator[Finding]:
    """Whether the dbt models that ``DBT_TARGET`` switches on can be built; nothing while it is not set."""
    if config.dbt_target is None:
        return
    name, needed = "flag DBT_TARGET", "EXPORT_URL" if config.dbt_target == "duckdb" else "DBT_DATABASE_URL"
    if importlib.util.find_spec("dagster_dbt") is None:
        yield Finding(
            name, "no", "The extra dbt is not installed: there are no models.", "pip install 'creator-pipeline[dbt]'"
        )
    elif not config.variable(needed):
        yield Finding(name, "no", f"{needed} is not set: no model can be built.", f"{needed}: {WHERE_TO_GET[needed]}")
    else:
        yield Finding(name, "ok", f"models on {config.dbt_target}")


def _deliveries_kept(config: Settings, source: str) -> str:
    platform = of_name(source)
    if platform is None or platform.webhooks is None:
        return ""
    try:
        with connect_as_is(config.warehouse_url) as connection:
            if connection is None:
                return ""
            asked = select(func.count()).select_from(webhook_events).where(waiting_for([platform.in_ledger]))
            waiting = int(connection.execute(asked).scalar_one())
            return f" {waiting} {'delivery waits' if waiting == 1 else 'deliveries wait'}." if waiting else ""
    except (PipelineError, SQLAlchemyError):
        return ""  # the line of the warehouse tells


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
    with connect_as_is(config.warehouse_url) as connection:
        if connection is None:
            yield Finding("warehouse", "off", "The SQLite file isn't there yet; it is made on first use.", MIGRATE)
            return
        yield Finding("warehouse", "ok", f"{connection.dialect.name}, reachable")
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
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    declared()
    for table in metadata.sorted_tables:
        name = f"table {table.name}"
        if table.name not in there:
            yield Finding(name, "no", "It is missing.", f"{MIGRATE}; at the newest revision: restore a backup.")
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
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
    """Whether errors can be reported.

    Raises:
        ConfigError: SENTRY_DSN is set, and sentry-sdk is not installed.
    """
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
    with connect_as_is(config.warehouse_url) as connection:
        if connection is None or not inspect(connection).has_table(health_reports.name):
            yield Finding("health", "off", "Nothing was looked at yet.", "" if connection is None else MIGRATE)
            return
        table = health_reports.c
        columns = (table.id, table.text, table.hint, table.since, table.profile_id)
        current = migrate.current(connection) == migrate.HEAD
        open_ones = select(*(columns if current else columns[:4]))
        rows = connection.execute(open_ones.where(table.resolved_at.is_(None)).order_by(table.since)).all()
    for row in rows:
        anew = platform_checks.asked_anew(config, row.id) if current else None
        whose = (row.profile_id or "") if current else ""
        if anew is not None and not anew:
            yield Finding(f"health {row.id}", "ok", "over; pipeline_health closes it next time", profile_id=whose)
            continue
        # A new field of a platform is news, and nothing that doesn't work.
        state = "unknown" if row.id.startswith(PREFIX) else "no"
        text, hint = (anew[0].detail, anew[0].hint) if anew else (row.text, row.hint)
        yield Finding(f"health {row.id}", state, f"{text} (since {row.since:%Y-%m-%d %H:%M} UTC)", hint, "", whose)
    if not rows:
        yield Finding("health", "ok", "no open problem")
