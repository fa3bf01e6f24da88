"""``/v2/payouts`` and ``/v2/earnings`` over the invented books."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.balance import Balance
from creator_pipeline.platforms.gumroad.sandbox.books import Record, utc_day
from creator_pipeline.platforms.gumroad.sandbox.lists import PAGE, next_page, page_key, position, window
from creator_pipeline.platforms.gumroad.sandbox.payout_rows import (
    FIRST_DAY,
    Row,
    Statement,
    disputed_in,
    refunded_in,
    sold_in,
    statement,
)
from creator_pipeline.platforms.gumroad.sandbox.payouts import Payout, Planned, seconds
from creator_pipeline.platforms.gumroad.sandbox.shapes import utc_text

PayoutsServer = Literal["2026", "2025", "none"]
"""Which service answers: today's; that of August 2025 to January 2026, without ``transactions`` and ``upcoming``; one
that knows no payouts."""
PAYOUT_SCOPES = frozenset({"view_payouts", "account"})
TAX_SCOPES = frozenset({"view_tax_data", "account"})


def _dollars(cents: int | None, *, back: bool = False) -> float | str:
    if cents is None:
        return ""
    return -(-cents / 100) if back else cents / 100


def row_json(row: Row) -> dict[str, Any]:
    """A line as the service writes it: floats, and the empty text for nothing."""
    sale = row.sale
    whole = sale is not None and row.taxes is not None
    named = sale is not None and row.type != "Credit"
    back = whole and row.price is not None and row.price < 0
    price, fee = _dollars(row.price), _dollars(row.fee)
    net: float = row.net / 100
    if isinstance(price, float) and isinstance(fee, float) and row.type.split()[0] not in ("PayPal", "Stripe"):
        # The service subtracts doubles, and what comes out isn't rounded.
        net = price - fee
    return {
        "type": row.type,
        "date": row.day.isoformat(),
        "purchase_id": sale.id if sale else "",
        "item_name": sale.product.name if sale and named else "",
        "buyer_name": (sale.buyer.full_name or "") if sale and named else "",
        "buyer_email": sale.buyer.email if sale and named else "",
        "taxes": _dollars(row.taxes, back=back) if whole else "",
        "shipping": _dollars(row.shipping, back=back) if whole else "",
        "sale_price": price,
        "gumroad_fees": fee,
        "net_total": net,
    }


def _shuffled(found: Statement, seller: GumroadSeller, key: object) -> list[Row]:
    """By day only, as an unstable sort leaves them: within a day each reading has another order."""
    seller.readings += 1
    rng = random.Random(f"{key}/{seller.readings}")
    last = [row for row in found.rows if row.type == "Technical Adjustment"]
    rows = [row for row in (*found.rows, *found.connect) if row not in last]
    rng.shuffle(rows)
    return [*sorted(rows, key=lambda row: row.day), *last]


def _text(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}"


def _head(seller: GumroadSeller, payout: Payout | Planned) -> dict[str, Any]:
    """The head of a payout, or of one that is planned."""
    paypal = seller.books.run.terms.processor == "paypal"
    done = None
    if isinstance(payout, Payout):
        done = payout.since("completed") if payout.status == "completed" else None
        told = payout.id, _text(payout.amount), payout.currency, payout.status, utc_text(payout.created)
    else:
        status = "paused" if seller.books.run.paused else "payable"
        told = None, _text(payout.cents), "usd", status, utc_text(seconds(payout.day))
    head = dict(zip(("id", "amount", "currency", "status", "created_at"), told, strict=True))
    return head | {
        "processed_at": None if done is None else utc_text(done),
        "payment_processor": seller.books.run.terms.processor,
        "bank_account_visual": None if paypal else "******6789",
        "paypal_email": seller.email if paypal else None,
    }


def _ids(records: Iterable[Record]) -> list[str]:
    return [one.sale.id for one in sorted(records, key=lambda one: one.sale.key, reverse=True)]


def _lists(seller: GumroadSeller, balances: list[Balance]) -> dict[str, list[str]]:
    return {
        "sales": _ids(sold_in(seller.books, balances)),
        "refunded_sales": _ids(refunded_in(seller.books, balances)),
        "disputed_sales": _ids(disputed_in(seller.books, balances)),
    }


def payout_json(seller: GumroadSeller, payout: Payout | Planned, *, lists: bool, transactions: bool) -> dict[str, Any]:
    """A payout whole.

    Args:
        seller: whose.
        payout: made, or planned.
        lists: with the ids of its sales.
        transactions: with its lines.
    """
    made = payout if isinstance(payout, Payout) else None
    told = _head(seller, payout)
    if lists:
        told |= _lists(seller, payout.balances)
    if transactions:
        currency = made.currency if made else "usd"
        found = statement(seller.books, payout.balances, payout.period_end, payout=made, currency=currency)
        rows = _shuffled(found, seller, made.id if made else "planned")
        told["transactions"] = [row_json(row) for row in rows]
    return told


def payouts_page(seller: GumroadSeller, asked: Mapping[str, str], server: PayoutsServer) -> dict[str, Any]:
    """The answer to ``GET /v2/payouts``: ten a page, planned ones before all others.

    Raises:
        BadParameterError: a date or the page key is malformed; the service answers with 400.
    """
    start, end = window(asked)
    key = asked.get("page_key", "")
    low, high = seconds(FIRST_DAY) if start is None else start, end
    made = [one for one in seller.books.run.payouts if one.created >= low and (high is None or one.created < high)]
    made.sort(key=lambda one: (one.created, one.number), reverse=True)
    heads: list[dict[str, Any]] = []
    if key:
        instant, number = position(key)
        made = [one for one in made if one.created <= instant and one.number < number]
    elif server == "2026" and asked.get("include_upcoming") != "false":
        planned = seller.books.run.upcoming(seller.clock())
        shown = [one for one in planned if seconds(one.day) >= low and (high is None or seconds(one.day) < high)]
        heads = [_head(seller, one) for one in reversed(shown)]
    room = max(0, PAGE - len(heads))
    page = made[:room]
    heads += [_head(seller, one) for one in page]
    further = next_page("/v2/payouts", asked, page_key(page[-1].created, page[-1].number)) if made[room:] else {}
    return {"payouts": heads, **further}


def earnings(seller: GumroadSeller, year: int) -> dict[str, Any] | None:
    """A year's figures in US cents; None for one that isn't told: the running one, and such before the account.

    Sales of 31 December after 00:00 UTC fall out, as do those that were refunded in full and lost disputes; the tax
    that the service collected is in the gross.
    """
    records = list(seller.books.records.values())
    first = min((one.sale.created for one in records), default=seller.clock())
    if not utc_day(first).year <= year < utc_day(seller.clock()).year:
        return None
    gross = fees = taxes = shares = 0
    start, end = seconds(date(year, 1, 1)), seconds(date(year, 12, 31))
    for record in records:
        sale = record.sale
        if not start <= sale.created <= end or sale.refunded or sale.chargedback:
            continue
        gross += sale.price + sale.gumroad_tax_cents
        fees += sale.fee
        taxes += sale.gumroad_tax_cents
        shares += sale.affiliate_cents
    return {
        "year": year,
        "currency": "usd",
        "gross_cents": gross,
        "fees_cents": fees,
        "taxes_cents": taxes,
        "affiliate_credit_cents": shares,
        "net_cents": gross - fees - taxes - shares,
    }
