"""Webhooks: a verified delivery names what to read again. Nothing else in it is believed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeGuard, cast
from uuid import uuid4

import orjson
from standardwebhooks import Webhook

from creator_pipeline.core import signatures
from creator_pipeline.core.errors import ConfigError, RejectedError
from creator_pipeline.platforms.webhooks import Account, Delivery, RefusedDelivery, SignedTest, Webhooks
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.tables import STREAMS
from creator_pipeline.settings import Settings
from creator_pipeline.store.table_streams import TableStream

Kind = Literal["membership", "payment", "member", "plan", "money", "ignored"]
_TABLES: Mapping[str, TableStream] = {word: stream for stream in STREAMS for word in stream.webhooks}

_PREFIX: Mapping[str, str] = {"membership": "mem_", "payment": "pay_", "member": "mber_", "plan": "plan_", "money": ""}
_ID = re.compile(r"[A-Za-z0-9_]{1,100}")


class Reread(NamedTuple):
    """What a delivery asks to read again.

    Attributes:
        delivery_id: the same for every retry and replay.
        event_type: Whop's word.
        account_id: the account it is about, where told; only a hint whose key to use.
        ids: of the objects of ``kind``; empty where it is ``ignored``.
        rows: ids of rows of declared tables, by :func:`rows_of`.
    """

    delivery_id: str
    event_type: str
    account_id: str | None
    kind: Kind
    ids: tuple[str, ...]
    rows: Mapping[str, Sequence[str]] = {}


def rows_of(stream: TableStream) -> str:
    """The name of a table's rows in a delivery's payload."""
    return f"rows of {stream.name}"


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, moment: datetime | None = None) -> str:
    """Check a delivery's signature over its raw bytes; returns its ``webhook-id``.

    The key is the literal UTF-8 bytes of the whole secret, ``ws_`` included: nothing is decoded.

    Args:
        secret: of the webhook.
        headers: names in any case.
        body: as it came: the signature is over these very bytes.
        moment: the time of receipt; now by default.

    Raises:
        BadSignatureError: anything at all is wrong.
        ConfigError: the secret is empty.
    """
    if not secret:
        raise ConfigError("WHOP_WEBHOOK_SECRET is not set.", hint="Whop: Developer, Webhooks; it begins with ws_.")
    return signatures.verify(secret.encode(), headers, body, moment=moment)


def reread(delivery_id: str, body: bytes) -> Reread:
    """What a verified delivery names.

    Refunds and disputes name their payment. A refund comes in the undated shape even in a dated webhook, with its
    payment as an object; dated shapes have ``payment_id``: both are understood. What can't be understood is
    ``ignored``: it was signed, so refusing it would only make Whop send it again.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        envelope = None
    told = cast("dict[str, Any]", envelope) if isinstance(envelope, dict) else {}
    event_type = told["type"] if isinstance(told.get("type"), str) else ""
    account = told.get("account_id") or told.get("company_id")
    data = cast("dict[str, Any]", told["data"]) if isinstance(told.get("data"), dict) else {}
    kind, object_id = _named(event_type.partition(".")[0], data)
    return Reread(
        delivery_id=delivery_id,
        event_type=event_type,
        account_id=account if isinstance(account, str) else None,
        kind=kind,
        ids=(object_id,) if object_id else (),
        rows={rows_of(_TABLES[event_type]): [row]} if event_type in _TABLES and _is_id(row := data.get("id")) else {},
    )


def _named(family: str, data: dict[str, Any]) -> tuple[Kind, str | None]:
    kind: Kind
    match family:
        case "membership" | "payment" | "member" | "plan":
            kind, object_id = family, data.get("id")
        case "refund" | "dispute" | "dispute_alert":
            payment: Any = data.get("payment")
            nested = cast("dict[str, Any]", payment).get("id") if isinstance(payment, dict) else payment
            kind, object_id = "payment", data.get("payment_id") or nested
        case "payout" | "withdrawal" | "financial_activity" | "ledger_account":
            # What is new of the money is read, whatever it is.
            kind, object_id = "money", data.get("id")
        case _:
            return "ignored", None
    if not _is_id(object_id) or not object_id.startswith(_PREFIX[kind]):
        return "ignored", None
    return kind, object_id


def _is_id(value: Any) -> TypeGuard[str]:
    # An id ends up in the path of a request.
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def delivery(config: Settings, _path: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a delivery asks to read again, once its signature is found good.

    Args:
        config: holds WHOP_WEBHOOK_SECRET, one secret or several with commas between them.
        headers: names in lower case.
        body: as it came: the signature is over these very bytes.

    Raises:
        RefusedDelivery: the signature doesn't fit, or no secret is set.
    """
    delivery_id = next((found for secret in secrets(config) if (found := _signed_by(secret, headers, body))), None)
    if delivery_id is None:
        raise RefusedDelivery(401, "WHOP_WEBHOOK_SECRET")
    told = reread(delivery_id, body)
    return Delivery(
        PLATFORM.in_ledger,
        delivery_id,
        told.event_type[:100] or None,
        {
            "kind": told.kind,
            "ids": list(told.ids),
            **({"rows": dict(told.rows)} if told.rows else {}),
            **({"account": told.account_id[:100]} if told.account_id else {}),
        },
        account_id=told.account_id,
        work=told.kind != "ignored" or bool(told.rows),
    )


def owners(delivery: Delivery, accounts: Sequence[Account], config: Settings) -> Sequence[Account]:
    """The connection of the account that a delivery names; else those whose account isn't known yet."""
    wanted = delivery.account_id or config.whop_account_id
    named = [account for account in accounts if wanted is not None and account.external_account_id == wanted]
    # A key that was typed in comes without its account, which its first run learns; until then each is asked, and a
    # run leaves out what is another account's.
    return named or [account for account in accounts if account.external_account_id is None]


def secrets(config: Settings) -> list[str]:
    """The secrets that sign: one for each account, or an old and a new one while it is changed."""
    told = config.whop_webhook_secret
    return [each for one in (told.get_secret_value() if told else "").split(",") if (each := one.strip())]


def _signed_by(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    try:
        return verify(secret, headers, body)
    except RejectedError:
        return None


def signed_test(config: Settings) -> SignedTest | None:
    """A delivery about nothing, signed as Whop does; None without a secret."""
    known = secrets(config)
    if not known:
        return None
    secret, delivery_id, sent = known[0], f"smoke_{uuid4().hex}", datetime.now(UTC)
    body = orjson.dumps({"id": delivery_id, "type": "smoke.test", "data": {}})
    headers = {"webhook-id": delivery_id, "webhook-timestamp": str(int(sent.timestamp()))}
    signature = Webhook(secret.encode()).sign(delivery_id, sent, body.decode())
    return SignedTest(
        WEBHOOKS.path,
        body,
        {**headers, "webhook-signature": signature},
        {**headers, "webhook-signature": f"{signature[:-6]}AAAAA="},
    )


WEBHOOKS = Webhooks(
    path="/webhooks/whop",
    content_type="application/json",
    needs="WHOP_WEBHOOK_SECRET",
    description="A delivery of Whop, signed after Standard Webhooks. It only names what is read again from Whop's API.",
    read=delivery,
    owners=owners,
    signed_test=signed_test,
)
