"""The outbox: each event's mail rendered once, stored under the event's key, and sent with that key.

The key is what makes one mail of many tellers, attempts and crashes: a second write with it does nothing, and Resend
answers a second send with it by the id of the first.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from creator_pipeline.core import addresses
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.errors import ConfigError, DataError
from creator_pipeline.core.windows import now
from creator_pipeline.mail import delivery, messages, page_link, unsubscribe
from creator_pipeline.mail.flush_report import FlushReport
from creator_pipeline.mail.kinds import KINDS
from creator_pipeline.mail.mailer import Mailer, Verdict, pace
from creator_pipeline.mail.messages import Claimed
from creator_pipeline.mail.render import one_line, render
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import database_time
from creator_pipeline.store.tables import email_messages, profiles
from creator_pipeline.store.upserts import insert_new

LEASE_SECONDS = 60.0
"""Longer than one attempt can take."""
PRODUCT = "Creator Pipeline"

_MAX_KEY = 256
_TAG = re.compile(r"[^A-Za-z0-9_-]")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one reader.

    Attributes:
        id: the event's idempotency key, 1 to 256 characters; see :func:`event_key`.
        kind: a key of :data:`creator_pipeline.mail.kinds.KINDS`.
        values: what the templates of the kind name.
        tags: noted on the message and echoed by Resend's webhooks.
        attachments: in Resend's words: filename, content (base64), content_type, content_id.
    """

    id: str
    kind: str
    to: str
    values: Mapping[str, Any]
    profile_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    attachments: Sequence[Mapping[str, str]] = ()


def event_key(kind: str, *parts: str) -> str:
    """Idempotency key of an event, ``kind/part/part``; long ones are shortened by a digest."""
    key = "/".join([kind, *parts])
    return key if len(key) <= 200 else f"{kind}/{digest(*parts)}"


def digest(*parts: str) -> str:
    """32 hex digits that stand for these texts."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


def why_held(settings: Settings) -> str | None:
    """What must be set before anything is sent; None when all is."""
    if not settings.enabled("email"):
        return "ENABLE_EMAIL is false."
    missing = [name for name in ("RESEND_API_KEY", "FROM_EMAIL") if not getattr(settings, name.lower())]
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set."
    try:
        addresses.check(settings.from_email or "")
    except DataError:
        return "FROM_EMAIL is not an address such as Name <name@example.com>."
    return None


def write(warehouse: Warehouse, settings: Settings, *mails: Mail) -> list[str]:
    """Store mails to be sent, in one transaction; those whose key is known are left as they are. Returns the keys.

    Raises:
        DataError: an address or a key can't be used; nothing is written.
    """
    with warehouse.write() as connection:
        for mail in mails:
            add(connection, settings, mail)
    return [mail.id for mail in mails]


def add(connection: Connection, settings: Settings, mail: Mail) -> bool:
    """:func:`write` within the caller's transaction; whether the mail was new.

    Raises:
        DataError: its address or key can't be used.
    """
    if not 1 <= len(mail.id) <= _MAX_KEY:
        raise DataError(f"An idempotency key has 1 to {_MAX_KEY} characters, this one has {len(mail.id)}.")
    table = email_messages
    if connection.execute(select(table.c.id).where(table.c.id == mail.id)).first():
        return False
    to, kind = addresses.check(mail.to), KINDS[mail.kind]
    subject, payload = _compose(connection, settings, mail, to)
    suppressed = unsubscribe.why_suppressed(connection, to, kind.category)
    held = why_held(settings)
    at = now()
    row = {
        "id": mail.id,
        "kind": mail.kind,
        "to": to,
        "profile_id": mail.profile_id,
        "subject": subject,
        "payload": orjson.dumps(payload).decode(),
        "status": "suppressed" if suppressed else "held" if held else "queued",
        "attempts": 0,
        "error": suppressed or held,
        "created_at": at,
        # By the clock that decides what is due: this machine's may be ahead of the database's.
        "next_attempt_at": database_time(connection),
    }
    return insert_new(connection, table, row)


def add_each(connection: Connection, settings: Settings, *mails: Mail) -> list[str]:
    """:func:`add` each mail by itself; one that can't be written is logged, and takes no other with it.

    Returns:
        the keys of those that are stored, now or before.
    """
    stored: list[str] = []
    for mail in mails:
        try:
            add(connection, settings, mail)
        except DataError as error:
            _log.error("The mail %s can't be written: %s", mail.id, error)
        else:
            stored.append(mail.id)
    return stored


def to_ops(
    settings: Settings, key: str, kind: str, values: Mapping[str, Any], tags: Mapping[str, str] | None = None
) -> list[Mail]:
    """A mail to each address of ``OPS_EMAIL``; none where there is no usable one.

    Args:
        settings: name the addresses.
        key: of the event.
        kind: a key of :data:`creator_pipeline.mail.kinds.KINDS`.
        values: what the templates of the kind name.
        tags: noted on the messages.
    """
    return [
        # The first keeps the event's own key, so that a second address is no second mail to the first.
        Mail(key if not place else event_key(key, digest(address)[:8]), kind, address, values, None, tags or {})
        for place, address in enumerate(settings.ops_addresses)
    ]


def profile_of(connection: Connection, address: str) -> str | None:
    """The profile that an address belongs to, where it is exactly one's."""
    found = connection.execute(
        select(profiles.c.id).where(func.lower(profiles.c.email) == address.strip().lower()).limit(2)
    ).scalars()
    known = list(found)
    return known[0] if len(known) == 1 else None


