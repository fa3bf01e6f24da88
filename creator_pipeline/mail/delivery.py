"""What became of sent mails, by Resend's webhooks: status by rank, suppressions, rates."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, cast

import orjson
from sqlalchemy import Connection, func, select, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail import messages, suppressions
from creator_pipeline.mail.signatures import verified
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, webhook_events
from creator_pipeline.store.upserts import insert_new

APP_TAG = "creator_pipeline"
"""Tag ``app`` of every message: an account's other mails send events too."""
PROVIDER = "resend"

MAX_BOUNCE_RATE = 0.04
MAX_COMPLAINT_RATE = 0.0008
"""Above these Resend pauses an account (its acceptable-use page)."""

_RANK = {"queued": 0, "held": 0, "sent": 1, "delivered": 2, "failed": 3, "suppressed": 3, "bounced": 3, "complained": 4}
_STATUS = {
    "email.sent": "sent",
    "email.delivered": "delivered",
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.failed": "failed",
    "email.suppressed": "suppressed",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryRates:
    """Messages by outcome over some days, and the shares of those Resend took.

    Attributes:
        queued, held: waiting now, whatever their age; ``oldest_queued_seconds`` says since when.
    """

    days: int
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    failed: int = 0
    suppressed: int = 0
    queued: int = 0
    held: int = 0
    oldest_queued_seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """Messages that Resend took."""
        return self.sent + self.delivered + self.bounced + self.complained

    @property
    def bounce_rate(self) -> float:
        """Share of accepted messages that bounced; 0 without any."""
        return self.bounced / self.accepted if self.accepted else 0.0

    @property
    def complaint_rate(self) -> float:
        """Share of accepted messages that a reader complained about; 0 without any."""
        return self.complained / self.accepted if self.accepted else 0.0

    @property
    def healthy(self) -> bool:
        """Whether both rates are within what Resend accepts."""
        return self.bounce_rate <= MAX_BOUNCE_RATE and self.complaint_rate <= MAX_COMPLAINT_RATE

    def metadata(self) -> dict[str, int | float]:
        """For a check, a metric or JSON."""
        return {**asdict(self), "bounce_rate": self.bounce_rate, "complaint_rate": self.complaint_rate}


def handle_resend_event(body: bytes, headers: Mapping[str, str], *, warehouse: Warehouse, settings: Settings) -> int:
    """Take one delivery of a Resend webhook; a repeat changes nothing. Returns the HTTP status to answer with.

    Args:
        body: raw bytes.

    Raises:
        ConfigError: ``RESEND_WEBHOOK_SECRET`` is not set.
        TransientError: the warehouse can't be reached; Resend delivers again.
    """
    if not verified(body, headers, settings.require("RESEND_WEBHOOK_SECRET"), prefix="svix"):
        return 401
    try:
        event: Any = orjson.loads(body)
        kind, data = event["type"], event["data"]
        if not isinstance(kind, str) or not isinstance(data, dict):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, TypeError):
        _log.warning("A Resend webhook with a body that can't be read was ignored.")
        return 400
    data = cast("dict[str, Any]", data)
    noted = _note(kind, data)
    delivery_id = next(value for key, value in headers.items() if key.lower() == "svix-id")
    with warehouse.write() as connection:
        if not insert_new(connection, webhook_events, _row(delivery_id, kind, noted)):
            connection.execute(
                update(webhook_events)
                .where(webhook_events.c.provider == PROVIDER, webhook_events.c.delivery_id == delivery_id)
                .values(repeats=webhook_events.c.repeats + 1)
            )
            return 200
        found = _apply(connection, noted)
        ours = found or _object(data, "tags").get("app") == APP_TAG
        learned = suppressions.learn(connection, kind, data, ours=ours)
        # Ours but unknown: it came before the sender could note Resend's id.
        status = "done" if found else "stored" if ours and noted["status"] else "done" if learned else "ignored"
        connection.execute(
            update(webhook_events)
            .where(webhook_events.c.provider == PROVIDER, webhook_events.c.delivery_id == delivery_id)
            .values(status=status)
        )
    return 200


def catch_up(connection: Connection, provider_id: str) -> None:
    """Apply what Resend told of a message before its id was noted; in the transaction that notes it."""
    table = webhook_events
    waiting = connection.execute(
        select(table.c.delivery_id, table.c.payload).where(table.c.provider == PROVIDER, table.c.status == "stored")
    ).all()
    for row in waiting:
        noted = orjson.loads(row.payload)
        if noted["email_id"] == provider_id:
            _apply(connection, noted)
            connection.execute(
                update(table)
                .where(table.c.provider == PROVIDER, table.c.delivery_id == row.delivery_id)
                .values(status="done")
            )


def delivery_rates(warehouse: Warehouse, days: int = 7) -> DeliveryRates:
    """Outcomes of the messages written in the last ``days`` days."""
    table = email_messages
    at = now()
    with warehouse.read() as connection:
        found = connection.execute(
            select(table.c.status, func.count().label("messages"))
            .where((table.c.created_at >= at - timedelta(days=days)) | table.c.status.in_(messages.OPEN))
            .group_by(table.c.status)
        ).all()
        oldest = messages.oldest_open(connection)
    counts = {row.status: row.messages for row in found}
    waited = 0.0 if oldest is None else (at - oldest).total_seconds()
    return DeliveryRates(days, **counts, oldest_queued_seconds=waited)


def _note(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an event: no address, no subject."""
    bounce, email_id = _object(data, "bounce"), _text(data, "email_id")
    kind_of_bounce = _text(bounce, "type")
    reason = kind_of_bounce and f"{kind_of_bounce} bounce ({_text(bounce, 'subType') or 'no subtype'})."
    reason = reason or _text(_object(data, "failed"), "reason") or _text(_object(data, "suppressed"), "reason")
    return {
        "email_id": email_id,
        "status": _STATUS.get(kind) if email_id else None,
        "reason": reason,
    }


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def _object(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _row(delivery_id: str, kind: str, noted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": PROVIDER,
        "delivery_id": delivery_id,
        "received_at": now(),
        "verified": True,
        "event_type": kind,
        "payload": orjson.dumps(noted).decode(),
        "status": "stored",
        "repeats": 0,
    }


def _apply(connection: Connection, noted: Mapping[str, Any]) -> bool:
    """Move the message's status forward; whether the message is known."""
    table = email_messages
    status = noted["status"]
    if status is None:
        return False
    this = table.c.provider_id == noted["email_id"]
    lower = [name for name, rank in _RANK.items() if rank < _RANK[status]]
    connection.execute(
        update(table).where(this, table.c.status.in_(lower)).values(status=status, error=noted["reason"])
    )
    return connection.execute(select(table.c.id).where(this).limit(1)).first() is not None
