"""Keys of the mails that several callers write, and what their templates name."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now
from creator_pipeline.mail.outbox import digest, event_key
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings

NEXT_STEP = "Run it again. If it fails in the same way, answer this mail and name the job."


def completed_key(event_id: str, email: str) -> str:
    """The key of the one mail that tells this reader of this success."""
    return event_key("ingestion-completed", event_id, _reader(email))


def failed_key(event_id: str, email: str) -> str:
    """The key of the one mail that tells this reader of this failure."""
    return event_key("ingestion-failed", event_id, _reader(email))


def tier_values(tier: str, plan_name: str | None) -> dict[str, Any]:
    """What the template of ``subscription_updated`` names."""
    return {"tier": tier, "plan_name": plan_name or tier}


def security_values(
    *,
    url: str | None = None,
    code: str | None = None,
    ip_address: str | None = None,
    requested_at: datetime | None = None,
) -> dict[str, Any]:
    """What the templates of security mails name.

    Args:
        url: the link to follow.
        code: to be typed in, in place of the link.
        ip_address: where the request came from.
        requested_at: when it was made.

    Raises:
        DataError: the link is not http or https.
    """
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise DataError("A mail's link must begin with http:// or https://.", hint="Pass the whole address.")
    return {"url": url, "code": code, "ip_address": ip_address, "requested_at": moment_text(requested_at)}


def completed_values(job_id: str, event_count: int, *, source: str, what: str) -> dict[str, Any]:
    """What the template of ``ingestion_completed`` names.

    Args:
        job_id: of the ingestion.
        event_count: ledger rows it brought.
        source: the platform's name for people.
        what: the file or the partitions.
    """
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
    """What the template of ``ingestion_failed`` names.

    Args:
        settings: their secrets are cleaned out of the message.
        job_id: of the ingestion.
        error_message: is shown without stack trace, secrets and buyers' addresses.
        source: the platform's name for people.
        what: the file or the partitions.
        next_step: what the reader should do.
    """
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
