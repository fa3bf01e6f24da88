"""From the API's JSON to rows: every fixture, and what happens when a field changes."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import stored, unknown_keys
from creator_pipeline.platforms.gumroad import catalog
from creator_pipeline.platforms.gumroad.answers import without_processor
from creator_pipeline.platforms.gumroad.catalog import SALE_KEYS
from creator_pipeline.platforms.gumroad.ledger import GumroadSale, gumroad_events
from creator_pipeline.platforms.gumroad.models import SaleRow, amount, kept_json, local_day, product_row, sale_row
from creator_pipeline.platforms.gumroad.sandbox.sale_json import sale_fields
from creator_pipeline.platforms.gumroad.sandbox.shapes import to_cents
from creator_pipeline.store.tables import gumroad_products, gumroad_sales
from creator_pipeline_tests.support.gumroad_samples import FIXTURES, fixture, sale_of

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)
SALES = sorted(path.stem for path in FIXTURES.glob("sale_*.json"))
PAGES = ["sales_page_1", "sales_page_2"]


@pytest.fixture
def row(ring):
    """Makes the row of a sale."""
    return lambda sale, currencies=None: sale_row("alice", sale, currencies or {}, ring, NOW)


def money(found: SaleRow) -> tuple:
    """What the ledger will say: kind, price, fee, refund in cents, and whether the refund is exact."""
    refunded = found.refunded_micros
    return (
        found.kind,
        found.price_micros // 10_000,
        found.fee_micros // 10_000,
        refunded and refunded // 10_000,
        found.refund_exact,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sale_buyer_presentment", ("sale", 9800, 1344, 0, True)),
        ("sale_chargedback", ("sale", 4900, 712, 0, True)),
        ("sale_discover", ("sale", 700, 210, 0, True)),
        ("sale_dispute_won", ("sale", 4900, 712, 0, True)),
        ("sale_eur_utf8", ("sale", 2174, 360, 0, True)),
        ("sale_free_trial_not_charged", ("trial", 500, 145, 0, True)),
        ("sale_free_zero", ("sale", 0, 0, 0, True)),
        ("sale_legacy_2025_shape", ("sale", 4900, 712, 0, True)),
        ("sale_partially_refunded", ("sale", 4410, 649, 1900, True)),
        ("sale_physical_shipping_tax", ("sale", 5895, 840, 0, True)),
        ("sale_recurring_charge", ("sale", 1200, 235, 0, True)),
        ("sale_refunded", ("sale", 3500, 532, 3500, True)),
        ("sale_variants_custom_fields_affiliate", ("sale", 4900, 712, 0, True)),
    ],
)
def test_each_kind_of_sale_becomes_its_money(row, name, expected):
    """Guards: revenue of trials, of refunds that never happened, of yen taken for cents."""
    assert money(row(fixture(name)["sale"])) == expected


def test_every_sale_of_the_fixtures_is_covered_by_the_table_above():
    """Guards: a new fixture that nobody looks at."""
    table = next(mark for mark in test_each_kind_of_sale_becomes_its_money.pytestmark if mark.name == "parametrize")
    assert [name for name, _ in table.args[1]] == SALES


@pytest.mark.parametrize("page", PAGES)
def test_pages_become_rows_and_ledger_rows_that_never_give_back_more_than_they_brought(row, page):
    """Guards: a fixture that the models refuse, and a sale with negative revenue."""
    for sale in fixture(page)["sales"]:
        found = row(sale)
        assert found.partition_day == date.fromisoformat(sale["created_at"][:10])
        events = gumroad_events(GumroadSale(*(getattr(found, name) for name in GumroadSale._fields)), NOW)
        assert sum(event.gross_micros for event in events) >= 0


def test_the_columns_stand_in_the_order_of_the_table(row):
    """Guards: a fee in the column of a refund."""
    assert list(SaleRow._fields) == gumroad_sales.c.keys()
    assert list(product_row("alice", fixture("product_show")["product"], NOW)._fields) == gumroad_products.c.keys()


@pytest.mark.parametrize("name", [*SALES, *PAGES])
def test_what_is_stored_of_a_buyer_is_a_hash(row, name):
    """Guards: addresses, names and cards of buyers in a database dump."""
    body = fixture(name)
    for sale in body.get("sales") or [body["sale"]]:
        found = row(sale)
        personal = {
            str(sale[key])
            for key in catalog.PERSONAL & sale.keys()
            if isinstance(sale[key], str) and len(sale[key]) > 3
        }
        if isinstance(sale.get("affiliate"), dict):
            personal.add(sale["affiliate"]["email"])
        personal |= {str(value) for value in sale.get("custom_fields", {}).values() if isinstance(value, str)}
        stored = json.dumps(found, default=str, ensure_ascii=False)
        assert "@" not in stored
        assert not [value for value in personal if value in stored and value != sale.get("referrer")]
        assert not catalog.PERSONAL & json.loads(found.raw).keys()
        if "email" in sale:
            assert found.buyer_hash
            assert len(found.buyer_hash) == 32


def test_reading_a_sale_again_later_gives_the_same_row(row):
    """Guards: 'about 2 months ago', by which every row changes every night."""
    sale = sale_of("sale_refunded")
    later = sale | {"timestamp": "about 1 year ago", "can_contact": False, "reviews_count": 99, "average_rating": 1.0}
    assert row(sale) == row(later)


def test_a_refundable_amount_of_zero_is_no_refund(row):
    """Guards: sales whose payment processor is gone, written off in full."""
    assert money(row(sale_of("sale_discover", amount_refundable_in_currency="0")))[3:] == (0, True)


@pytest.mark.parametrize(
    ("price", "currency", "total", "left", "expected"),
    [
        (4410, "usd", "$44.10", "25.10", (1900, True)),
        (125000, "usd", "$1,250", "1,000", (25000, True)),
        (99, "usd", "99¢", "0.50", (49, True)),
        (2174, "eur", "€20", "15", (543, False)),
        (1000, "jpy", "¥1,500", "500", (667, False)),
        (2349, "gbp", "£18.50 a month", "9.25", (1174, False)),
        (1000, "jpy", "¥1,500", "1,600", (None, False)),
        (1000, "usd", "$10", "11", (None, False)),
        (1000, "usd", "$10", "0", (None, False)),
        (1000, "eur", "€9.20", "0", (None, False)),
        (1000, "eur", "free", "5", (None, False)),
        (1000, "eur", "€9.20", None, (None, False)),
        (1000, "eur", None, "5", (None, False)),
        (1000, "usd", "$10", "much", (None, False)),
    ],
)
def test_a_partial_refund_is_derived_or_said_to_be_unknown(row, price, currency, total, left, expected):
    """Guards: a guess that is shown as exact, a refund larger than its sale, a negative one, and a sale given back
    in part whose processor is gone, taken for one given back whole."""
    sale = sale_of(
        "sale_partially_refunded",
        price=price,
        currency=currency,
        formatted_total_price=total,
        amount_refundable_in_currency=left,
    )
    assert money(row(sale))[3:] == expected


@given(st.integers(2, 10**7), st.sampled_from(["jpy", "eur", "gbp", "usd"]), st.data())
def test_an_estimated_refund_is_right_to_the_cent_and_an_exact_one_exactly(price, currency, data):
    """Guards: an error larger than what settling with the platform's totals accepts."""
    from creator_pipeline.core.secrets import KeyRing, new_key
    from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale

    refunded = data.draw(st.integers(1, price - 1))
    product = Product("p==", "p", "P", 100, currency)
    sale = Sale("s==", 1, 1_790_000_000, 1, product, price, 0, Buyer("a@example.com"), refunded_cents=refunded)
    found = sale_row("alice", sale_fields(sale, "seller", UTC), {}, KeyRing([new_key()]), NOW)
    if found.refunded_micros is None:
        # What is left rounds to nothing, or to everything, in the listed currency.
        assert price - refunded <= 2 or refunded <= 2
    else:
        assert abs(found.refunded_micros // 10_000 - refunded) <= 1
        assert not found.refund_exact or found.refunded_micros == refunded * 10_000
    assert to_cents(100, "usd") == 100


def test_the_receivers_side_of_a_gift_and_parts_of_a_bundle_carry_no_money(row):
    """Guards: gifts and bundles counted twice."""
    assert row(sale_of("sale_discover", is_gift_receiver_purchase=True)).kind == "gift_receipt"
    assert row(sale_of("sale_discover", is_bundle_product_purchase=True)).kind == "bundle_part"
    assert row(sale_of("sale_discover", is_bundle_purchase=True)).kind == "sale"
    assert row(sale_of("sale_discover", is_gift_sender_purchase=True)).kind == "sale"


def test_the_first_charge_after_a_trial_is_a_sale(row):
    """Guards: every membership that began with a trial missing from the ledger."""
    assert row(sale_of("sale_free_trial_not_charged", recurring_charge=True)).kind == "sale"


def test_the_currency_comes_from_the_sale_then_its_symbol_then_the_catalogue(row):
    """Guards: a dollar of Canada taken for one of the United States."""
    sale = sale_of("sale_legacy_2025_shape", currency_symbol="CAD$")
    assert row(sale).listed_currency == "CAD"
    assert row(sale, {sale["product_id"]: "AUD"}).listed_currency == "CAD"
    assert row(sale | {"currency": "nzd"}, {sale["product_id"]: "AUD"}).listed_currency == "NZD"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", None),
        ("price", "4900"),
        ("price", 49.0),
        ("price", True),
        ("price", 10**13),
        ("gumroad_fee", "1"),
        ("created_at", None),
        ("created_at", "2026-09-16"),
        ("created_at", "16 Sep"),
        ("created_at", 5),
        ("id", None),
        ("id", 7),
        ("id", ""),
        ("refunded", "false"),
        ("partially_refunded", 1),
        ("disputed", "yes"),
        ("chargedback", "no"),
        ("dispute_won", 0),
    ],
)
def test_a_missing_or_changed_field_is_an_error_that_names_it(row, field, value):
    """Guards: a renamed field that turns a year of revenue into zeros without a word."""
    with pytest.raises(DataError) as caught:
        row(sale_of("sale_partially_refunded", **{field: value}))
    assert caught.value.column == field
    assert caught.value.hint
    assert "@" not in str(caught.value)


