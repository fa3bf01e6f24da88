"""What Resend refuses, and in which words."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Any, NamedTuple, cast

MAX_RECIPIENTS = 50

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+\Z")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")


class ApiError(NamedTuple):
    """An answer of the service that is no success."""

    status: int
    name: str
    message: str


ERRORS = {
    "invalid_idempotency_key": ApiError(400, "invalid_idempotency_key", "The key must be between 1-256 chars."),
    "missing_api_key": ApiError(401, "missing_api_key", "Missing API key in the authorization header."),
    "restricted_api_key": ApiError(401, "restricted_api_key", "This API key is restricted to only send emails."),
    "invalid_api_key": ApiError(403, "invalid_api_key", "API key is invalid."),
    "unverified_domain": ApiError(403, "validation_error", "The example.com domain is not verified."),
    "invalid_idempotent_request": ApiError(
        409, "invalid_idempotent_request", "Same idempotency key used with a different request payload."
    ),
    "concurrent_idempotent_requests": ApiError(
        409,
        "concurrent_idempotent_requests",
        "Same idempotency key used while original request is still in progress.",
    ),
    "validation_error": ApiError(422, "validation_error", "Invalid `to` field."),
    "rate_limit_exceeded": ApiError(
        429, "rate_limit_exceeded", "Too many requests. Please limit the number of requests per second."
    ),
    "daily_quota_exceeded": ApiError(429, "daily_quota_exceeded", "You have reached your daily email sending quota."),
    "monthly_quota_exceeded": ApiError(
        429, "monthly_quota_exceeded", "You have reached your monthly email sending quota."
    ),
    "application_error": ApiError(500, "application_error", "An unexpected error occurred."),
}


def fault_of(payload: dict[str, Any]) -> ApiError | None:
    """Why a mail is refused; None for a good one."""
    for name in ("from", "to", "subject"):
        if not payload.get(name):
            return ApiError(422, "missing_required_field", f"Missing `{name}` field.")
    to = [payload["to"]] if isinstance(payload["to"], str) else cast("list[str]", payload["to"])
    if len(to) > MAX_RECIPIENTS:
        return ApiError(422, "validation_error", "The `to` field has more than 50 recipients.")
    for name, value in [("from", str(payload["from"])), *(("to", address) for address in to)]:
        if not _ADDRESS.match(parseaddr(value)[1]):
            return ApiError(422, "validation_error", f"Invalid `{name}` field: it must be an email address.")
    if not (payload.get("html") or payload.get("text")):
        return ApiError(422, "missing_required_field", "Missing `html` or `text` field.")
    for attachment in cast("list[dict[str, Any]]", payload.get("attachments") or []):
        if not isinstance(attachment.get("content"), str) or not attachment.get("filename"):
            return ApiError(422, "validation_error", "An attachment needs a `filename`, and `content` in base64.")
    for tag in cast("list[dict[str, str]]", payload.get("tags") or []):
        if not _TAG.match(tag["name"]) or not _TAG.match(tag["value"]):
            return ApiError(422, "validation_error", "Tags should only contain ASCII letters, numbers, _ and -.")
    return None
