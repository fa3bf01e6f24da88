"""What doctor, health and smoke ask of Gumroad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, func, select

from creator_pipeline.core.caller import Caller
from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.core.errors import AuthError, TransientError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import days_up_to, today
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.gumroad import PLATFORM, drift, oauth
from creator_pipeline.platforms.gumroad.access import SOURCE, gumroad_client
from creator_pipeline.platforms.gumroad.answers import NoScopeError, classify, optional
from creator_pipeline.platforms.gumroad.catalog import PAYOUTS_SCOPE, RESOURCES
from creator_pipeline.platforms.gumroad.ping_checks import missing_pings, reachable
from creator_pipeline.platforms.gumroad.unreadable import GOES_ON, OLD_SERVER, refusal
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.refused_tokens import note_refusal
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected, get_connection
from creator_pipeline.store.tables import gumroad_sales
from creator_pipeline.store.token_keys import installation_ring

DAYS = 90
"""Days of the ledger that are compared with Gumroad's totals after a deployment."""
PINGS = "pings/"
"""Names of the daily checks begin with it."""
REGISTER = "creator-pipeline profiles webhooks {profile_id} --register"
SETTLED = timedelta(days=2)
"""Younger days are left out: what was sold a minute ago is at the platform before it is here."""


def setup(config: Settings) -> Sequence[Check]:
    """What is set up once for the installation."""
    return [Check("gumroad app", lambda: _app(config))]


def _app(config: Settings) -> Iterator[Finding]:
    """The OAuth application, where any of its variables is set."""
    if not any((config.gumroad_client_id, config.gumroad_client_secret, config.gumroad_redirect_uri)):
        yield Finding("gumroad app", "off", "No OAuth application: sellers connect by a token of their own.")
        return
    app = oauth.oauth_app(config)
    wanted = f"{config.public_url}{oauth.CALLBACK_PATH}"
    if app.redirect_uri != wanted:
        text = f"GUMROAD_REDIRECT_URI is {app.redirect_uri}; the gateway listens at {wanted}."
        yield Finding("gumroad app", "no", text, "Set both to one address, here and at Gumroad.")
        return
    yield Finding("gumroad app", "ok", "set")


def account(config: Settings, account: Account, token: str) -> Iterator[Finding]:
    """Reachable, scopes, clock, and a resource subscription for each event."""
    name = f"gumroad {account.profile_id}"
    with Caller(config.gumroad_api_url, token, classify) as caller:
        caller.get("/v2/user")
        yield Finding(f"{name} api", "ok", f"{caller.host} answers")
        day = today()
        caller.get("/v2/sales", {"after": day.isoformat(), "before": (day + timedelta(days=1)).isoformat()})
        yield Finding(f"{name} scopes", "ok", "sales can be read")
        yield _payouts(caller, name, account.profile_id)
        yield caller.clock(f"{name} clock")
        if config.gumroad_webhook_secret is None:
            text = "GUMROAD_WEBHOOK_SECRET is not set: sales come with the nightly run."
            yield Finding(f"{name} webhooks", "off", text, "See docs/gumroad.md, Webhooks.")
            return
        missing = missing_pings(caller, config, account.profile_id)
        if len(missing) == len(RESOURCES) and not reachable(config):
            text = f"PUBLIC_URL is {config.public_url}, which Gumroad can't reach: sales come with the nightly run."
            yield Finding(f"{name} webhooks", "off", text, "See docs/gumroad.md, Webhooks.")
        elif missing:
            text = f"No ping is registered for {', '.join(missing)}."
            yield Finding(f"{name} webhooks", "no", text, REGISTER.format(profile_id=account.profile_id))
        else:
            yield Finding(f"{name} webhooks", "ok", "every event is registered")


def _payouts(caller: Caller, name: str, profile_id: str) -> Finding:
    """Whether payouts can be read. Without them the sales go on, so nothing is broken."""
    try:
        known = optional(lambda: caller.get("/v2/payouts", {"include_upcoming": "false"}))
    except AuthError as error:
        if error.revoked:
            raise
        found = refusal(
            profile_id, "payouts", NoScopeError(f"The token lacks the scope {PAYOUTS_SCOPE}.", PAYOUTS_SCOPE)
        )
        return Finding(f"{name} payouts", "off", found.detail, found.hint)
    if known is None:
        return Finding(f"{name} payouts", "off", f"{OLD_SERVER} {GOES_ON}")
    return Finding(f"{name} payouts", "ok", "payouts can be read")


