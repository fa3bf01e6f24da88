"""From Gumroad's JSON to typed rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_text import dumps
from creator_pipeline.core.money import MICROS, decimals, from_cents
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import aware_utc
from creator_pipeline.platforms.gumroad import catalog
from creator_pipeline.platforms.gumroad.personal import BUYER

Json = dict[str, Any]

_NOT_KEPT = catalog.VOLATILE | catalog.PERSONAL
_AMOUNT = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
_COUNT = re.compile(r"[0-9]{1,10}")
_MOST_CENTS, _MOST_DIGITS = 10**12, 15
_INTEGER, _BIGINT = 2**31 - 1, 2**63 - 1


class SaleRow(NamedTuple):
    """A row of ``gumroad_sales``, in the order of its columns."""

    profile_id: str
    id: str
    partition_day: date
    created_at: datetime
    local_day: date | None
    order_id: int | None
    product_id: str | None
    product_name: str | None
    quantity: int
    price_micros: int
    fee_micros: int
    refunded_micros: int | None
    refund_exact: bool
    affiliate_micros: int | None
    listed_currency: str | None
    refunded: bool
    partially_refunded: bool
    chargedback: bool
    disputed: bool
    dispute_won: bool
    kind: str
    subscription_id: str | None
    recurring_charge: bool
    buyer_hash: str | None
    country: str | None
    raw: str
    ingested_at: datetime


class ProductRow(NamedTuple):
    """A row of ``gumroad_products``, in the order of its columns."""

    profile_id: str
    id: str
    name: str
    currency: str
    price_micros: int | None
    published: bool
    url: str | None
    sales_count: int | None
    sales_usd_micros: int | None
    raw: str
    first_seen_at: datetime
    ingested_at: datetime
    removed_at: datetime | None


def _bad(what: str, item: Json, key: str, expected: str) -> DataError:
    found = item.get(key)
    return DataError(
        f"A Gumroad {what} ({item.get('id')}) has no usable {key}.",
        hint="The API may have changed; nothing was written for its day.",
        column=key,
        # The value only where it can't be personal: none of the keys read strictly is.
        found="nothing" if found is None else f"{type(found).__name__} {str(found)[:40]!r}",
        expected=expected,
    )


def _text(what: str, item: Json, key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise _bad(what, item, key, "text")
    return value


def _optional_text(what: str, item: Json, key: str) -> str | None:
    value = item.get(key)
    if value is None or isinstance(value, str):
        return value
    raise _bad(what, item, key, "text or null")


def _cents(what: str, item: Json, key: str, default: int | None = None) -> int:
    value = item.get(key, default)
    if not _whole(value, _MOST_CENTS):
        raise _bad(what, item, key, "a whole number of minor units")
    return value


def _whole(value: Any, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= most


def _flag(what: str, item: Json, key: str) -> bool:
    value = item.get(key)
    if value is None or value is True or value is False:
        return bool(value)
    raise _bad(what, item, key, "true or false")


def local_day(daystamp: object) -> date | None:
    """Day of a ``daystamp`` such as ``16 Sep 2026  7:20 AM``: the seller's own, as Gumroad's totals count it."""
    return _calendar_day(str(daystamp)[:11].strip())


@lru_cache(maxsize=4096)
def _calendar_day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%d %b %Y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def amount(text: object) -> Decimal | None:
    """The number in a price made for people (``$1,250``, ``€7.50 a month``); None where there is none."""
    match = _AMOUNT.search(str(text)) if text is not None else None
    if match is None:
        return None
    number = Decimal(match.group().replace(",", ""))
    if number.adjusted() > _MOST_DIGITS:
        return None
    # Less than a dollar is written 99¢.
    return number / 100 if str(text)[match.end() :].startswith("¢") else number


def refunded_cents(sale: Json, price: int, currency: str | None) -> tuple[int | None, bool]:
    """What was given back of a sale, in US cents, and whether that is exact.

    The API has no refund amounts: a full refund is the price; a partial one is the price less what is still
    refundable, which is text in the *listed* currency. For other currencies than the dollar the proportion is
    taken, which can be a cent off. Only the two flags say that there was a refund: ``amount_refundable`` is "0"
    also where the payment processor is gone.
    """
    if sale.get("refunded") is True:
        return price, True
    if sale.get("partially_refunded") is not True:
        return 0, True
    left, exact = amount(sale.get("amount_refundable_in_currency")), currency == "USD"
    total = Decimal(price) / 100 if exact else amount(sale.get("formatted_total_price"))
    # Nothing left of a sale that was given back in part: its payment processor is gone.
    if left is None or not total or not 0 < left < total:
        return None, False
    return price - int((price * left / total).to_integral_value(ROUND_HALF_UP)), exact


def _kind(sale: Json) -> str:
    if sale.get("is_gift_receiver_purchase") is True:
        return "gift_receipt"
    if sale.get("is_bundle_product_purchase") is True:
        return "bundle_part"
    # A trial's sign-up shows the plan's price although nothing was charged; the first charge is a sale of its own.
    if sale.get("subscription_id") and sale.get("free_trial_ends_on") and sale.get("recurring_charge") is not True:
        return "trial"
    return "sale"


def _affiliate_micros(sale: Json) -> int | None:
    affiliate = sale.get("affiliate")
    if not isinstance(affiliate, dict):
        return None
    share = amount(affiliate.get("amount"))
    return None if share is None else int(share * MICROS)


def _currency(sale: Json, currencies: Mapping[str, str]) -> str | None:
    named = sale.get("currency")
    if isinstance(named, str) and named:
        return named.upper()
    return currencies.get(str(sale.get("product_id"))) or catalog.CURRENCY_OF_SYMBOL.get(
        str(sale.get("currency_symbol"))
    )


def kept(item: Json) -> str:
    """The JSON that is stored: without what is personal and what differs on every read."""
    left = item.copy()
    for key in _NOT_KEPT:  # a third of the time of a comprehension, which would ask for each of the 65 keys
        left.pop(key, None)
    return dumps(left)


def sale_row(
    profile_id: str, sale: Json, currencies: Mapping[str, str], ring: KeyRing, ingested_at: datetime
) -> SaleRow:
    """The row of one sale.

    Args:
        currencies: listed currency of each product, upper case, by product id.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    price = _cents("sale", sale, "price")
    currency = _currency(sale, currencies)
    kind = _kind(sale)
    refunded, exact = refunded_cents(sale, price, currency) if kind == "sale" else (0, True)
    try:
        created_at = aware_utc(_text("sale", sale, "created_at"))
    except ValueError:
        raise _bad("sale", sale, "created_at", "a time with its zone") from None
    address = sale.get("purchase_email") or sale.get("email")
    order_id, quantity = sale.get("order_id"), sale.get("quantity")
    if quantity is not None and not _whole(quantity, _INTEGER):
        raise _bad("sale", sale, "quantity", "a whole number")
    return SaleRow(
        profile_id=profile_id,
        id=_text("sale", sale, "id"),
        partition_day=created_at.date(),
        created_at=created_at,
        local_day=local_day(sale.get("daystamp")),
        order_id=order_id if _whole(order_id, _BIGINT) else None,
        product_id=_optional_text("sale", sale, "product_id"),
        product_name=_optional_text("sale", sale, "product_name"),
        quantity=max(1, quantity or 1),
        price_micros=from_cents(price),
        fee_micros=from_cents(_cents("sale", sale, "gumroad_fee", None if price and kind == "sale" else 0)),
        refunded_micros=None if refunded is None else from_cents(refunded),
        refund_exact=exact,
        affiliate_micros=_affiliate_micros(sale),
        listed_currency=currency,
        refunded=_flag("sale", sale, "refunded"),
        partially_refunded=_flag("sale", sale, "partially_refunded"),
        chargedback=_flag("sale", sale, "chargedback"),
        disputed=_flag("sale", sale, "disputed"),
        dispute_won=_flag("sale", sale, "dispute_won"),
        kind=kind,
        subscription_id=_optional_text("sale", sale, "subscription_id"),
        recurring_charge=_flag("sale", sale, "recurring_charge"),
        buyer_hash=ring.hash_address(address) if isinstance(address, str) and address else None,
        country=_optional_text("sale", sale, "country_iso2"),
        raw=kept(sale),
        ingested_at=ingested_at,
    )


