"""The five mails by name, for the application beside this pipeline. Each returns the id of its message.

They are aliases: a call writes the message that the pipeline itself writes for the same event, with the same template,
values (:mod:`creator_pipeline.mail.values`) and outbox, once for each event. The pipeline doesn't call them: it knows
more of an event than their arguments tell.

* sign-up and password reset: :mod:`creator_pipeline.mail.auth_hook`, from Supabase's call;
* subscription updated: the platform that memberships are read from, within the transaction that changes the tier;
* ingestion completed and failed: :mod:`creator_pipeline.mail.notify`, which heeds the owner's wishes and tells of the
  same failure once a day.

Each function takes ``warehouse`` and ``settings``, those of the environment where not given, and ``idempotency_key``,
which stands for the event in place of the key made of the arguments.
"""

from __future__ import annotations

from creator_pipeline import settings as environment
from creator_pipeline.core.windows import today
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.values import (
    NEXT_STEP,
    completed_key,
    completed_values,
    failed_key,
    failed_values,
    security_values,
    tier_values,
)
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, open_warehouse


def send_signup_confirmation(
    email: str,
    confirmation_url: str,
    *,
    warehouse: Warehouse | None = None,
    settings: Settings | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Ask a new person to confirm the address. One mail for each link.

    Args:
        email: the address.
        confirmation_url: the link, http or https.

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

    Args:
        email: of the reader.
        reset_url: the link, http or https.

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
    """Tell the holder of a plan of its change. One mail for the same plan in a UTC day.

    Args:
        email: of the holder.
        tier: of the plan that holds now.
        plan_name: its name; the tier's where empty.

    Raises:
        DataError: the address can't be used.
    """
    key = idempotency_key or event_key("subscription", digest(email, tier, plan_name), today().isoformat())
    return _store(Mail(key, "subscription_updated", email, tier_values(tier, plan_name)), warehouse, settings)


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
        email: of the reader.
        job_id: of the ingestion.
        event_count: ledger rows it brought.
        source: the platform's name for people.
        what: the file or the partitions.

    Raises:
        DataError: the address can't be used.
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
        email: of the reader.
        job_id: of the ingestion.
        error_message: is shown without stack trace, secrets and buyers' addresses.
        source: the platform's name for people.
        what: the file or the partitions.
        next_step: what the reader should do.

    Raises:
        DataError: the address can't be used.
    """
    config = settings or environment.load()
    key = idempotency_key or failed_key(job_id, email)
    values = failed_values(config, job_id, error_message, source=source, what=what, next_step=next_step)
    return _store(Mail(key, "ingestion_failed", email, values), warehouse, config)


def _store(mail: Mail, warehouse: Warehouse | None, settings: Settings | None) -> str:
    config = settings or environment.load()
    store = warehouse or open_warehouse(config.warehouse_url)
    with store.write() as connection:
        owner = outbox.profile_of(connection, mail.to)
        outbox.add(connection, config, Mail(mail.id, mail.kind, mail.to, mail.values, owner, mail.tags))
    return mail.id