def daily(warehouse: Warehouse, config: Settings, profile_id: str) -> Check | None:
    """The check whether Gumroad sends pings for a profile; None where no pings are wanted. Takes eight requests."""
    if not config.enable_gumroad or config.gumroad_webhook_secret is None or not reachable(config):
        return None
    return Check(f"{PINGS}{profile_id}", lambda: _pings(warehouse, config, profile_id))


def _pings(warehouse: Warehouse, config: Settings, profile_id: str) -> Iterator[Finding]:
    """Events of a profile's account that Gumroad doesn't tell us of."""
    try:
        token = get_connection(warehouse, installation_ring(config), PLATFORM.in_ledger, profile_id).access_token
        with Caller(config.gumroad_api_url, token, classify) as caller:
            missing = missing_pings(caller, config, profile_id)
    except (AuthError, TransientError) as error:
        # A refused token is told as the connection's; an outage says nothing about pings.
        note_refusal(warehouse, SOURCE, profile_id, error)
        raise NothingKnown from error
    if missing:
        yield Finding(
            f"{PINGS}{profile_id}",
            "no",
            f"Gumroad sends no ping of {profile_id}'s account for {', '.join(missing)}.",
            REGISTER.format(profile_id=profile_id),
            "The Gumroad pings",
            profile_id,
        )


def smoke(warehouse: Warehouse, config: Settings) -> Sequence[Check]:
    """The ledger of each connected profile beside Gumroad's totals."""

    def check(profile_id: str) -> Check:
        return Check(f"data: gumroad {profile_id}", lambda: _agrees(config, warehouse, profile_id))

    return [check(name) for name in connected(warehouse, PLATFORM.in_ledger)] if config.enable_gumroad else []


def _agrees(config: Settings, warehouse: Warehouse, profile_id: str) -> Iterator[Finding]:
    """Gumroad's own totals, asked now, beside the ledger. One request."""
    name, last = f"data: gumroad {profile_id}", today() - SETTLED
    oldest = select(func.min(gumroad_sales.c.local_day)).where(gumroad_sales.c.profile_id == profile_id)
    with warehouse.read() as connection:
        begun = connection.execute(oldest).scalar()
    if begun is None or begun >= last:
        begin = config.pipeline_start_date
        hint = f"creator-pipeline backfill gumroad --profile {profile_id} --from {begin} --to {today()}"
        yield Finding(name, "off", "No day is loaded yet.", hint)
        return
    # The first loaded day may be half a day of the seller's.
    first = max(last - timedelta(days=DAYS - 1), begun + timedelta(days=1))
    with gumroad_client(config, warehouse, profile_id) as client:
        totals = client.summary(first, last)
    if totals is None:
        yield Finding(name, "unknown", "This Gumroad has no totals to compare with.")
        return
    differing = drift.differing(totals, drift.ledger_totals(warehouse, profile_id, first, last))
    off = [found for found, why, _ in drift.explained(warehouse, profile_id, differing) if why is None]
    if not off:
        odd = f"; {number(len(totals.odd), 'day')} can't be read" if totals.odd else ""
        yield Finding(name, "ok", f"{number(len(totals), 'day')} with sales, {first} to {last}, equal to the cent{odd}")
        return
    hint = f"creator-pipeline backfill gumroad --profile {profile_id} --from {off[0].day} --to {off[-1].day}"
    yield Finding(
        name,
        "no",
        f"{number(len(off), 'day differs', 'days differ')}; the first: {off[0].describe()}",
        hint,
    )


def days_named(connection: Connection, job: Job) -> list[date] | None:
    """Days of the sales that a ping named; of one that isn't stored, those on which it can have been made.

    Args:
        connection: to the warehouse.
        job: of a ping.
    """
    named = {*job.payload.get("sale_ids", ()), *job.payload.get("purchase_ids", ())}
    if job.payload.get("subscription_id") and not named:
        return None
    sales = gumroad_sales.c
    asked = select(sales.id, sales.partition_day).where(sales.profile_id == job.profile_id, sales.id.in_(named))
    days = {row.id: row.partition_day for row in connection.execute(asked)}
    return sorted({*days.values(), *([] if named and days.keys() == named else days_up_to(job.created_at))})


CHECKS = Checks(setup=setup, account=account, daily=daily, daily_prefix=PINGS, smoke=smoke, days_named=days_named)
