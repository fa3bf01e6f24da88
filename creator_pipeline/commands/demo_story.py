"""What the demo shows: three sellers loaded, a report dropped, a webhook received, every figure compared."""

from __future__ import annotations

import secrets
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import httpx
from sqlalchemy import func, select

from creator_pipeline import settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.platforms.kdp.sandbox.reports import InventedReport
    from creator_pipeline.store.engine import Warehouse

WORLD_DAYS = 60
DAYS = WORLD_DAYS + 2
"""Days that are loaded: the whole invented world, and some empty ones before it."""
REPORT_OF = "alice"
REPORT_SECONDS = 90
"""How long the daemon may take for the report or a delivery; its sensors look every few seconds."""


def environment(sandbox: str, ui: str, gateway: str) -> dict[str, str]:
    """The variables of the demo: the platforms are stand-ins, nothing leaves this machine."""
    return {
        "GUMROAD_API_URL": sandbox,
        "GUMROAD_WEBHOOK_SECRET": secrets.token_urlsafe(24),
        "WHOP_API_URL": f"{sandbox}/api/v1",
        "WHOP_WEBHOOK_SECRET": f"ws_{secrets.token_urlsafe(24)}",
        "RESEND_API_URL": sandbox,
        "RESEND_API_KEY": "re_sandbox_key",
        "FROM_EMAIL": "pipeline@example.com",
        "OPS_EMAIL": "ops@example.com",
        "PUBLIC_URL": gateway,
        "DAGSTER_URL": ui,
        # The stand-ins have no limit of their own, and nobody wants to watch a pace.
        "GUMROAD_REQUESTS_PER_MINUTE": "60000",
        "WHOP_REQUESTS_PER_MINUTE": "60000",
        "RESEND_REQUESTS_PER_SECOND": "50",
    }


def prepare() -> None:
    """Make both stores before anything starts: several processes that make one at once disagree about its version."""
    from creator_pipeline.runtime.context import instance, warehouse

    warehouse().ensure_migrated()
    with instance():
        pass


def load(world: dict[str, Any]) -> list[str]:
    """Connect each profile, register its pings, backfill it: as ``profiles add`` and ``backfill`` do."""
    from creator_pipeline.core.windows import DayWindow
    from creator_pipeline.platforms.gumroad.access import gumroad_client
    from creator_pipeline.platforms.gumroad.subscriptions import register
    from creator_pipeline.runtime.context import instance, key_ring, warehouse
    from creator_pipeline.store import profiles

    house, ring, failures, config = warehouse(), key_ring(), list[str](), settings.load()
    last = date.fromisoformat(world["today"])
    window = DayWindow(last - timedelta(days=DAYS - 1), last + timedelta(days=1))
    with instance() as dagster:
        for profile_id, seller in world["gumroad"].items():
            account = world["whop"].get(profile_id)
            with house.write() as connection:
                profiles.add_profile(connection, profile_id, seller["email"], timezone=seller["timezone"])
                profiles.connect(
                    connection, ring, "gumroad", profile_id, seller["token"], external_account_id=seller["seller_id"]
                )
                if account:
                    profiles.connect(
                        connection, ring, "whop", profile_id, account["key"], external_account_id=account["account_id"]
                    )
            with gumroad_client(config, house, profile_id) as client:
                register(client, config.public_url, config.require("GUMROAD_WEBHOOK_SECRET"), profile_id)
            failures += _backfill(house, dagster, "gumroad", profile_id, window)
            failures += _backfill(house, dagster, "whop", profile_id, window) if account else []
    for line in failures:
        click.echo(line, err=True)
    return failures


def _backfill(house: Warehouse, dagster: DagsterInstance, source: str, profile_id: str, window: DayWindow) -> list[str]:
    from creator_pipeline.orchestration import backfill

    dagster.add_dynamic_partitions(backfill.DYNAMIC[source], [profile_id])
    failures = backfill.snapshot(dagster, source, profile_id)
    todo = backfill.plan(house, dagster, source, profile_id, window)
    with click.progressbar(length=len(todo.days), label=f"{profile_id:8} {source:8}", file=sys.stderr) as bar:
        return failures + backfill.execute(house, dagster, todo, allow_shrink=False, on_progress=bar.update)


def page_of(world: dict[str, Any]) -> str:
    """The link to a seller's own page, as a mail has it."""
    from creator_pipeline.mail import page_link

    return page_link.url(settings.load(), REPORT_OF, world["gumroad"][REPORT_OF]["email"])