def test_fields_nobody_has_heard_of_are_kept_and_named(row):
    """Guards: a new fact of the API lost in silence."""
    sale = sale_of("sale_discover", loyalty_points=12)
    assert unknown_keys([sale], SALE_KEYS) == {"loyalty_points"}
    assert json.loads(row(sale).raw)["loyalty_points"] == 12


def test_an_address_in_a_field_nobody_has_heard_of_is_not_stored(row):
    """Guards: a new field of the API with the buyer in it, stored in clear and found by no erasure."""
    who = {"who": ["Ada <ada@example.com>", {"ada%40example.com": 1}], "points": 7}
    raw = row(sale_of("sale_discover", loyalty=who)).raw
    assert json.loads(raw)["loyalty"] == {"who": ["Ada <[address]>", {"[address]": 1}], "points": 7}
    assert json.loads(raw)["product_name"] == sale_of("sale_discover")["product_name"]
    product = fixture("product_show")["product"] | {"collaborators": [{"email": "ada@example.com"}]}
    assert json.loads(product_row("alice", product, NOW).raw)["collaborators"] == [{"email": "[address]"}]


@given(
    st.dictionaries(
        st.sampled_from([*sorted(SALE_KEYS), "a_new_field", "charge", "stripe_charge_id"]),
        st.recursive(
            st.sampled_from([None, 7, "zine", "Ada <a@example.com>", "ch_3OqRsT2eZvKYlo2C1a"]),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "card"]), inner),
            max_leaves=4,
        ),
    )
)
def test_a_sale_whose_keys_are_all_known_is_kept_as_the_general_way_keeps_it(over):
    """Guards: a short way of such a sale that keeps what the general one cleans out, or loses what that one keeps."""
    told = sale_of("sale_discover", **over)
    general = stored(without_processor(told, SALE_KEYS), SALE_KEYS, catalog.VOLATILE | catalog.PERSONAL)
    assert kept_json(told) == general


