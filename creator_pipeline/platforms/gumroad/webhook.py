"""Gumroad's pings: unsigned, and a buyer can write into them. All that is taken is which sale to read again."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson

from creator_pipeline.platforms.gumroad import PLATFORM
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.webhooks import Account, Delivery, RefusedDelivery, Webhooks
from creator_pipeline.settings import Settings
from creator_pipeline.store.profile_ids import PROFILE_ID

_ID = re.compile(r"[A-Za-z0-9_=-]{1,64}")
_MAX_FIELDS, _MAX_DEPTH = 20_000, 8


@dataclass(frozen=True, slots=True)
class Ping:
    """What a ping names.

    Attributes:
        delivery_id: digest of the body without ``retry_count``, so the same for the sender's retries.
        resource_name: ``sale``, ``refund``…; None on the account's plain ping.
        sale_ids: to read again.
        subscription_id, purchase_ids: the membership that an event without a sale of its own is about. None of these
            moves money: a charge or a refund has a ping of its own.
        sale_day: UTC day of the sale, where told: lets a reader take the whole day instead.
        days_needed: the ids can't be relied on, so the days of the event must be read.
        seller_id: a hint whose sale it is.
        test: sent by the settings page's button, or so a buyer wrote; no reason to ignore it.
        alike: two events of this kind can have the same body.
    """

    delivery_id: str
    resource_name: str | None
    sale_ids: tuple[str, ...]
    subscription_id: str | None
    purchase_ids: tuple[str, ...]
    sale_day: date | None
    days_needed: bool
    seller_id: str | None
    test: bool
    alike: bool


def read(body: bytes, content_type: str) -> Ping:
    """What a body names; whatever can't be read names nothing.

    A buyer's custom field stands at the top level too and overwrites a field of its name, so a name that is also a
    custom field's is not read. Source: the service's ``Purchase::PingNotification``.
    """
    pairs = list(_json_pairs(body) if "json" in content_type else _form_pairs(body))
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)

    def only(name: str) -> str | None:
        values = fields.get(name, [])
        return values[0] if len(values) == 1 and f"custom_fields[{name}]" not in fields else None

    sale_id = _as_id(only("sale_id"))
    purchases = tuple(filter(None, map(_as_id, fields.get("purchase_ids[]", []))))
    subscription = _as_id(only("subscription_id"))
    resource = only("resource_name")
    return Ping(
        delivery_id=_digest(pairs),
        resource_name=resource if resource in RESOURCES else None,
        sale_ids=(sale_id,) if sale_id else (),
        # A sale of a membership names both; the sale says it all.
        subscription_id=None if sale_id else subscription,
        purchase_ids=() if sale_id else purchases,
        sale_day=_day(only("sale_timestamp")),
        days_needed="sale_id" in fields and sale_id is None,
        seller_id=_as_id(only("seller_id")),
        test=only("test") == "true",
        # Each partial refund of a sale sends the same words: no amount, no id of the refund.
        alike=resource == "refund" and "retry_count" not in fields,
    )


def profile_secret(secret: str, profile_id: str) -> str:
    """The last segment of the ping URL that is registered for one profile."""
    digest = hmac.new(secret.encode(), b"gumroad-ping.v1/" + profile_id.encode(), hashlib.sha256).digest()
    return f"{profile_id}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


def recognise(secret: str, given: str) -> tuple[bool, str | None]:
    """Whether a path's last segment is good, and which profile it belongs to; None for the shared secret.

    Takes the same time wherever the first wrong character is.
    """
    profile_id = given.partition(".")[0]
    named = PROFILE_ID.match(profile_id) is not None
    own = _equal(given, profile_secret(secret, profile_id if named else "-")) and named
    shared = _equal(given, secret)
    return own or shared, profile_id if own else None


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(
        hashlib.sha256(given.encode("utf-8", "replace")).digest(), hashlib.sha256(expected.encode()).digest()
    )


def _digest(pairs: list[tuple[str, str]]) -> str:
    lines = sorted(pair for pair in pairs if pair[0] != "retry_count")
    return hashlib.sha256(orjson.dumps(lines)).hexdigest()[:40]


def _form_pairs(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield from parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        yield _unread(body)


def _json_pairs(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        told = orjson.loads(body)
        yield from list(_flat(cast("dict[str, Any]", told), _MAX_DEPTH)) if isinstance(told, dict) else [_unread(body)]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        yield _unread(body)


def _unread(body: bytes) -> tuple[str, str]:
    return "unreadable", hashlib.sha256(body).hexdigest()


def _flat(told: Mapping[str, Any], depth: int, parent: str = "") -> Iterator[tuple[str, str]]:
    for name, value in told.items():
        path = f"{parent}[{name}]" if parent else name
        if isinstance(value, dict) and depth:
            yield from _flat(cast("dict[str, Any]", value), depth - 1, path)
        elif isinstance(value, list):
            yield from ((f"{path}[]", _text(item)) for item in cast("list[Any]", value))
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    # None, numbers, and what is nested too deep for a form: str() of that would end in a RecursionError.
    return "" if value is None else orjson.dumps(value).decode()


def _as_id(text: str | None) -> str | None:
    return text if text and _ID.fullmatch(text) else None


def _day(text: str | None) -> date | None:
    try:
        day = datetime.fromisoformat(text).date() if text else None
    except ValueError:
        return None
    # A window of days ends on the day after.
    return day if day != date.max else None


def delivery(config: Settings, path: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a ping asks to read again. It is unsigned, so its address is the secret.

    Args:
        config: holds GUMROAD_WEBHOOK_SECRET.
        path: ``secret``, the last segment of the address.
        headers: names in lower case.
        body: as it came.

    Raises:
        RefusedDelivery: the address is not one of ours.
    """
    expected = config.gumroad_webhook_secret
    known, profile_id = recognise(expected.get_secret_value(), path["secret"]) if expected else (False, None)
    if not known:
        raise RefusedDelivery(404)
    ping = read(body, headers.get("content-type", ""))
    return Delivery(
        PLATFORM.in_ledger,
        ping.delivery_id,
        ping.resource_name,
        _payload(ping),
        profile_id=profile_id,
        account_id=ping.seller_id,
        work=bool(ping.sale_ids or ping.subscription_id or ping.purchase_ids or ping.days_needed),
        alike=ping.alike,
    )


