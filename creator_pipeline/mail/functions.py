"""The five mails by name. Each stores its mail in the outbox, once for each event, and returns the message's id."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from creator_pipeline import settings as environment
from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now, today
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, open_warehouse

NEXT_STEP = "Run it again. If it fails in the same way, answer this mail and name the job."


def completed_key(event_id: str, email: str) -> str:
    """The key of the one mail that tells this reader of this success."""
    return event_key("ingestion-completed", event_id, _reader(email))


def failed_key(event_id: str, email: str) -> str:
    """The key of the one mail that tells this reader of this failure."""
    return event_key("ingestion-failed", event_id, _reader(email))


def send_signup_confirmation(
    email: str,
    confirmation_url: str,
    *,
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Ask a new person to confirm the address. One mail for each link.

    Raises:
        DataError: the address or the link can't be used.
    """
    key = idempotency_key or event_key("signup", digest(email, confirmation_url))
    mail = Mail(key, "signup_confirmation", email, security_values(url=confirmation_url))
    return _store(mail, warehouse, settings)


def send_password_reset(
    email: str,
    reset_url: str,
    *,
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Send the link to choose a new password. One mail for each link.

    Raises:
        DataError: the address or the link can't be used.
    """
    key = idempotency_key or event_key("password-reset", digest(email, reset_url))
    mail = Mail(key, "password_reset", email, security_values(url=reset_url))
    return _store(mail, warehouse, settings)


def send_subscription_updated(
    email: str,
    tier: str,
    plan_name: str,
    *,
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Tell the holder of a plan of its change. Without a key of its own: one mail for the same plan in a UTC day."""
    key = idempotency_key or event_key("subscription", digest(email, tier, plan_name), today().isoformat())
    values = {"tier": tier, "plan_name": plan_name or tier}
    return _store(Mail(key, "subscription_updated", email, values), warehouse, settings)


def send_ingestion_completed(
    email: str,
    job_id: str,
    event_count: int,
    *,
    source: str = "Ingestion",
    what: str = "",
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Tell of an ingestion that is done. One mail for each job and reader.

    Args:
        event_count: ledger rows it brought.
        source: the platform's name for people.
        what: the file or the partitions.
    """
    key = idempotency_key or completed_key(job_id, email)
    values = completed_values(job_id, event_count, source=source, what=what)
    return _store(Mail(key, "ingestion_completed", email, values), warehouse, settings)


def send_ingestion_failed(
    email: str,
    job_id: str,
    error_message: str,
    *,
    source: str = "Ingestion",
    what: str = "",
    next_step: str = NEXT_STEP,
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Tell of an ingestion that failed for good. One mail for each job and reader.

    Args:
        error_message: shown without stack trace, secrets and buyers' addresses.
        source, what: as for :func:`send_ingestion_completed`.
        next_step: what the reader should do.
    """
    config = settings or environment.load()
    key = idempotency_key or failed_key(job_id, email)
    values = failed_values(config, job_id, error_message, source=source, what=what, next_step=next_step)
    return _store(Mail(key, "ingestion_failed", email, values), warehouse, config)


def security_values(
    *,
    url: str | None = None,
    code: str | None = None,
    ip_address: str | None = None,
    requested_at: datetime | None = None,
) -> dict[str, Any]:
    """What the templates of security mails name.

    Raises:
        DataError: the link is not http or https.
    """
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise DataError("A mail's link must begin with http:// or https://.", hint="Pass the whole address.")
    return {"url": url, "code": code, "ip_address": ip_address, "requested_at": moment_text(requested_at)}


def completed_values(job_id: str, event_count: int, *, source: str, what: str) -> dict[str, Any]:
    """What the template of ``ingestion_completed`` names."""
    return {
        "job_id": job_id,
        "event_count": event_count,
        "source": source,
        "what": what,
        "finished_at": moment_text(now()),
    }


def failed_values(
    settings: Settings, job_id: str, error_message: str, *, source: str, what: str, next_step: str
) -> dict[str, Any]:
    """What the template of ``ingestion_failed`` names."""
    return {
        "job_id": job_id,
        "error_message": plain_error(error_message, settings),
        "source": source,
        "what": what,
        "next_step": next_step,
        "failed_at": moment_text(now()),
    }


def _reader(email: str) -> str:
    return digest(email.strip().casefold())[:8]


def _store(mail: Mail, warehouse: Warehouse | None, settings: Settings | None) -> str:
    config = settings or environment.load()
    house = warehouse or open_warehouse(config.warehouse_url)
    with house.write() as connection:
        owner = outbox.profile_of(connection, mail.to)
        outbox.add(connection, config, Mail(mail.id, mail.kind, mail.to, mail.values, owner, mail.tags))
    return mail.id
