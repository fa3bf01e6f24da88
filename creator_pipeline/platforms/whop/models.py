"""From Whop's JSON to typed rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple, cast

from creator_pipeline.core.json_fields import FieldReader, Json, stored
from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.personal import BUYER


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
    units: int
    currency: str
    total_micros: int
    fee_micros: int | None
    refunded_micros: int
    refunds: str
    disputes: str
    alerts: str
    final: bool
    raw: str
    ingested_at: datetime


FIELDS = FieldReader(
    "Whop", "The API may have changed, or the key lacks a permission; nothing was written.", absent_is_null=False
)


def money(what: str, item: Json, key: str) -> Money:
    """A Money object: exact decimal text in units of its currency, never cents.

    Raises:
        DataError: the key is missing, or its value is no amount with a currency in exact decimal text.
    """
    value = item.get(key)
    if not isinstance(value, dict):
        raise FIELDS.bad(what, item, key, "an amount with its currency")
    amount, currency = cast("Json", value).get("amount"), cast("Json", value).get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str) or not currency:
        raise FIELDS.bad(what, item, key, "an amount with its currency")
    try:
        return Money(from_decimal(amount), currency.upper())
    except ValueError:
        raise FIELDS.bad(what, item, key, "exact decimal text") from None


def optional_money(what: str, item: Json, key: str) -> Money | None:
    """A Money object that may be null, but whose key must be there.

    Raises:
        DataError: the key is missing, or its value is neither null nor a Money object.
    """
    if key not in item:
        raise FIELDS.bad(what, item, key, "an amount with its currency, or null")
    return None if item[key] is None else money(what, item, key)


def plan_of(item: Json) -> Plan:
    """A plan; its prices are JSON numbers."""
    return Plan(
        id=FIELDS.text("plan", item, "id"),
        title=FIELDS.optional_text("plan", item, "title"),
        currency=FIELDS.text("plan", item, "currency").upper(),
        initial_micros=FIELDS.decimal_micros("plan", item, "initial_price"),
        renewal_micros=FIELDS.decimal_micros("plan", item, "renewal_price"),
    )


def address_hashes(members: Iterable[Json], ring: KeyRing) -> dict[str, str]:
    """Keyed hash of each buyer's e-mail by ``mber_…``; buyers without one are left out."""
    return {
        FIELDS.text("member", member, "id"): ring.hash_address(address)
        for member in members
        if (address := FIELDS.optional_text("member", member, "email"))
    }


def without_buyers(rows: Mapping[str, MembershipRow], hashes: Collection[str]) -> dict[str, MembershipRow]:
    """The rows by id, without what they say of the holders that these hashes stand for."""
    return {key: row._replace(**BUYER) if row.holder_hash in hashes else row for key, row in rows.items()}


def account_of(membership: Json) -> str:
    """The account (``biz_…``) that sells a membership.

    Raises:
        DataError: the account or its id is missing.
    """
    account = membership.get("account")
    if not isinstance(account, dict):
        raise FIELDS.bad("membership", membership, "account", "an object")
    return FIELDS.text("membership's account", cast("Json", account), "id")


def membership_row(
    account_profile_id: str,
    item: Json,
    titles: Mapping[str, str | None],
    holder_hash: str | None,
    moment: datetime,
) -> MembershipRow:
    """The row of one membership, before it is known who holds it and what it gives (see :mod:`platforms.whop.tiers`).

    Args:
        account_profile_id: the profile whose account sells it.
        item: the membership as the API tells it.
        titles: of the plans by ``plan_…``; without its plan the row has no ``plan_name``.
        holder_hash: keyed hash of the holder's e-mail; None where it isn't known.
        moment: of the load; stored as ``first_seen_at`` and ``ingested_at``.

    Raises:
        DataError: a key that matters is missing.
    """
    what = "membership"
    product = item.get("product")
    if not isinstance(product, dict):
        raise FIELDS.bad(what, item, "product", "an object")
    price = optional_money(what, item, "renewal_price") or optional_money(what, item, "initial_price")
    plan_id = FIELDS.text(what, item, "plan_id")
    return MembershipRow(
        id=FIELDS.text(what, item, "id"),
        account_profile_id=account_profile_id,
        profile_id=None,
        matched_by=None,
        status=FIELDS.text(what, item, "status"),
        has_access=False,
        plan_id=plan_id,
        plan_name=titles.get(plan_id),
        tier=None,
        product_id=FIELDS.text(what, item, "product_id"),
        product_name=FIELDS.optional_text("membership's product", cast("Json", product), "title"),
        whop_user_id=FIELDS.optional_text(what, item, "user_id"),
        member_id=FIELDS.optional_text(what, item, "member_id"),
        holder_hash=holder_hash,
        created_at=FIELDS.time(what, item, "created_at"),
        updated_at=FIELDS.time(what, item, "updated_at"),
        current_period_start=FIELDS.optional_time(what, item, "current_period_start"),
        current_period_end=FIELDS.optional_time(what, item, "current_period_end"),
        cancel_at_period_end=FIELDS.flag(what, item, "cancel_at_period_end"),
        canceled_at=FIELDS.optional_time(what, item, "canceled_at"),
        price_micros=price.micros if price else None,
        currency=price.currency if price else None,
        raw=stored(item, catalog.MEMBERSHIP_KEPT, catalog.MEMBERSHIP_DROPPED, ordered=True),
        first_seen_at=moment,
        ingested_at=moment,
    )


def payment_raw(item: Json) -> str:
    """A payment's JSON without what is personal or depends on the way it was read."""
    return stored(item, catalog.PAYMENT_KEPT, catalog.PAYMENT_DROPPED, ordered=True)