def _payload(ping: Ping) -> dict[str, Any]:
    payload: dict[str, Any] = {"sale_ids": list(ping.sale_ids), "test": ping.test}
    if ping.days_needed and ping.sale_day:
        return payload | {"from": ping.sale_day.isoformat(), "to": (ping.sale_day + timedelta(days=1)).isoformat()}
    if ping.subscription_id or ping.purchase_ids:
        return payload | {"subscription_id": ping.subscription_id, "purchase_ids": list(ping.purchase_ids)}
    return payload | {"read_days": not ping.sale_ids}


def owners(delivery: Delivery, accounts: Sequence[Account], _config: Settings) -> Sequence[Account]:
    """The seller's connection where the ping names a known one, else all: each asks for its own sales."""
    wanted = delivery.account_id
    return [account for account in accounts if wanted and account.external_account_id == wanted] or accounts


def address(config: Settings, profile_id: str) -> str:
    """Where Gumroad sends one profile's pings.

    Raises:
        ConfigError: GUMROAD_WEBHOOK_SECRET is not set.
    """
    from creator_pipeline.platforms.gumroad.subscriptions import post_url

    return post_url(config.public_url, config.require(WEBHOOKS.needs), profile_id)


def register(config: Settings, profile_id: str, token: str) -> int:
    """Have Gumroad send the pings of a token's account; returns the number of events that it sends.

    Raises:
        PipelineError: Gumroad refuses the address or the token, or can't be reached.
    """
    from creator_pipeline.platforms.gumroad import subscriptions
    from creator_pipeline.platforms.gumroad.access import client_of_token

    with client_of_token(config, token) as client:
        made = subscriptions.register(client, config.public_url, config.require(WEBHOOKS.needs), profile_id)
    return made.kept + made.created


WEBHOOKS = Webhooks(
    path="/webhooks/gumroad/{secret}",
    content_type="application/x-www-form-urlencoded",
    needs="GUMROAD_WEBHOOK_SECRET",
    description="A ping of Gumroad. It is unsigned, so the address is the secret, and the body only names a sale to "
    "read again.",
    read=delivery,
    owners=owners,
    address=address,
    register=register,
)