def without_buyers(rows: Sequence[SaleRow], hashes: Collection[str]) -> Sequence[SaleRow]:
    """The rows, without what they say of the buyers that these hashes stand for."""
    if not hashes:
        return rows
    return [row._replace(**BUYER) if row.buyer_hash in hashes else row for row in rows]


def product_row(profile_id: str, product: Json, moment: datetime) -> ProductRow:
    """The row of one product.

    Raises:
        DataError: a key that matters is missing.
    """
    currency = _text("product", product, "currency").upper()
    if product.get("price") is not None:
        _cents("product", product, "price")
    price, earned = product.get("price"), product.get("sales_usd_cents")
    return ProductRow(
        profile_id=profile_id,
        id=_text("product", product, "id"),
        name=_text("product", product, "name"),
        currency=currency,
        price_micros=price * MICROS // 10 ** decimals(currency) if isinstance(price, int) else None,
        published=_flag("product", product, "published"),
        url=_optional_text("product", product, "short_url"),
        sales_count=_count(product.get("sales_count")),
        # It comes from a search aggregation as 128450.0.
        sales_usd_micros=from_cents(round(earned))
        if isinstance(earned, int | float) and abs(earned) <= _MOST_CENTS
        else None,
        raw=dumps({key: value for key, value in product.items() if key not in catalog.VOLATILE}),
        first_seen_at=moment,
        ingested_at=moment,
        removed_at=None,
    )


def _count(told: object) -> int | None:
    if isinstance(told, str) and _COUNT.fullmatch(told):
        told = int(told)
    return told if _whole(told, _INTEGER) and told >= 0 else None
