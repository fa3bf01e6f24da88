"""From Gumroad's JSON to typed rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from creator_pipeline.core.json_fields import FieldReader, Json, is_whole, stored, stored_as_known
from creator_pipeline.core.money import MICROS, from_cents
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import catalog
from creator_pipeline.platforms.gumroad.answers import without_processor
from creator_pipeline.platforms.gumroad.personal import BUYER
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale

_FEE_TOLD = re.compile(r'"gumroad_fee":\s*[0-9]')
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
    processor: str | None = None

    @property
    def fee_told(self) -> bool:
        """False for a sale for money that doesn't tell its fee: it is 0 here."""
        return bool(self.fee_micros or not self.price_micros or _FEE_TOLD.search(self.raw))


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


FIELDS = FieldReader(
    "Gumroad",
    "The API may have changed; nothing was written for its day.",
    absent_is_null=True,
    # None of the fields that are read so is personal.
    shows_values=True,
)


def _cents(what: str, item: Json, key: str) -> int:
    return FIELDS.whole(what, item, key, _MOST_CENTS, "a whole number of minor units")


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
    if left is None or not total or not 0 < left <= total:
        return None, False
    # All of it left: only tax went back, which is no part of the price.
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
    listed = currencies.get(str(sale.get("product_id")))
    for told in (sale.get("currency"), sale.get("currency_symbol")):
        if isinstance(told, str) and told:
            return catalog.currency_of(told, listed)
    return listed


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
    created_at = FIELDS.time("sale", sale, "created_at")
    address = sale.get("purchase_email") or sale.get("email")
    order_id = sale.get("order_id")
    quantity = 1 if sale.get("quantity") is None else FIELDS.whole("sale", sale, "quantity", _INTEGER)
    # A sale of nothing needs no fee; of another one the check fees_known tells.
    fee = 0 if sale.get("gumroad_fee") is None else _cents("sale", sale, "gumroad_fee")
    return SaleRow(
        profile_id=profile_id,
        id=FIELDS.text("sale", sale, "id"),
        partition_day=created_at.date(),
        created_at=created_at,
        local_day=local_day(sale.get("daystamp")),
        order_id=order_id if is_whole(order_id, _BIGINT) else None,
        product_id=FIELDS.optional_text("sale", sale, "product_id"),
        product_name=FIELDS.optional_text("sale", sale, "product_name"),
        quantity=max(1, quantity),
        price_micros=from_cents(price),
        fee_micros=from_cents(fee),
        refunded_micros=None if refunded is None else from_cents(refunded),
        refund_exact=exact,
        affiliate_micros=_affiliate_micros(sale),
        listed_currency=currency,
        refunded=FIELDS.optional_flag("sale", sale, "refunded"),
        partially_refunded=FIELDS.optional_flag("sale", sale, "partially_refunded"),
        chargedback=FIELDS.optional_flag("sale", sale, "chargedback"),
        disputed=FIELDS.optional_flag("sale", sale, "disputed"),
        dispute_won=FIELDS.optional_flag("sale", sale, "dispute_won"),
        kind=kind,
        subscription_id=FIELDS.optional_text("sale", sale, "subscription_id"),
        recurring_charge=FIELDS.optional_flag("sale", sale, "recurring_charge"),
        buyer_hash=ring.hash_address(address) if isinstance(address, str) and address else None,
        country=FIELDS.optional_text("sale", sale, "country_iso2"),
        raw=kept_json(sale),
        ingested_at=ingested_at,
        processor=_processor(sale),
    )


def kept_json(sale: Json) -> str:
    """The JSON of a sale as it is kept: without what is personal, or changes by itself.

    Raises:
        DataError: it is nested deeper than can be written.
    """
    # Asked once for all that would ask: each question looks at all keys of the sale.
    if catalog.SALE_KEYS.issuperset(sale):
        return stored_as_known(sale, _NOT_KEPT)
    return stored(without_processor(sale, catalog.SALE_KEYS), catalog.SALE_KEYS, _NOT_KEPT)


def _processor(sale: Json) -> str | None:
    """Whose account took the money past Gumroad's balance; the key is there for such sales only."""
    told = sale.get("payment_processor")
    return told.lower() if isinstance(told, str) and told.lower() in catalog.OWN_PROCESSORS else None


_LEDGER = attrgetter(*GumroadSale._fields)


def ledger_sale(row: SaleRow) -> GumroadSale:
    """What the ledger needs of a row: what would be read of it once it is stored."""
    return GumroadSale(*_LEDGER(row))


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
    told = FIELDS.text("product", product, "currency")
    currency = catalog.currency_of(told) or told.upper()
    if product.get("price") is not None:
        _cents("product", product, "price")
    price, earned = product.get("price"), product.get("sales_usd_cents")
    return ProductRow(
        profile_id=profile_id,
        id=FIELDS.text("product", product, "id"),
        name=FIELDS.text("product", product, "name"),
        currency=currency,
        price_micros=price * MICROS // 10 ** catalog.decimals(currency) if isinstance(price, int) else None,
        published=FIELDS.optional_flag("product", product, "published"),
        url=FIELDS.optional_text("product", product, "short_url"),
        sales_count=_count(product.get("sales_count")),
        # It comes from a search aggregation as 128450.0.
        sales_usd_micros=from_cents(round(earned))
        if isinstance(earned, int | float) and abs(earned) <= _MOST_CENTS
        else None,
        raw=stored(product, frozenset(), catalog.VOLATILE),
        first_seen_at=moment,
        ingested_at=moment,
        removed_at=None,
    )


def _count(told: object) -> int | None:
    if isinstance(told, str) and _COUNT.fullmatch(told):
        told = int(told)
    return told if is_whole(told, _INTEGER) and told >= 0 else None
