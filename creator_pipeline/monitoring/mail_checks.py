"""Checks of mail: Resend's key and domain, the secrets of what is sent to us, mails that don't arrive."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any, cast

from sqlalchemy import func, select

from creator_pipeline.core.caller import Caller
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import AuthError, PipelineError, RejectedError
from creator_pipeline.core.http import Answer
from creator_pipeline.mail import outbox
from creator_pipeline.mail.delivery import delivery_rates
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_suppressions, profiles

WAITED_MINUTES = 10
"""A mail that is due for so long is stuck."""


def setup(config: Settings) -> list[Check]:
    """What is set up once: lines of the doctor."""
    return [
        Check("resend", lambda: resend(config)),
        Check("resend webhooks", lambda: signing_secret("resend webhooks", "RESEND_WEBHOOK_SECRET", config)),
        Check("auth hook", lambda: signing_secret("auth hook", "SUPABASE_HOOK_SECRET", config)),
    ]


def signing_secret(name: str, variable: str, config: Settings) -> Iterator[Finding]:
    """A signing secret of a webhook: set, and of the form its sender gives."""
    value = getattr(config, variable.lower())
    prefix = "v1,whsec_" if variable == "SUPABASE_HOOK_SECRET" else "whsec_"
    if value is None:
        yield Finding(name, "off", f"{variable} is not set: the gateway refuses these calls.")
    elif not value.get_secret_value().startswith(prefix):
        yield Finding(name, "no", f"{variable} doesn't begin with {prefix}", "Copy it whole from its sender's page.")
    else:
        yield Finding(name, "ok", "the secret is set")


def resend(config: Settings) -> Iterator[Finding]:
    """The key, and whether the sender's domain is verified."""
    if not config.enable_email:
        yield Finding("resend", "off", "ENABLE_EMAIL is off: mails are kept and not sent.")
        return
    if config.resend_api_key is None:
        yield Finding("resend", "off", "RESEND_API_KEY is not set: mails are rendered and held.")
        return
    domain = parseaddr(config.require("FROM_EMAIL"))[1].rpartition("@")[2].lower()
    with Caller(config.resend_api_url, config.require("RESEND_API_KEY"), classify_resend) as caller:
        try:
            body = caller.get("/domains")
        except RestrictedKeyError:
            yield Finding("resend", "ok", f"{caller.host} answers")
            text = "The key may only send, so the domain can't be looked up."
            yield Finding("resend domain", "unknown", text, f"Look at Resend, Domains, for {domain}.")
            yield caller.clock("resend clock")
            return
    yield Finding("resend", "ok", f"{caller.host} answers")
    rows = cast("list[dict[str, Any]]", body.get("data") or [])
    status = next((str(row.get("status")) for row in rows if str(row.get("name")).lower() == domain), None)
    if status == "verified":
        yield Finding("resend domain", "ok", f"{domain} is verified")
    else:
        said = f"is {status}" if status else "is not in this account"
        yield Finding("resend domain", "no", f"{domain} {said}.", "Resend, Domains: add its DNS records and verify it.")
    yield caller.clock("resend clock")


class RestrictedKeyError(RejectedError):
    """The key may send and nothing else."""


def classify_resend(answer: Answer) -> PipelineError | None:
    """Resend's refusals of a key."""
    named = cast("dict[str, Any]", answer.body).get("name") if isinstance(answer.body, dict) else None
    if named == "restricted_api_key":
        return RestrictedKeyError("This key may only send.")
    if answer.status in {401, 403}:
        return AuthError("Resend refuses RESEND_API_KEY.", hint="Make a new one: Resend, API Keys.", revoked=True)
    return None


def delivery(warehouse: Warehouse, config: Settings) -> Iterator[Finding]:
    """Mails that don't go out, rates Resend wouldn't bear, and profiles whose address can't be reached."""
    rates = delivery_rates(warehouse)
    if outbox.why_held(config) is None and rates.oldest_queued_seconds > WAITED_MINUTES * 60:
        text = f"{rates.queued} mails wait, the oldest for {rates.oldest_queued_seconds / 60:.0f} minutes."
        hint = "creator-pipeline doctor (resend, resend domain); is the sensor email_outbox on?"
        yield Finding("mail/outbox", "no", text, hint, "The outbox")
    if not rates.healthy:
        text = (
            f"Of {rates.accepted} mails of {rates.days} days {rates.bounce_rate:.1%} bounced and "
            f"{rates.complaint_rate:.2%} brought a complaint."
        )
        hint = "Correct the addresses: creator-pipeline profiles list. See docs/mail.md."
        yield Finding("mail/rates", "no", text, hint, "Mail delivery")
    table = email_suppressions.c
    unreachable = (
        select(profiles.c.id, table.reason)
        .join_from(profiles, email_suppressions, func.lower(profiles.c.email) == func.lower(table.email))
        .where(table.category == "*", table.reason.in_(("bounced", "complained")))
    )
    with warehouse.read() as connection:
        rows = connection.execute(unreachable).all()
    for owner, reason in rows:
        text = f"{owner} gets no mail any more: the address {reason}."
        hint = f"creator-pipeline profiles add {owner} --email ANOTHER"
        yield Finding(f"mail/address/{owner}", "no", text, hint, "The address", owner)