@pytest.mark.parametrize("name", [*SALES, *PAGES])
def test_no_field_of_the_fixtures_is_unknown(name):
    """Guards: a check that cries on every run, so that nobody reads it."""
    body = fixture(name)
    odd = {key for sale in body.get("sales") or [body["sale"]] for key in unknown_keys([sale], SALE_KEYS)}
    assert odd <= {"loyalty_points", "later_addition"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,250", "1250"),
        ("€7.50 a month", "7.50"),
        ("99¢", "0.99"),
        ("¥1,500", "1500"),
        ("", None),
        (None, None),
        ("free", None),
        ("$0+", "0"),
    ],
)
def test_prices_for_people_are_read(text, expected):
    """Guards: 99¢ read as 99 dollars."""
    assert amount(text) == (None if expected is None else Decimal(expected))


def test_an_affiliates_share_is_in_micros(row):
    """Guards: a share of 50 cents shown as 50 dollars."""
    assert (
        row(sale_of("sale_discover", affiliate={"email": "o@example.com", "amount": "50¢"})).affiliate_micros == 500_000
    )
    assert row(sale_of("sale_variants_custom_fields_affiliate")).affiliate_micros > 1_000_000


def test_the_sellers_own_day_is_read_from_the_daystamp():
    """Guards: a refund settled with the totals of the wrong day."""
    assert local_day(" 4 Sep 2026  6:02 PM") == date(2026, 9, 4)
    assert [local_day(text) for text in (None, "", "yesterday", "31 Feb 2026")] == [None] * 4


@pytest.mark.parametrize("name", ["products", "products_page_1", "products_page_2"])
def test_products_become_rows(name):
    """Guards: yen divided by a hundred, and totals that come as 128450.0."""
    for product in fixture(name)["products"]:
        found = product_row("alice", product, NOW)
        factor = 1_000_000 if product["currency"] == "jpy" else 10_000
        assert found.price_micros == product["price"] * factor
        assert found.sales_usd_micros is None or found.sales_usd_micros == int(product["sales_usd_cents"]) * 10_000
    with pytest.raises(DataError) as caught:
        product_row("alice", {"id": "x"}, NOW)
    assert caught.value.column == "currency"
