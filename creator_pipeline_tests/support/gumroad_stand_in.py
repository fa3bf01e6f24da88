"""Sales and books of the Gumroad stand-in, made by hand, and its answers over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson

from creator_pipeline.platforms.gumroad.sandbox.books import Books
from creator_pipeline.platforms.gumroad.sandbox.payout_rows import statement
from creator_pipeline.platforms.gumroad.sandbox.payouts import FRIDAY, Payout, Terms
from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.paths import FIXTURES

PRODUCT = Product("BkEeA-2gurRxoF_eWxTaVA==", "kit", "Loop Kit Vol. 3", 1000)


def payout_fixture(name: str) -> dict[str, Any]:
    """A written-down answer about payouts."""
    return orjson.loads((FIXTURES / "gumroad" / "payouts" / name).read_bytes())


def at(text: str) -> int:
    """Seconds since 1970 of a UTC day, or a day and a time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def made_sale(name: str, day: str, price: int, fee: int, **over: Any) -> Sale:
    """A sale that cost ``price`` and of which the service took ``fee``, in US cents."""
    return Sale(name, 1, at(day), 1, PRODUCT, price, fee, Buyer("b@example.com"), **over)


def made_books(start: str, terms: Terms | None = None) -> Books:
    """Empty books from a day on, by default paid to a bank on Fridays."""
    return Books("seller", terms or Terms("stripe", FRIDAY, "usd"), date.fromisoformat(start))


def read_payout(server: Any, profile: str, payout_id: str, **asked: str) -> dict[str, Any]:
    """A payout with its lines, as the stand-in shows it."""
    headers = {"Authorization": f"Bearer {server.world.gumroad[profile].token}"}
    params = {"include_transactions": "true", **asked}
    return local_http.get(f"{server.url}/v2/payouts/{payout_id}", params=params, headers=headers).json()["payout"]


def cents(value: float | str) -> int:
    """What a line's number is in US cents; the empty text is nothing."""
    return 0 if value == "" else round(float(value) * 100)


PAYPAL = Terms("paypal", FRIDAY, "usd")


def day(text: str) -> date:
    """A UTC day."""
    return date.fromisoformat(text)


def shown(books: Books, payout: Payout) -> list[tuple[str, str, str, int, int, int]]:
    """What the stand-in shows of a payout, as (type, purchase id, price, fees, net) in cents with its day."""
    told = statement(books, payout.balances, payout.period_end, payout=payout, currency=payout.currency)
    return [
        (row.day.isoformat(), row.type, row.sale.id if row.sale else "", row.price or 0, row.fee or 0, row.net)
        for row in (*told.rows, *told.connect)
    ]
