"""What doctor and smoke ask of Whop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import orjson
from sqlalchemy import Connection, and_, func, select, tuple_

from creator_pipeline.core.caller import Caller
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import AuthError, RejectedError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import days_up_to
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.platforms.whop import PLATFORM, catalog, money_catalog
from creator_pipeline.platforms.whop.access import account_id_of
from creator_pipeline.platforms.whop.answers import NotFoundError, classify, next_cursor, refuse_other_dialect, rows
from creator_pipeline.platforms.whop.webhook import secrets
from creator_pipeline.queue.jobs import Job
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events, whop_payments


def setup(config: Settings) -> Sequence[Check]:
    """What is set up once for the installation."""
    return [Check("whop webhooks", lambda: _secret(config))]


def _secret(config: Settings) -> Iterator[Finding]:
    """The secret that Whop signs with."""
    name, known = "whop webhooks", secrets(config)
    if not known:
        text = "WHOP_WEBHOOK_SECRET is not set: memberships come with the nightly run."
        yield Finding(name, "off", text, "See docs/whop.md, Webhooks.")
    elif not all(secret.startswith("ws_") for secret in known):
        yield Finding(
            name,
            "no",
            "A secret in WHOP_WEBHOOK_SECRET doesn't begin with ws_.",
            "Copy it whole from Developer, Webhooks.",
        )
    else:
        yield Finding(name, "ok", "the secret is set" if len(known) == 1 else f"{number(len(known), 'secret')} are set")


def account(config: Settings, account: Account, token: str) -> Iterator[Finding]:
    """Reachable, a permission for each list that is read, clock, and the webhook where the key may see it."""
    name, headers = f"whop {account.profile_id}", {"Api-Version-Date": catalog.API_VERSION_DATE}
    account_id = account_id_of(config, account.external_account_id, token)
    asked = {"first": "1", **({"account_id": account_id} if account_id else {})}
    with Caller(config.whop_api_url, token, classify, headers) as caller:
        lacking: list[str] = []
        absent: list[str] = []
        for operation, path in catalog.OPERATIONS.items():
            try:
                body = caller.get(path, asked)
                for row in rows(path, body):
                    refuse_other_dialect(path, row)
                next_cursor(path, body)
            except AuthError as error:
                if error.revoked:
                    raise
                lacking.append(f"{operation} ({catalog.PERMISSIONS[operation]})")
            except NotFoundError:
                absent.append(f"{operation} (GET {path})")
        yield Finding(f"{name} api", "ok", f"{caller.host} answers")
        if absent:
            text = f"The server at {caller.host} has no list {', '.join(absent)}."
            hint = f"Is WHOP_API_URL a server of version {catalog.API_VERSION_DATE} of the API?"
            yield Finding(f"{name} lists", "no", text, hint)
        if lacking:
            text, hint = f"The key may not read {', '.join(lacking)}.", "Give the key these under Developer, API keys."
            yield Finding(f"{name} scopes", "no", text, hint)
        elif not absent:
            yield Finding(f"{name} scopes", "ok", "every list can be read")
        yield from _money(caller, name, account_id)
        yield caller.clock(f"{name} clock")
        yield _webhook(config, caller, f"{name} webhook")


def _money(caller: Caller, name: str, account_id: str | None) -> Iterator[Finding]:
    """Which tables of the books can be read. Without them payments go on, with estimated fees."""
    if account_id is None:
        text = "The account's id isn't known, so its money may not be found."
        yield Finding(f"{name} books", "unknown", text, "Set WHOP_ACCOUNT_ID, or connect the profile with its account.")
        return
    today = datetime.now(UTC).date()
    asked: dict[str, dict[str, str]] = {
        "financial_activity": {"account_id": account_id, "balance_type": "total", "limit": "1"},
        "ledger_accounts": {},
        "financial_reports": {
            "account_id": account_id,
            "report_type": "balance_activity",
            "currency": "usd",
            "from": f"{today - timedelta(days=1)}T00:00:00Z",
            "to": f"{today}T00:00:00Z",
        },
        "payouts": {"account_id": account_id, "first": "1"},
    }
    readable = True
    for part, params in asked.items():
        path = money_catalog.OPERATIONS[part] + (f"/{account_id}" if part == "ledger_accounts" else "")
        try:
            caller.get(path, params)
        except AuthError as error:
            if error.revoked:
                raise
            state, text = "no", f"The key may not read {part}."
            hint = f"Give the key {money_catalog.PERMISSIONS[part]} under Developer, API keys."
        except NotFoundError:
            state, text = "off", f"The server doesn't know {path}."
            hint = "Nothing, where the server is an old one; else check the account's id (biz_…)."
        except RejectedError as error:
            state, text, hint = "no", f"{part} can't be read: {error.message}", "Update this package."
        else:
            continue
        readable = False
        yield Finding(f"{name} {part}", state, f"{text} Fees are estimated, and payouts not explained.", hint)
    if readable:
        yield Finding(f"{name} books", "ok", "feed, balance, reports and payouts can be read")


def _webhook(config: Settings, caller: Caller, name: str) -> Finding:
    wanted = f"{config.public_url}/webhooks/whop"
    try:
        body = cast("Mapping[str, Any]", caller.get("/webhooks"))
    except (AuthError, RejectedError):
        text = "This key may not see webhooks (developer:manage_webhook)."
        return Finding(name, "unknown", text, f"Look under Developer, Webhooks, for {wanted}.")
    hooks = [hook for hook in cast("list[dict[str, Any]]", body.get("data") or []) if hook.get("url") == wanted]
    if not hooks:
        return Finding(
            name, "no", f"No webhook points to {wanted}.", "Make one under Developer, Webhooks; see docs/whop.md."
        )
    return Finding(name, "ok", wanted)


def smoke(warehouse: Warehouse, _config: Settings) -> Sequence[Check]:
    """Payments beside the ledger."""
    return [Check("data: whop", lambda: _agrees(warehouse))]


def _agrees(warehouse: Warehouse) -> Iterator[Finding]:
    """Whether what buyers paid at Whop is what the ledger says they paid."""
    paid, events = whop_payments.c, sales_events.c
    sales = and_(events.platform == PLATFORM.in_ledger, events.event_type == "sale", events.gross_micros != 0)
    # What rests on the money feed is checked by the books.
    settled = select(events.external_id).where(sales, events.fee_exact)
    read = (
        select(paid.currency, func.sum(paid.total_micros))
        .where(paid.status == "paid", paid.paid_at.is_not(None), paid.total_micros != 0, paid.id.not_in(settled))
        .group_by(paid.currency)
    )
    booked = (
        select(events.currency, func.sum(events.gross_micros))
        .where(sales, events.fee_exact.is_(False))
        .group_by(events.currency)
    )
    with warehouse.read() as connection:
        sides = [{row[0]: int(row[1]) for row in connection.execute(side)} for side in (read, booked)]
    if sides[0] == sides[1]:
        yield Finding(
            "data: whop", "ok", f"payments and ledger are equal in {number(len(sides[0]), 'currency', 'currencies')}"
        )
    else:
        yield Finding("data: whop", "no", "Payments and ledger differ.", "Materialize sales_events/whop.")


def gave_more(connection: Connection, sales: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the sales whose refunded amount, as Whop tells it, is the sum of their refunds.

    Args:
        connection: to the warehouse.
        sales: profile and payment of sales that gave back more than they brought: a refund is converted at the rate of
            its own day.
    """
    paid = whop_payments.c
    found = connection.execute(
        select(paid.profile_id, paid.id, paid.refunded_micros, paid.refunds).where(
            tuple_(paid.profile_id, paid.id).in_(list(sales))
        )
    )
    return frozenset(
        (profile_id, key)
        for profile_id, key, told, refunds in found
        if told == sum(entry["micros"] for entry in orjson.loads(refunds))
    )


def days_named(connection: Connection, job: Job) -> list[date] | None:
    """Days of the payments that a delivery named; None where it named something else.

    Args:
        connection: to the warehouse.
        job: of a delivery.
    """
    if job.payload.get("kind") != "payment":
        return None
    named, paid = set(job.payload.get("ids", ())), whop_payments.c
    asked = select(paid.id, paid.partition_day).where(paid.profile_id == job.profile_id, paid.id.in_(named))
    days = {row.id: row.partition_day for row in connection.execute(asked)}
    return sorted({*days.values(), *([] if days.keys() == named else days_up_to(job.created_at))})


CHECKS = Checks(setup=setup, account=account, smoke=smoke, gave_more=gave_more, days_named=days_named)