def webhook(sandbox: str) -> bool:
    """Sell something, and wait until the gateway, a run and the API have put it into the ledger."""
    from creator_pipeline.runtime.context import warehouse
    from creator_pipeline.store.tables import sales_events

    house = warehouse()
    begun = time.monotonic()
    sale = httpx.post(f"{sandbox}/_sandbox/gumroad/{REPORT_OF}/sales", json={"pings": True, "price": 4900}).json()
    wanted = select(sales_events.c.id).where(sales_events.c.external_id == sale["id"])
    while time.monotonic() - begun < REPORT_SECONDS:
        with house.read() as connection:
            if connection.execute(wanted).first():
                click.echo(f"\nA sale's ping was in the ledger {time.monotonic() - begun:.0f} s after it was sold.")
                return True
        time.sleep(0.2)
    click.echo(f"\nA sale's ping was not in the ledger within {REPORT_SECONDS} s.", err=True)
    return False


def compare(sandbox: str, world: dict[str, Any]) -> bool:
    """Every profile's days beside the platforms' own totals; says so, and whether all of them are equal."""
    from creator_pipeline.runtime.context import warehouse
    from creator_pipeline.sandbox.compare import DayFigures, differences, ledger_days

    house, wrong = warehouse(), 0
    click.echo(f"\n{'profile':9}{'days':>6}{'sales':>7}{'gross':>12}{'refunded':>11}{'fees':>10}  against the platform")
    for profile_id in world["gumroad"]:
        totals = httpx.get(f"{sandbox}/_sandbox/totals/{profile_id}").json()
        truth = {date.fromisoformat(day): tuple(figures.values()) for day, figures in totals.items()}
        off = differences(house, profile_id, truth)
        days = ledger_days(house, profile_id)
        total = DayFigures(*(sum(column) for column in zip(*days.values(), strict=True))) if days else DayFigures()
        click.echo(
            f"{profile_id:9}{len(days):6}{total.sales:7}{total.gross_cents / 100:12.2f}"
            f"{total.refunded_cents / 100:11.2f}{total.fee_cents / 100:10.2f}  "
            + ("equal on every day, to the cent" if not off else f"{len(off)} days differ")
        )
        for day, here, there in off[:5]:
            click.echo(f"    {day}: ledger {here}, platform {there}", err=True)
        wrong += len(off)
    for profile_id in world["whop"]:
        wrong += _compare_whop(sandbox, house, profile_id)
    return not wrong


def _compare_whop(sandbox: str, house: Warehouse, profile_id: str) -> int:
    from creator_pipeline.core.money import to_text
    from creator_pipeline.sandbox.compare import whop_differences, whop_truth
    from creator_pipeline.store.tables import sales_events

    truth = whop_truth(httpx.get(f"{sandbox}/_sandbox/whop/{profile_id}/totals").json())
    off, events = whop_differences(house, profile_id, truth), sales_events.c
    with house.read() as connection:
        rows = connection.execute(
            select(events.currency, func.sum(events.net_micros))
            .where(events.profile_id == profile_id, events.platform == "whop")
            .group_by(events.currency)
            .order_by(events.currency)
        ).all()
    net = ", ".join(f"{to_text(int(micros), currency)} {currency}" for currency, micros in rows)
    said = "equal on every day and in every currency" if not off else f"{len(off)} days differ"
    click.echo(f"{profile_id:9}Whop, net: {net}  {said}")
    return len(off)


def drop_report(today: date) -> InventedReport:
    """Put a report into the inbox, as an upload does: written beside it, then renamed in."""
    from creator_pipeline.platforms.kdp.sandbox.reports import prior_month

    report, inbox = prior_month(7, today), Path(settings.load().inbox)
    folder = inbox / REPORT_OF
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{report.name}.part"
    part.write_bytes(report.content)
    part.rename(folder / report.name)
    return report


def compare_report(report: InventedReport) -> bool:
    """Wait until the daemon has taken the report, and compare the ledger with it."""
    from creator_pipeline.core.money import to_text
    from creator_pipeline.platforms.kdp.sandbox.reports import ledger_totals
    from creator_pipeline.runtime.context import warehouse

    house, deadline = warehouse(), time.monotonic() + REPORT_SECONDS
    while (here := ledger_totals(house, REPORT_OF, report.month)) != report.totals and time.monotonic() < deadline:
        time.sleep(0.5)
    click.echo(
        f"\n{'profile':9}{'month':9}{'units':>7}{'KENP pages':>12}  Amazon KDP, from the inbox, against the report"
    )
    for currency, micros in sorted(here.micros.items()) or [("", 0)]:
        equal = report.totals.micros.get(currency) == micros and here[:2] == report.totals[:2]
        click.echo(
            f"{REPORT_OF:9}{report.month:%Y-%m}  {here.units:7}{here.pages:12}"
            f"{to_text(micros, currency):>12} {currency:3}  {'equal to the report' if equal else 'differs'}"
        )
    return here == report.totals
