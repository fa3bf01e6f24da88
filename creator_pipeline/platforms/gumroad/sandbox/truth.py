"""What is true of a seller's money, from the balance itself and not from what the service shows. US cents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.balance import Balance, Entry, Item
from creator_pipeline.platforms.gumroad.sandbox.books import Books, Record, utc_day
from creator_pipeline.platforms.gumroad.sandbox.payout_rows import statement
from creator_pipeline.platforms.gumroad.sandbox.payouts import RELEASED, Payout
from creator_pipeline.platforms.gumroad.sandbox.shapes import utc_text


def books_truth(seller: GumroadSeller) -> dict[str, Any]:
    """Everything about a seller's money as JSON; the service shows less.

    ``booked_cents`` (all movements of the balance) = ``balance_cents`` (unpaid) + ``on_the_way_cents`` +
    ``paid_cents``, each before the payouts' own fees. Money that went to the seller's own PayPal or Stripe is in none
    of them, but in ``connect_cents``. ``payouts`` are oldest first; ``adjustment_parts`` is what the service's
    Technical Adjustment is made of, shown or not. ``sales`` tells each sale's effect, ``days`` each UTC day's figures:
    of sales on the day of the sale, of what went back on the day on which it went.
    """
    books = seller.books
    live = [one for one in books.run.payouts if one.live]
    paid = [one for one in live if one.status == "completed"]
    planned = books.run.upcoming(seller.clock())
    return {
        "today": utc_day(seller.clock()).isoformat(),
        "processor": books.run.terms.processor,
        "currency": books.run.terms.currency,
        "booked_cents": sum(entry.cents for entry in books.book.entries()),
        "balance_cents": sum(one.cents for one in books.book.unpaid()),
        "on_the_way_cents": sum(one.balance_cents for one in live if one.status != "completed"),
        "paid_cents": sum(one.balance_cents for one in paid),
        "payout_fees_cents": sum(one.fee_cents for one in live),
        "upcoming_cents": [one.cents for one in planned],
        "connect_cents": sum(_sale(one)["net_cents"] + _sale(one)["share_cents"] for one in books.connect),
        "by_kind": _by_kind(books.book.entries()),
        "payouts": [_payout(books, one) for one in books.run.payouts],
        "unpaid": [_balance(one) for one in books.book.unpaid()],
        "sales": {sale_id: _sale(record) for sale_id, record in books.records.items()},
        "days": _days(books),
    }


def _by_kind(entries: Iterable[Entry]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[entry.item.kind] += entry.cents
    return dict(sorted(sums.items()))


def _entry(entry: Entry) -> dict[str, Any]:
    return entry.item._asdict() | {
        "cents": entry.cents,
        "local": entry.local,
        "happened_on": entry.happened.isoformat(),
    }


def _balance(balance: Balance) -> dict[str, Any]:
    entries = [_entry(one) for one in balance.entries]
    return {"day": balance.day.isoformat(), "cents": balance.cents, "entries": entries}


def _part(item: Item, cents: int) -> dict[str, Any]:
    return item._asdict() | {"cents": cents}


def _payout(books: Books, payout: Payout) -> dict[str, Any]:
    told = statement(books, payout.balances, payout.period_end, payout=payout, currency=payout.currency)
    released = [at for at, status in payout.history if status in RELEASED]
    return {
        "id": payout.id,
        "status": payout.status,
        "live": payout.live,
        "instant": payout.instant,
        "created_at": utc_text(payout.created),
        "period_end": payout.period_end.isoformat(),
        "released_on": utc_day(released[-1]).isoformat() if released else None,
        "currency": payout.currency,
        "amount_minor": payout.amount,
        "balance_cents": payout.balance_cents,
        "fee_cents": payout.fee_cents,
        "adjustment_cents": told.adjustment,
        "adjustment_shown": payout.currency == "usd" and told.adjustment != 0,
        "adjustment_parts": [_part(item, cents) for item, cents in told.adjustment_parts.items()],
        "days": [one.day.isoformat() for one in payout.balances],
        "entries": [_entry(one) for one in payout.entries],
    }


def _sale(record: Record) -> dict[str, Any]:
    """The effect of one sale.

    ``net_cents`` is without the partner's share; ``rows_tell_all`` is false where a later event makes the service's
    lines say something else than what happened.
    """
    sale, standing = record.sale, record.standing
    taken = record.taken
    refunded, fees = sum(one.cents for one in standing), sum(one.fee for one in standing)
    kept, back = sum(one.kept for one in standing), sum(one.share for one in standing)
    lost, lost_fee, lost_share = (taken.cents, taken.fee, taken.share) if taken else (0, 0, 0)
    twisted = [
        len(standing) > 1,
        bool(record.disputes) and bool(record.refunds or sale.affiliate_cents),
        any(one.failed_on for one in record.refunds),
    ]
    return {
        "day": record.day.isoformat(),
        "processor": sale.processor,
        "gross_cents": sale.price,
        "fee_cents": sale.fee,
        "refunded_cents": refunded,
        "fee_returned_cents": fees - kept,
        "kept_cents": kept,
        "charged_back_cents": lost,
        "chargeback_fee_cents": lost_fee,
        "share_cents": back + lost_share - sale.affiliate_cents,
        "net_cents": sale.price - sale.fee - refunded + fees - kept - lost + lost_fee,
        "rows_tell_all": not any(twisted),
    }


def _days(books: Books) -> dict[str, dict[str, int]]:
    days: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in books.records.values():
        sale = record.sale
        sold = days[utc_day(sale.created).isoformat()]
        sold.update(sales=1, gross_cents=sale.price, fee_cents=sale.fee, share_cents=-sale.affiliate_cents)
        for one in record.refunds:
            for day, sign in ((one.day, 1), (one.failed_on, -1)):
                if day is not None:
                    figures = days[day.isoformat()]
                    figures.update(refunded_cents=sign * one.cents, fee_returned_cents=sign * (one.fee - one.kept))
                    figures.update(share_back_cents=sign * one.share)
        for dispute in record.disputes:
            for day, sign in ((dispute.day, 1), (dispute.won_on, -1)):
                if day is not None:
                    figures = days[day.isoformat()]
                    figures.update(charged_back_cents=sign * dispute.cents, chargeback_fee_cents=sign * dispute.fee)
                    figures.update(share_back_cents=sign * dispute.share)
    names = {"earned": "affiliate_credit_cents", "earned_back": "affiliate_credit_cents", "credit": "credit_cents"}
    names["written_off"] = "written_off_cents"
    for entry in books.book.entries():
        if entry.item.kind in names:
            days[entry.happened.isoformat()].update({names[entry.item.kind]: entry.cents})
    for payout in books.run.payouts:
        if payout.live and payout.fee_cents:
            days[utc_day(payout.created).isoformat()].update(payout_fee_cents=payout.fee_cents)
    return {day: dict(figures) for day, figures in sorted(days.items())}
