"""What the demo shows: profiles connected and loaded, a file uploaded, a webhook received, every figure compared."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click
import httpx
from sqlalchemy import select

from creator_pipeline import settings
from creator_pipeline.platforms import PLATFORMS

if TYPE_CHECKING:
    import dagster as dg

    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.platforms.contract import Platform
    from creator_pipeline.sandbox.stand_in import Account, Demo, StandIn
    from creator_pipeline.store.engine import Warehouse

WORLD_DAYS = 60
WORLD_SEED = 9
"""A world in which no payout is open on any day of the week: what one took of a refund that none lists yet is known
only when the next one lists it (docs/books.md)."""
DAYS = WORLD_DAYS + 2
"""Days that are loaded: the whole invented world, and some empty ones before it."""
SHOWN_PROFILE = "alice"
"""Whose sale and upload are shown."""
WAIT_SECONDS = 90
"""How long the daemon may take for a file or a delivery; its sensors look every few seconds."""


def stand_ins() -> list[tuple[Platform, StandIn]]:
    """The platforms that have a stand-in, with it."""
    return [(platform, platform.stand_in.get()) for platform in PLATFORMS if platform.stand_in]


def environment(sandbox: str, ui: str, gateway: str) -> dict[str, str]:
    """The variables of the demo: the platforms are stand-ins, nothing leaves this machine."""
    variables = {
        "RESEND_API_URL": sandbox,
        "RESEND_API_KEY": "re_sandbox_key",
        "FROM_EMAIL": "pipeline@example.com",
        "OPS_EMAIL": "ops@example.com",
        "PUBLIC_URL": gateway,
        "DAGSTER_URL": ui,
        # The stand-in has no limit of its own, and nobody wants to watch a pace.
        "RESEND_REQUESTS_PER_SECOND": "50",
    }
    for _, stand_in in stand_ins():
        variables |= stand_in.environment(sandbox) if stand_in.environment else {}
    return variables


def prepare() -> None:
    """Make both stores before anything starts: several processes that make one at once disagree about its version."""
    from creator_pipeline.runtime.context import instance, warehouse

    warehouse().ensure_migrated()
    with instance():
        pass


def begin(sandbox: str) -> Demo:
    """What the parts of the demo are told; the sandbox must be running."""
    from creator_pipeline.runtime.context import warehouse
    from creator_pipeline.sandbox.stand_in import Demo

    world = httpx.get(f"{sandbox}/_sandbox/world").json()
    return Demo(settings.load(), warehouse(), sandbox, world, SHOWN_PROFILE, WAIT_SECONDS)


def load(demo: Demo, defs: dg.Definitions) -> list[str]:
    """Connect each profile and backfill it, as ``profiles add`` and ``backfill`` do; returns what failed."""
    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.runtime.context import instance

    profiles: dict[str, list[tuple[Platform, StandIn, Account]]] = {}
    for platform, stand_in in stand_ins():
        for account in stand_in.accounts(demo.world) if stand_in.accounts else ():
            profiles.setdefault(account.profile_id, []).append((platform, stand_in, account))
    window, failures = DayWindow(demo.today - timedelta(days=DAYS - 1), demo.today + timedelta(days=1)), list[str]()
    with instance() as dagster:
        for profile_id, accounts in profiles.items():
            _connect(demo, profile_id, accounts)
            for platform, _, _ in accounts:
                failures += _backfill(defs, demo.warehouse, dagster, platform, profile_id, window)
    for line in failures:
        click.echo(line, err=True)
    return failures


def _connect(demo: Demo, profile_id: str, accounts: list[tuple[Platform, StandIn, Account]]) -> None:
    from creator_pipeline.runtime.context import key_ring
    from creator_pipeline.store import profiles

    ring, timezones = key_ring(), [account.timezone for _, _, account in accounts if account.timezone]
    with demo.warehouse.write() as connection:
        timezone = timezones[0] if timezones else "UTC"
        profiles.add_profile(connection, profile_id, f"{profile_id}@example.com", timezone=timezone)
        for platform, _, account in accounts:
            profiles.connect(
                connection,
                ring,
                platform.in_ledger,
                profile_id,
                account.token,
                external_account_id=account.account_id,
            )
    for _, stand_in, _ in accounts:
        if stand_in.register:
            stand_in.register(demo, profile_id)


def _backfill(
    defs: dg.Definitions,
    warehouse: Warehouse,
    dagster: dg.DagsterInstance,
    platform: Platform,
    profile_id: str,
    window: DayWindow,
) -> list[str]:
    from creator_pipeline.orchestration import backfill
    from creator_pipeline.runtime.run_here import run_here
    from creator_pipeline.runtime.tags import TRIGGER_TAG, account_tags

    dagster.add_dynamic_partitions(platform.partitions_name, [profile_id])
    tags = {**account_tags(platform.name, profile_id), TRIGGER_TAG: "backfill"}
    snapshot = backfill.parts_of(platform.name)[1].snapshot
    failures = run_here(defs, dagster, snapshot, tags, partition_key=profile_id)
    todo = backfill.plan(warehouse, dagster, platform.name, profile_id, window)
    with click.progressbar(length=len(todo.days), label=f"{profile_id:8} {platform.name:8}", file=sys.stderr) as bar:
        return failures + backfill.execute(defs, warehouse, dagster, todo, allow_shrink=False, on_progress=bar.update)


def page_of(demo: Demo) -> str:
    """The link to a creator's own page, as a mail has it."""
    from creator_pipeline.mail import page_link
    from creator_pipeline.store import profiles

    return page_link.url(demo.config, SHOWN_PROFILE, profiles.get_profile(demo.warehouse, SHOWN_PROFILE)["email"])


def upload(demo: Demo) -> None:
    """Put an invented file of each platform that takes uploads into the inbox."""
    for _, stand_in in stand_ins():
        if stand_in.upload:
            stand_in.upload(demo)


def webhooks(demo: Demo) -> bool:
    """Sell something on each platform that sends webhooks; whether every sale came into the ledger in time."""
    arrived = True
    for _, stand_in in stand_ins():
        if stand_in.sell:
            arrived = _sale_arrives(demo, stand_in.webhook_name, stand_in.sell(demo)) and arrived
    return arrived


def _sale_arrives(demo: Demo, webhook_name: str, external_id: str) -> bool:
    from creator_pipeline.store.tables import sales_events

    begun = time.monotonic()
    wanted = select(sales_events.c.id).where(sales_events.c.external_id == external_id)
    while time.monotonic() - begun < demo.seconds:
        with demo.warehouse.read() as connection:
            if connection.execute(wanted).first():
                seconds = time.monotonic() - begun
                click.echo(f"\nA sale's {webhook_name} was in the ledger {seconds:.0f} s after it was sold.")
                return True
        time.sleep(0.2)
    click.echo(f"\nA sale's {webhook_name} was not in the ledger within {demo.seconds} s.", err=True)
    return False


def compare(demo: Demo) -> bool:
    """Show every platform's figures beside the truth; whether all of them are equal."""
    agrees = True
    for _, stand_in in stand_ins():
        for line, differences in stand_in.compare(demo):
            click.echo(line)
            for difference in differences[:5]:
                click.echo(f"    {difference}", err=True)
            agrees = agrees and not differences
    return agrees
