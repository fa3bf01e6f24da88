"""A small installation to run Whop's assets in: a sandbox of three accounts on five days, and a Dagster instance."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import text

from creator_pipeline.core.windows import DayWindow, partition_key, today
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.whop.jobs import CHANGES
from creator_pipeline.platforms.whop.sandbox.compare import differences as whop_differences
from creator_pipeline.runtime.tags import RANGE_END, RANGE_START
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles as profiles_table
from creator_pipeline.store.tables import sales_events, whop_payments, whop_subscriptions
from creator_pipeline_tests.support.installation import QUIET
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.tables import rows

NAMES = ("alice", "bea", "chen")
DAYS = 5
WINDOW = DayWindow(today() - timedelta(days=DAYS - 1), today() + timedelta(days=1))
TABLES = (whop_subscriptions, whop_payments, sales_events, profiles_table)


@contextmanager
def sandbox() -> Iterator[SandboxServer]:
    """Three Whop accounts; Gumroad's sellers are only there because a world has some."""
    with SandboxServer(World.invented(7, today=today(), sizes={"alice": 1}, days=DAYS)) as server:
        yield server


@contextmanager
def new_instance() -> Iterator[dg.DagsterInstance]:
    """In memory, with the profiles' partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("whop_profiles", list(NAMES))
            yield instance


def connect_all(warehouse: Warehouse, ring, server: SandboxServer) -> None:
    """A profile and a connection for each account, and a person who only buys."""
    with warehouse.write() as connection:
        for account in server.world.whop.values():
            name = account.profile
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "whop", name, account.key, external_account_id=account.id)
        profiles.add_profile(connection, "fan", "Fan@example.com")


def range_of(first: str = "alice", last: str = "chen", window: DayWindow = WINDOW) -> dict[str, str]:
    """Tags of one run over a range of days and of profiles."""
    end = window.end - timedelta(days=1)
    return {RANGE_START: partition_key(window.start, first), RANGE_END: partition_key(end, last)}


def run(instance: dg.DagsterInstance, job: str, tags: dict[str, str] | None = None, **over: Any) -> Any:
    """One run of a job in this process."""
    config = {**QUIET, **over.pop("run_config", {})}
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, tags=tags or {}, raise_on_error=False, run_config=config, **over
    )


def scan(instance: dg.DagsterInstance, profile_id: str = "alice") -> Any:
    """All memberships of a profile's account."""
    return run(instance, "whop_memberships_scan", partition_key=profile_id)


def changes(instance: dg.DagsterInstance, profile_id: str = "alice") -> Any:
    """The nightly look for what changed."""
    return run(instance, "whop_changes", run_config=CHANGES.config(profile_id))


def wrong(warehouse: Warehouse, server: SandboxServer, *names: str) -> list[object]:
    """Days and currencies in which the ledger isn't what the platform says."""
    part = server.world.whop
    return [(name, *off) for name in names or NAMES for off in whop_differences(warehouse, name, part.totals(name))]


def digests(warehouse: Warehouse, *, stamps: bool = False) -> dict[str, str]:
    """A hash of each of Whop's tables. With ``stamps``, one that a row written again would change."""
    return {
        table.name: hashlib.sha256(repr(rows(warehouse, table, stamps=stamps)).encode()).hexdigest() for table in TABLES
    }


def ask(warehouse: Warehouse, query: str) -> list[Any]:
    """What a query answers, as it stands."""
    with warehouse.read() as connection:
        return list(connection.execute(text(query)).mappings())


def checks_of(instance: dg.DagsterInstance) -> dict[str, bool]:
    """The last evaluation of each check."""
    found: dict[str, bool] = {}
    for spec in defs.resolve_all_asset_specs():
        graph = defs.resolve_asset_graph()
        for key in graph.asset_check_keys:
            if key.asset_key == spec.key:
                records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
                for record in records:
                    event = record.event and record.event.dagster_event
                    if event and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                        found[key.name] = event.asset_check_evaluation_data.passed
    return found


def subscriptions(warehouse) -> list:
    """The seed's query about a person's memberships, as it stands."""
    return ask(warehouse, "SELECT * FROM whop_subscriptions WHERE profile_id = 'fan'")
