"""From Whop's JSON to typed rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_text import dumps
from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.secrets import KeyRing, without_addresses
from creator_pipeline.core.windows import aware_utc
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.personal import BUYER

Json = dict[str, Any]


class Money(NamedTuple):
    """An amount in micros of ``currency`` (upper case; not all are ISO: USDT, WHOP_USD)."""

    micros: int
    currency: str


class Plan(NamedTuple):
    """What the tables need of a plan. Prices in micros of ``currency``."""

    id: str
    title: str | None
    currency: str
    initial_micros: int
    renewal_micros: int


class MembershipRow(NamedTuple):
    """A row of ``whop_subscriptions``, in the order of its columns."""

    id: str
    account_profile_id: str
    profile_id: str | None
    matched_by: str | None
    status: str
    has_access: bool
    plan_id: str
    plan_name: str | None
    tier: str | None
    product_id: str
    product_name: str | None
    whop_user_id: str | None
    member_id: str | None
    holder_hash: str | None
    created_at: datetime
    updated_at: datetime
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    price_micros: int | None
    currency: str | None
    raw: str
    first_seen_at: datetime
    ingested_at: datetime


class PaymentRow(NamedTuple):
    """A row of ``whop_payments``, in the order of its columns."""

    profile_id: str
    id: str
    partition_day: date
    created_at: datetime
    paid_at: datetime | None
    updated_at: datetime
    status: str
    substatus: str | None
    billing_reason: str | None
    membership_id: str | None
    product_id: str | None
    product_name: str | None
    plan_id: str | None
    currency: str
    total_micros: int
    fee_micros: int | None
    refunded_micros: int
    refunds: str
    disputes: str
    final: bool
    raw: str
    ingested_at: datetime


def bad(what: str, item: Json, key: str, expected: str) -> DataError:
    """The error of a key that is missing or not what it should be; never holds the value, which can be personal."""
    found = item.get(key)
    return DataError(
        f"A Whop {what} ({item.get('id')}) has no usable {key}.",
        hint="The API may have changed, or the key lacks a permission; nothing was written.",
        column=key,
        found="nothing" if found is None else type(found).__name__,
        expected=expected,
    )


def text(what: str, item: Json, key: str) -> str:
    """A text that must be there."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise bad(what, item, key, "text")
    return value


def optional_text(what: str, item: Json, key: str) -> str | None:
    """A text that may be null, but whose key must be there."""
    if key not in item or not isinstance(item[key], str | None):
        raise bad(what, item, key, "text or null")
    return item[key]


def time(what: str, item: Json, key: str) -> datetime:
    """A time that must be there, as aware UTC."""
    try:
        return aware_utc(text(what, item, key))
    except ValueError:
        raise bad(what, item, key, "an ISO time with its zone") from None


def optional_time(what: str, item: Json, key: str) -> datetime | None:
    """A time that may be null, but whose key must be there."""
    return None if optional_text(what, item, key) is None else time(what, item, key)


def money(what: str, item: Json, key: str) -> Money:
    """A Money object: exact decimal text in units of its currency, never cents."""
    value = item.get(key)
    if not isinstance(value, dict):
        raise bad(what, item, key, "an amount with its currency")
    amount, currency = cast("Json", value).get("amount"), cast("Json", value).get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str) or not currency:
        raise bad(what, item, key, "an amount with its currency")
    try:
        return Money(from_decimal(amount), currency.upper())
    except ValueError:
        raise bad(what, item, key, "exact decimal text") from None


def optional_money(what: str, item: Json, key: str) -> Money | None:
    """A Money object that may be null, but whose key must be there."""
    if key not in item:
        raise bad(what, item, key, "an amount with its currency, or null")
    return None if item[key] is None else money(what, item, key)


def number(what: str, item: Json, key: str) -> int:
    """A JSON number in units of a currency, as plans and disputes have it, to micros.

    A float's repr is the shortest text that reads back as the same float: what the server wrote, up to 15 digits.
    """
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(what, item, key, "a number")
    try:
        return from_decimal(Decimal(repr(value)))
    except ValueError:
        raise bad(what, item, key, "a number") from None