def _compose(connection: Connection, settings: Settings, mail: Mail, to: str) -> tuple[str, dict[str, Any]]:
    kind = KINDS[mail.kind]
    link = page = None
    whose = select(profiles.c.display_name, profiles.c.email).where(profiles.c.id == mail.profile_id)
    owner = connection.execute(whose).first() if mail.profile_id is not None else None
    if kind.can_be_turned_off:
        made = unsubscribe.token(settings, kind.category, address=to, profile_id=mail.profile_id)
        link = unsubscribe.url(settings, made)
        # To nobody but the owner: it opens the page.
        if owner is not None and mail.profile_id is not None and owner.email.casefold() == to.casefold():
            page = page_link.url(settings, mail.profile_id, to)
    product = one_line(parseaddr(settings.from_email or "")[0]) or PRODUCT
    greeting = f"Hello {one_line(owner.display_name)}," if owner is not None and owner.display_name else "Hello,"
    rendered = render(mail.kind, mail.values, product=product, unsubscribe_url=link, page_url=page, greeting=greeting)
    tags = {"app": delivery.APP_TAG, "kind": mail.kind, "category": kind.category, **mail.tags}
    payload: dict[str, Any] = {
        "to": [to],
        "subject": rendered.subject,
        "html": rendered.html,
        "text": rendered.text,
        "tags": [{"name": key, "value": _TAG.sub("_", value)[:256]} for key, value in tags.items()],
    }
    if mail.attachments:
        payload["attachments"] = [dict(attachment) for attachment in mail.attachments]
    if link is not None:
        payload["headers"] = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return rendered.subject, payload


def flush(
    warehouse: Warehouse,
    settings: Settings,
    limit: int = 100,
    *,
    ids: Sequence[str] | None = None,
    budget: Budget | None = None,
) -> FlushReport:
    """Send what is due, mails of security first; safe for any number of processes at once.

    Args:
        limit: attempts at most.
        ids: only these messages.
        budget: no message is begun when it is spent.

    Raises:
        TransientError: the warehouse can't be reached. What was being sent then is sent again later by the same key.
    """
    report = FlushReport()
    with warehouse.read() as connection:
        if not messages.any_due(connection, ids):
            return report
    held = why_held(settings)
    with warehouse.write() as connection:
        expired = messages.expire(connection)
        report.failed = len(expired)
        if held is not None:
            report.held = messages.hold(connection, held, ids)
    for key in expired:
        _log.warning("Mail %s was given up.", key)
    if held is not None:
        report.problem = ConfigError(f"Mails are held: {held}", hint="They are sent when it is, within a day.")
        return report
    _send(warehouse, settings, limit, ids, report, budget or Budget(math.inf))
    return report


def _send(
    warehouse: Warehouse,
    settings: Settings,
    limit: int,
    ids: Sequence[str] | None,
    report: FlushReport,
    time_left: Budget,
) -> None:
    mailer, budget, sender = Mailer(settings), pace(settings), settings.require("FROM_EMAIL")
    for _ in range(limit):
        if time_left.spent:
            return
        with warehouse.read() as connection:
            if not messages.any_due(connection, ids):
                return
        # Before the claim: a message must not use up its lease by waiting.
        budget.wait()
        with warehouse.write() as connection:
            message, suppressed = messages.claim(connection, sender, LEASE_SECONDS, ids)
        report.suppressed += suppressed
        if message is None:
            return
        verdict = mailer.send(message.payload, message.id)
        _record(warehouse, message, verdict)
        report.count(message, verdict)
        if verdict.action in {"stop", "defer"}:
            return


def _record(warehouse: Warehouse, message: Claimed, verdict: Verdict) -> None:
    with warehouse.write() as connection:
        messages.record(connection, message, verdict)
        if verdict.provider_id is not None:
            delivery.catch_up(connection, verdict.provider_id)
        if verdict.action in {"stop", "defer"} and verdict.wait is not None:
            messages.put_off(connection, verdict.wait, verdict.reason)
