"""One mail to Resend, by its own client, and what its answer means for the mail."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

from creator_pipeline.core.http import Pace, is_temporary, retry_after
from creator_pipeline.core.secrets import redact, without_addresses
from creator_pipeline.queue.pace import LocalPace, pace_for
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.settings import Settings

if TYPE_CHECKING:
    from resend.exceptions import ResendError

TIMEOUT_SECONDS = 10
QUOTA_SECONDS = 3 * 3600.0
"""How long everything waits when a day's or month's quota is used up."""
CONFIG_SECONDS = 120.0
"""How long everything waits when Resend refuses the key or the domain; then one mail probes again."""
REFUSED_SECONDS = 3600.0
"""How long a mail waits whose recipient is refused; the others go on."""
MAX_WAIT_SECONDS = 6 * 3600.0
SENDERS = 2
"""Processes that send: the gateway and Dagster's daemon. Runs only write to the outbox."""

Action = Literal["sent", "retry", "refused", "defer", "stop", "failed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a mail that was handed over.

    Attributes:
        action: ``sent``; ``retry`` this mail; ``refused``: not this recipient, at the end of the line, because that
            can change; ``defer`` all mail (quota); ``stop`` all mail (a person must act); ``failed`` for good.
        wait: seconds before the next attempt, where Resend asked for some or the action implies them.
        reason: why, without secrets.
        provider_id: Resend's id.
    """

    action: Action
    reason: str = ""
    wait: float | None = None
    provider_id: str | None = None


def judge(status: int, name: str, message: str, headers: Mapping[str, str]) -> Verdict:
    """What an error means for the mail. The client's exception classes don't tell all of them apart.

    Args:
        status: of HTTP.
        name: Resend's word for the error.
        message: its text.
        headers: of the answer.
    """
    reason = f"Resend: HTTP {status} {name}: {without_addresses(redact(message))[:300]}"
    if name == "HttpClientError":
        return Verdict("retry", f"Resend can't be reached, or didn't answer within {TIMEOUT_SECONDS} s.")
    if status in {401, 403}:
        # Under any other word it isn't Resend that refuses, but what stands in between.
        of_recipient = status == 403 and name == "validation_error" and not _refuses_domain(message)
        return Verdict("refused", reason, REFUSED_SECONDS) if of_recipient else Verdict("stop", reason, CONFIG_SECONDS)
    if status == 429 and name in {"daily_quota_exceeded", "monthly_quota_exceeded"}:
        return Verdict("defer", reason, QUOTA_SECONDS)
    if status == 409 and name == "invalid_idempotent_request":
        return Verdict("failed", f"{reason} Something else was already sent under this key.")
    # Below 400 the answer was good but unreadable: the outcome is unknown, and the same key makes asking again safe.
    # A 404 or 405 is of the address that was asked, never of a mail: a proxy, or RESEND_API_URL.
    if is_temporary(status) or status in {404, 405, 409, 425} or status < 400:
        asked = retry_after({key.lower(): value for key, value in headers.items()})
        return Verdict("retry", reason, None if asked is None else min(asked, MAX_WAIT_SECONDS))
    return Verdict("failed", reason)


def _refuses_domain(message: str) -> bool:
    """Whether a 403 is of the sender's domain, and so of every mail.

    An account without a verified domain may only write to its owner: that refusal names domains too, but is of the
    recipient.
    """
    said = message.lower()
    return "domain" in said and not ("testing emails" in said or "own email address" in said)


def backoff(attempts: int) -> float:
    """Seconds before the next attempt after so many: 2, 4, 8 … up to 15 minutes, with jitter."""
    return min(900.0, 2.0**attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


class Mailer:
    """Hands mails to the account of ``RESEND_API_KEY``. One account for each process: the client's settings are global.

    Raises:
        ConfigError: ``RESEND_API_KEY`` is not set.
    """

    def __init__(self, settings: Settings) -> None:
        # 0.2 s of imports that nothing but sending needs.
        import resend

        self._key = settings.require("RESEND_API_KEY")
        self._emails = resend.Emails
        resend.api_key = self._key
        resend.api_url = settings.resend_api_url
        resend.default_http_client = resend.RequestsClient(timeout=TIMEOUT_SECONDS)

    def send(self, payload: dict[str, Any], idempotency_key: str) -> Verdict:
        """Send once; never raises for what Resend or the network does."""
        from resend.exceptions import ResendError

        params: Any = payload
        try:
            answer = self._emails.send(params, {"idempotency_key": idempotency_key})
        except ResendError as error:
            return self._judge(error)
        except Exception as error:  # noqa: BLE001 - its client trusts every answer to be an object
            return Verdict("retry", f"Resend's answer can't be read ({type(error).__name__}).")
        told: Any = answer
        provider_id = cast("dict[str, Any]", told).get("id") if isinstance(told, dict) else None
        if not isinstance(provider_id, str) or not provider_id:
            return Verdict("retry", "Resend answered without an id.")
        return Verdict("sent", provider_id=provider_id)

    def _judge(self, error: ResendError) -> Verdict:
        code = str(error.code)
        status = int(code) if code.isdecimal() else 500
        message = redact(str(error.message), [self._key])
        return judge(status, str(error.error_type), message, error.headers)


def pace(settings: Settings) -> Pace:
    """The pace of ``RESEND_REQUESTS_PER_SECOND`` over all processes that send."""
    if connect(settings) is None:
        return _local(settings.resend_requests_per_second * 60)
    return pace_for(settings, "resend", settings.require("RESEND_API_KEY"), settings.resend_requests_per_second * 60)


@lru_cache(maxsize=8)
def _local(per_minute: float) -> Pace:
    return LocalPace(per_minute, processes=SENDERS)