def plan_of(item: Json) -> Plan:
    """A plan; its prices are JSON numbers."""
    return Plan(
        id=text("plan", item, "id"),
        title=optional_text("plan", item, "title"),
        currency=text("plan", item, "currency").upper(),
        initial_micros=number("plan", item, "initial_price"),
        renewal_micros=number("plan", item, "renewal_price"),
    )


def _kept(item: Json, keys: frozenset[str], dropped: frozenset[str]) -> str:
    # Nobody has looked yet at what a new field holds.
    kept = {
        key: value if key in keys else _without_addresses(value)
        for key, value in item.items()
        if key in keys or key not in dropped
    }
    return dumps(kept, ordered=True)


def _without_addresses(value: Any) -> Any:
    # Value by value: in the text of the JSON an escape such as \\n runs into the address behind it.
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, list):
        return [_without_addresses(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {without_addresses(key): _without_addresses(each) for key, each in cast("Json", value).items()}
    return value


def address_hashes(members: Iterable[Json], ring: KeyRing) -> dict[str, str]:
    """Keyed hash of each buyer's e-mail by ``mber_…``; buyers without one are left out."""
    return {
        text("member", member, "id"): ring.hash_address(address)
        for member in members
        if (address := optional_text("member", member, "email"))
    }


def without_buyers(rows: Mapping[str, MembershipRow], hashes: Collection[str]) -> dict[str, MembershipRow]:
    """The rows by id, without what they say of the holders that these hashes stand for."""
    return {key: row._replace(**BUYER) if row.holder_hash in hashes else row for key, row in rows.items()}


def account_of(membership: Json) -> str:
    """The account (``biz_…``) that sells a membership."""
    account = membership.get("account")
    if not isinstance(account, dict):
        raise bad("membership", membership, "account", "an object")
    return text("membership's account", cast("Json", account), "id")


def membership_row(
    account_profile_id: str,
    item: Json,
    plans: Mapping[str, Plan],
    holder_hash: str | None,
    moment: datetime,
) -> MembershipRow:
    """The row of one membership, before it is known who holds it and what it gives (see :mod:`platforms.whop.tiers`).

    Raises:
        DataError: a key that matters is missing.
    """
    what = "membership"
    product = item.get("product")
    if not isinstance(product, dict):
        raise bad(what, item, "product", "an object")
    cancels = item.get("cancel_at_period_end")
    if not isinstance(cancels, bool):
        raise bad(what, item, "cancel_at_period_end", "true or false")
    price = optional_money(what, item, "renewal_price") or optional_money(what, item, "initial_price")
    plan_id = text(what, item, "plan_id")
    plan = plans.get(plan_id)
    return MembershipRow(
        id=text(what, item, "id"),
        account_profile_id=account_profile_id,
        profile_id=None,
        matched_by=None,
        status=text(what, item, "status"),
        has_access=False,
        plan_id=plan_id,
        plan_name=plan.title if plan else None,
        tier=None,
        product_id=text(what, item, "product_id"),
        product_name=optional_text("membership's product", cast("Json", product), "title"),
        whop_user_id=optional_text(what, item, "user_id"),
        member_id=optional_text(what, item, "member_id"),
        holder_hash=holder_hash,
        created_at=time(what, item, "created_at"),
        updated_at=time(what, item, "updated_at"),
        current_period_start=optional_time(what, item, "current_period_start"),
        current_period_end=optional_time(what, item, "current_period_end"),
        cancel_at_period_end=cancels,
        canceled_at=optional_time(what, item, "canceled_at"),
        price_micros=price.micros if price else None,
        currency=price.currency if price else None,
        raw=_kept(item, catalog.MEMBERSHIP_KEPT, catalog.MEMBERSHIP_DROPPED),
        first_seen_at=moment,
        ingested_at=moment,
    )


def payment_raw(item: Json) -> str:
    """A payment's JSON without what is personal or depends on the way it was read."""
    return _kept(item, catalog.PAYMENT_KEPT, catalog.PAYMENT_DROPPED)


def new_keys(items: Iterable[Json], known: frozenset[str]) -> frozenset[str]:
    """Keys this code has never heard of."""
    return frozenset(key for item in items for key in item.keys() - known)
