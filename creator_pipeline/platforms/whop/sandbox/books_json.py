"""Whop's objects of money of the dialect 2026-10-15-1, key for key."""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_HALF_EVEN, Decimal

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.books import Books, Line
from creator_pipeline.platforms.whop.sandbox.object_json import DECIMALS, Json, ident, stamp
from creator_pipeline.platforms.whop.sandbox.payout import RELEASED, Payout
from creator_pipeline.platforms.whop.sandbox.readings import Readings, places_of, usd_rate, written
from creator_pipeline.platforms.whop.sandbox.words import FEE_ORIGINS, FEE_TYPES

SEES_PAYOUTS = "payout:withdrawal:read"


def text(amount: Decimal) -> str:
    """Exact decimal text with at least two digits after the point."""
    short = amount.normalize()
    return f"{short.quantize(Decimal('0.01')) if -int(short.as_tuple().exponent) < 2 else short:f}"


def fine_money(amount: Decimal, currency: str) -> Json:
    """A Money object that may be finer than the currency is written."""
    places = DECIMALS.get(currency, 2)
    exact = text(amount) if places == 2 else f"{amount.normalize():f}"
    return {"amount": exact, "currency": currency, "decimals": places, "display_decimals": places}


def usd_of(line: Line, amount: Decimal) -> Decimal | None:
    """A line's amount in US dollars at the rate of its day; None without a rate."""
    rate = usd_rate(line.currency, line.posted_at.date())
    if rate is None or line.currency == "usd":
        return amount if rate else None
    return (amount * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def line_json(line: Line, amount: Decimal, account: WhopAccount) -> Json:
    """A row of the feed.

    Args:
        line: of the account's books.
        amount: what it changed in the balance that was asked for, in units of its currency.
        account: whose key asks.
    """
    payment = account.tables["payments"].get(line.payment_id or "")
    sold = payment["line_items"][0] if payment else {}
    user = (payment["user"] if payment else None) or {}
    email = payment["customer_email"] if payment and "member:email:read" in account.permissions else None
    usd = usd_of(line, amount)
    places = places_of(line.currency)
    return {
        "object": "ledger_activity",
        "id": line.id,
        "line_type": line.line_type,
        "amount": str(int(amount.scaleb(places))),
        "currency": {"code": line.currency, "precision": str(10**places)},
        "usd_amount": None if usd is None else text(usd),
        "posted_at": stamp(line.posted_at),
        "available_at": stamp(line.available_at),
        "payment_id": line.payment_id,
        "product_id": sold.get("product_id"),
        "product_name": sold.get("product_title"),
        "plan_id": sold.get("plan_id"),
        "plan_name": sold.get("plan_title"),
        "user_id": user.get("id"),
        "user_name": user.get("name"),
        "user_email": email,
        "resource": None,
        "source": _source(line, account, payment),
    }


def _source(line: Line, account: WhopAccount, payment: Json | None) -> Json | None:
    kind, source_id = line.source or ("payment", line.payment_id)
    if payment:
        return {
            "object": "payment",
            "id": payment["id"],
            "status": "succeeded",
            "payment_amount": None,
            "payment_method_type": "card",
            "payment_processor": None,
        }
    if kind == "payout" and source_id:
        return _payout_source(account.books.payouts[source_id], account.permissions)
    if kind == "topup":
        return {"object": kind, "id": source_id, "status": "succeeded"}
    if kind == "transfer":
        return {"object": kind, "id": source_id, "reason": "affiliate"}
    return {"object": kind, "id": source_id} if source_id else None


def _payout_source(payout: Payout, permissions: Collection[str]) -> Json:
    seen = SEES_PAYOUTS in permissions
    return {
        "object": "payout",
        "id": payout.id,
        "status": payout.status if seen else None,
        "payout_amount": fine_money(payout.principal, payout.currency) if seen else None,
        "fee_amount": fine_money(payout.fee + payout.markup, payout.currency) if seen else None,
        "fee_type": payout.fee_type if seen else None,
        "trace_code": _trace(payout) if seen else None,
    }


def _trace(payout: Payout) -> str | None:
    return f"0210000{int(ident('', payout.id)[:10], 16) % 10**8:08}" if payout.status == "completed" else None


def payout_json(payout: Payout, readings: Readings) -> Json:
    """A row of the list of payouts; ``net_amount`` is what was planned, whatever became of it."""
    beside = payout.fee_type == "exclusive" and not readings.amount_with_fee
    amount = payout.principal if beside or payout.fee_paid_by == "platform" else payout.taken
    fee, markup, net = payout.fee, payout.markup, payout.principal
    if payout.status == "canceled" and payout.request_id:
        fee = markup = net = Decimal(0)
    done = payout.status in ("completed", "reversed")
    delivered = written(payout.principal * payout.rate, payout.destination_currency or "") if payout.rate else None
    return {
        "object": "payout",
        "id": payout.id,
        "amount": text(amount),
        "currency": payout.currency,
        "fee_amount": text(fee),
        "markup_fee": text(markup) if markup else "0.0",
        "net_amount": text(net),
        "fee_paid_by": payout.fee_paid_by,
        "status": payout.status,
        "status_detail": payout.status,
        "created_at": stamp(payout.created_at),
        "estimated_arrival": None,
        "destination_amount": text(delivered) if delivered and done else None,
        "destination_currency": payout.destination_currency or payout.currency,
        "exchange_rate": float(payout.rate) if payout.rate and done else None,
        "failure": _failure(payout),
        "cancelable": False,
        "metadata": {},
        "notes": None,
        "payer_name": "Ex Ample Bank",
        "payout_method": None,
        "payout_request_id": payout.request_id,
        "source": payout.source,
        "speed": payout.speed,
        "statement_descriptor": None,
        "trace_code": _trace(payout),
    }


def _failure(payout: Payout) -> Json | None:
    if payout.failure is None or payout.status not in RELEASED:
        return None
    code, message = payout.failure
    returned = payout.returned_at and stamp(payout.returned_at)
    return {"code": code, "message": message, "funds_returned_at": returned}


def one_payout_json(payout: Payout, account: WhopAccount, readings: Readings) -> Json:
    """A payout by its id: whoever has the id sees what isn't an amount."""
    row = payout_json(payout, readings) | {
        "timeline": [],
        "delayed": False,
        "estimated_arrival_end": None,
        "recipient_name": "Ex A.",
        "sender_name": "Sandbox",
    }
    hidden = "amount fee_amount markup_fee fee_paid_by metadata notes source statement_descriptor cancelable"
    return row if SEES_PAYOUTS in account.permissions else row | dict.fromkeys(hidden.split())


def ledger_account_json(account: WhopAccount) -> Json:
    """The balances as JSON numbers, each rounded as finely as its currency is written."""
    now = account.clock()
    balances = [
        {
            "currency": currency,
            "balance": float(written(parts.available, currency)),
            "pending_balance": float(written(parts.pending, currency)),
            "reserve_balance": float(written(parts.reserve, currency)),
        }
        for currency, parts in account.books.balances(now).items()
    ]
    settled = [line.available_at for line in account.books.lines if line.posted_at < line.available_at <= now]
    return {
        "id": ident("ldgr_", account.id),
        "ledger_type": "primary",
        "owner": {"typename": "Company", "id": account.id, "route": "sandbox", "title": "Sandbox"},
        "balances": balances,
        "payments_approval_status": "approved",
        "payout_account_details": {"id": ident("poact_", account.id), "email": "ex@example.com"},
        "payout_quote_required": False,
        "settlement_time_at": stamp(max(settled)) if settled else None,
        "transfer_fee": None,
        "treasury_balance": None,
    }


def fees_json(books: Books, payment_id: str) -> list[Json]:
    """The fees of a payment, positive."""
    return [
        {
            "type": FEE_TYPES[line.line_type],
            "origin": FEE_ORIGINS.get(line.line_type, line.line_type),
            "label": line.line_type.replace("_", " "),
            "description": None,
            "amount": fine_money(-line.amount, line.currency),
            "settlement_amount": fine_money(-line.amount, line.currency),
            "collected_at": stamp(line.posted_at),
        }
        for line in books.of_payment(payment_id)
        if line.line_type in FEE_TYPES
    ]
