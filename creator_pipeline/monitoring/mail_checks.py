"""Checks of mail: Resend's key and domain, the secrets of what is sent to us, mails that don't arrive."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, inspect, select

from creator_pipeline.core import addresses
from creator_pipeline.core.caller import Caller
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import AuthError, DataError, PipelineError, RejectedError
from creator_pipeline.core.http import Answer
from creator_pipeline.core.text import number
from creator_pipeline.mail import auth_hook, messages, outbox, suppressions
from creator_pipeline.mail.delivery import delivery_rates
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, connect_as_is
from creator_pipeline.store.tables import email_suppressions, profiles

WAITED_MINUTES = 10
"""A mail that is due for so long is stuck."""


def setup(config: Settings) -> list[Check]:
    """What is set up once: lines of the doctor."""
    return [
        Check("resend", lambda: resend(config)),
        Check("mail addresses", lambda: who_gets_no_mail(config)),
        Check("resend webhooks", lambda: signing_secret("resend webhooks", "RESEND_WEBHOOK_SECRET", config)),
        Check("auth hook", lambda: signing_secret("auth hook", "SUPABASE_HOOK_SECRET", config)),
        Check("auth redirects", lambda: auth_redirects(config)),
    ]


def auth_redirects(config: Settings) -> Iterator[Finding]:
    """Where links of auth mails may lead in the end; another ``redirect_to`` is left out of them."""
    name = "auth redirects"
    if config.supabase_hook_secret is None:
        yield Finding(name, "off", "SUPABASE_HOOK_SECRET is not set.")
        return
    words = [word.strip() for word in (config.auth_redirect_origins or "").split(",") if word.strip()]
    if wrong := [word for word in words if not auth_hook.origin(word)]:
        text = f"AUTH_REDIRECT_ORIGINS has {', '.join(wrong)}, which is no origin."
        yield Finding(name, "no", text, "Write https://app.example.com,myapp://callback.")
        return
    page = config.auth_confirm_url or config.public_url
    yield Finding(name, "ok", f"kept to {', '.join(sorted(auth_hook.origins(config, page)))}")


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
        oldest = f"{rates.oldest_queued_seconds / 60:.0f} minutes"
        text = f"{number(rates.queued, 'mail waits', 'mails wait')}, the oldest for {oldest}."
        hint = "creator-pipeline doctor (resend, resend domain); is the sensor email_outbox on?"
        yield Finding("mail/outbox", "no", text, hint, "The outbox")
    if not rates.healthy:
        text = (
            f"Of {number(rates.accepted, 'mail')} of {number(rates.days, 'day')} {rates.bounce_rate:.1%} bounced and "
            f"{rates.complaint_rate:.2%} brought a complaint."
        )
        hint = "Correct the addresses: creator-pipeline profiles list. See docs/mail.md."
        yield Finding("mail/rates", "no", text, hint, "Mail delivery")
    with warehouse.read() as connection:
        refused = messages.refused(connection)
        rows = list(unreachable(connection, config))
    for reason in refused:
        text = f"Resend refuses recipients, so their mails wait and are tried each hour: {reason}"
        hint = "An account without a verified domain may only write to its owner: verify one at Resend, Domains."
        yield Finding("mail/refused", "no", text, hint, "Refused recipients")
        break
    for one in rows:
        yield Finding(f"mail/address/{one.of}", "no", one.text, one.hint, "The address", one.profile_id)


class Unreachable(NamedTuple):
    """Somebody who gets no mail. ``of`` is the profile, or ``OPS_EMAIL`` and its place there."""

    of: str
    text: str
    hint: str
    profile_id: str


def unreachable(connection: Connection, config: Settings) -> Iterator[Unreachable]:
    """Profiles and operators that get no mail, each with the reason."""
    for place, word in enumerate(addresses.split(config.ops_email or "").unusable, 1):
        text = f"OPS_EMAIL has {word!r}, which is no e-mail address: nobody is told there."
        hint = "Write OPS_EMAIL=ops@example.com, or several: A <a@example.com>, b@example.com."
        yield Unreachable(f"OPS_EMAIL/unusable/{place}", text, hint, "")
    table = email_suppressions.c
    asked = select(table.email, table.reason).where(table.category == "*", table.reason.in_(suppressions.UNREACHABLE))
    why = {email.casefold(): reason for email, reason in connection.execute(asked)}
    for place, address in enumerate(config.ops_addresses, 1):
        if (reason := why.get(address.casefold())) is not None:
            text = f"{address} of OPS_EMAIL gets no mail any more: the address {reason}."
            yield Unreachable(f"OPS_EMAIL/{place}", text, f"creator-pipeline mail suppressions lift {address}", "")
    for owner, email in connection.execute(select(profiles.c.id, profiles.c.email).order_by(profiles.c.id)):
        try:
            reason = why.get(addresses.check(email).casefold())
        except DataError:
            text = f"{owner} gets no mail: its address can't be used."
            yield Unreachable(owner, text, f"creator-pipeline profiles add {owner} --email ANOTHER", owner)
            continue
        if reason is not None:
            text = f"{owner} gets no mail any more: the address {reason}."
            lift = "creator-pipeline mail suppressions lift ADDRESS"
            hint = f"creator-pipeline profiles add {owner} --email ANOTHER; or: {lift}"
            yield Unreachable(owner, text, hint, owner)


def who_gets_no_mail(config: Settings) -> Iterator[Finding]:
    """A line for each profile and operator that gets no mail."""
    name = "mail addresses"
    with connect_as_is(config.warehouse_url) as connection:
        there = connection is not None and all(
            inspect(connection).has_table(table.name) for table in (profiles, email_suppressions)
        )
        found = list(unreachable(connection, config)) if connection is not None and there else []
    for one in found:
        yield Finding(f"{name} {one.of}", "no", one.text, one.hint)
    if not config.ops_email:
        yield Finding(f"{name} OPS_EMAIL", "off", "OPS_EMAIL is not set: failures are told in log and UI only.")
    elif not found:
        yield Finding(name, "ok", f"everybody can be reached; OPS_EMAIL has {len(config.ops_addresses)}")
