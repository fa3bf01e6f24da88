"""The tables of PostHog's sources beside ours, with rows of the sandbox: a part of the page of declared tables."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from inspect import getsource
from types import ModuleType

from creator_pipeline.platforms.gumroad import tables as gumroad_tables
from creator_pipeline.platforms.gumroad.sandbox import tables as gumroad_shown
from creator_pipeline.platforms.whop import money_tables
from creator_pipeline.platforms.whop import tables as whop_tables
from creator_pipeline_tests.support.sandbox import World

_DAY, _PROFILE = date(2026, 9, 20), "alice"
_OF_PRODUCTS = {
    "subscribers": "gumroad_subscribers",
    "product_reviews": "gumroad_reviews",
    "offer_codes": "gumroad_offer_codes",
    "variant_categories": "gumroad_variant_categories",
    "custom_fields": "gumroad_custom_fields",
}
"""PostHog's name to our table; the stand-in lists its rows by product."""
_OF_WHOP = {
    "memberships": ("whop_subscriptions", "memberships"),
    "payments": ("whop_payments", "payments"),
    "members": ("whop_members", "members"),
    "products": ("whop_products", "products"),
    "entries": ("whop_waiting_list", "waitlist_entries"),
    "invoices": ("whop_invoices", "invoices"),
    "refunds": ("whop_refunds", "refunds"),
    "disputes": ("whop_disputes", "disputes"),
    "dispute_alerts": ("whop_dispute_alerts", "dispute_alerts"),
    "promo_codes": ("whop_promo_codes", "promo_codes"),
    "leads": ("whop_leads", "leads"),
    "affiliates": ("whop_affiliates", "affiliates"),
}
"""PostHog's name to our table, and to the stand-in's list."""
MISSING: Mapping[str, str] = {
    "company_token_transactions": "tokens of an account, which are no money",
    "setup_intents": "a stored way to pay: a person's, and no sale",
    "experiences": "what a product shows: no sale",
    "checkout_configurations": "settings of a page",
    "shipments": "addresses and parcels: a person's, and no sale",
}
"""PostHog's tables of Whop that are not here, and why."""
_HEAD = """## Beside PostHog's tables
PostHog's warehouse sources have 8 tables of Gumroad and 17 of Whop. Rows are those of one account of the sandbox (`alice`,
20 September 2026), which the tests find in each table. What ours do and theirs don't: a row that is gone stays, with the day on
which it was missed; a change of an old row is found (refunds and disputes of a year ago, a lead that became a member, an offer
code that was used), where reading on by time of creation passes it by; a page that changes while it is read loses and removes nobody;
addresses are keyed hashes and what isn't declared isn't kept; webhooks refresh the row that they name.

| PostHog | here | table | rows of the sandbox |
|---|---|---|---|
"""


def _rows() -> Iterator[tuple[str, str, int]]:
    world = World.invented(7, today=_DAY)
    seller, account = world.gumroad[_PROFILE], world.whop[_PROFILE]
    yield "gumroad sales", "gumroad_sales", len(seller.sales)
    yield "gumroad products", "gumroad_products", len(seller.products)
    yield "gumroad payouts", "payouts", len(seller.books.run.payouts)
    for name, table in _OF_PRODUCTS.items():
        counts = (len(gumroad_shown.rows(seller, name, product.id)) for product in seller.products)
        yield f"gumroad {name}", table, sum(counts)
    for name, (table, listed) in _OF_WHOP.items():
        yield f"whop {name}", table, len(account.tables[listed])


def lines_of(*modules: ModuleType) -> dict[str, int]:
    """Lines of each declaration of a table, by its name in the code."""
    found = dict[str, int]()
    for module in modules:
        for node in ast.parse(getsource(module)).body:
            called = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.func
            if isinstance(node, ast.Assign) and isinstance(called, ast.Name) and called.id == "TableStream":
                found[ast.unparse(node.targets[0])] = (node.end_lineno or 0) - node.lineno + 1
    return found


def text(rows: Callable[[], Iterator[tuple[str, str, int]]] = _rows) -> str:
    """The part of the page."""
    lines = [f"| {theirs} | yes | `{table}` | {count:,} |" for theirs, table, count in rows()]
    lines += [f"| whop {name} | no: {why} | | |" for name, why in MISSING.items()]
    sizes = sorted(lines_of(gumroad_tables, whop_tables, money_tables).values())
    last = (
        f"\nA declaration takes {sizes[0]} to {sizes[-1]} lines, {statistics.median(sizes):.0f} in the middle, a line a "
        "column. Gumroad's sales and Whop's payments, which have rules of their own, take about 1,500 lines each.\n"
    )
    return _HEAD + "\n".join(lines) + "\n" + last
