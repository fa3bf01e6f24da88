"""The lines of a payout as the service computes them at each request: from sales that change, not from the balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from creator_pipeline.platforms.gumroad.sandbox.balance import Balance, Item
from creator_pipeline.platforms.gumroad.sandbox.books import Books, Record, Refund
from creator_pipeline.platforms.gumroad.sandbox.fees import half_away
from creator_pipeline.platforms.gumroad.sandbox.payouts import Payout
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale

ADJUSTMENT, AFFILIATE = "Technical Adjustment", "Affiliate Credit"
CONNECT = {"paypal": "PayPal", "stripe": "Stripe Connect"}
CONNECT_SHARES = {"paypal": "PayPal Connect Affiliate Fees", "stripe": "Stripe Connect Affiliate Fees"}
FIRST_DAY = date(2013, 1, 4)


@dataclass(slots=True)
class Row:
    """A line of ``transactions``; US cents, None where the service writes nothing.

    Attributes:
        parts: the movements that the line tells of, each with its amount; empty for what no balance knows.
    """

    type: str
    day: date
    net: int
    price: int | None = None
    fee: int | None = None
    sale: Sale | None = None
    taxes: int | None = None
    shipping: int | None = None
    parts: list[tuple[Item, int]] = field(default_factory=list[tuple[Item, int]])


class Statement(NamedTuple):
    """What the service shows of some balances.

    Attributes:
        rows: of the balances, ordered by day, the adjustment last.
        connect: of sales that were paid elsewhere; they sum to 0.
        adjustment: what the rows of the balances lack of the balances, US cents; shown in US dollars only.
        adjustment_parts: what that is made of, by movement.
    """

    rows: list[Row]
    connect: list[Row]
    adjustment: int
    adjustment_parts: dict[Item, int]


def statement(
    books: Books,
    balances: Iterable[Balance],
    end: date,
    *,
    payout: Payout | None = None,
    currency: str = "usd",
) -> Statement:
    """The lines of some balances, as they read now.

    Args:
        books: of the seller.
        balances: of the payout.
        end: last day of the payout's period.
        payout: they are of; None for one that is planned.
        currency: of the payout; only in ``usd`` what is missing gets a line.
    """
    chosen = list(balances)
    rows = [*_sales(books, chosen), *_refunds(books, chosen), *_disputes(books, chosen), *_credits(books, chosen)]
    rows += [_affiliate(books, one) for one in chosen]
    booked: Counter[Item] = Counter()
    for entry in payout.entries if payout else [entry for one in chosen for entry in one.entries]:
        booked[entry.item] += entry.cents
    told: Counter[Item] = Counter()
    for row in rows:
        for item, cents in row.parts:
            told[item] += cents
    parts = {item: booked[item] - told[item] for item in booked | told.keys() if booked[item] != told[item]}
    adjustment = sum(parts.values())
    connect = _connect(books, _window_start(books, payout), end)
    if payout and payout.fee_cents:
        rows.append(Row("Payout Fee", end, -payout.fee_cents, fee=payout.fee_cents))
    rows = sorted((row for row in rows if row.net or row.type != AFFILIATE), key=lambda row: row.day)
    if adjustment and currency == "usd":
        rows.append(Row(ADJUSTMENT, end, adjustment, parts=list(parts.items())))
    return Statement(rows, connect, adjustment, parts)


def _named(books: Books, balances: list[Balance], *kinds: str) -> Iterator[Record]:
    """Records of the sales behind some kinds of movement, each once."""
    found = {e.item.sale_id: None for b in balances for e in b.entries if e.item.kind in kinds and e.item.sale_id}
    return (books.records[sale_id] for sale_id in found)


def sold_in(books: Books, balances: list[Balance]) -> list[Record]:
    """Sales that were added to the balances."""
    return [one for one in _named(books, balances, "sale") if one.balance in balances]


def refunded_in(books: Books, balances: list[Balance]) -> list[Record]:
    """Sales whose last refund joined the balances."""
    return [one for one in _named(books, balances, "refund", "share_back") if one.refund_balance in balances]


def disputed_in(books: Books, balances: list[Balance]) -> list[Record]:
    """Sales whose dispute took money from the balances."""
    return [
        one
        for one in _named(books, balances, "chargeback", "dispute_share")
        if any(dispute.balance in balances for dispute in one.disputes)
    ]


def _sale_row(record: Record) -> Row:
    sale = record.sale
    net = sale.price - sale.fee
    tax = sale.tax_cents + sale.gumroad_tax_cents
    parts = [(Item("sale", sale.id), net)]
    return Row("Sale", record.day, net, sale.price, sale.fee, sale, tax, sale.shipping_cents, parts)


def _sales(books: Books, balances: list[Balance]) -> list[Row]:
    return [_sale_row(record) for record in sold_in(books, balances)]


def _back(kind: str, sale: Sale, day: date, cents: int, fee: int) -> Row:
    tax = half_away((sale.tax_cents + sale.gumroad_tax_cents) * cents, sale.price)
    shipping = half_away(sale.shipping_cents * cents, sale.price)
    return Row(kind, day, fee - cents, -cents, -fee, sale, -tax, -shipping)


def _refunds(books: Books, balances: list[Balance]) -> Iterator[Row]:
    for record in refunded_in(books, balances):
        for one in record.standing:
            if one.balance not in balances:
                continue
            kept = 0 if record.fee_waived else one.kept
            kind = "Full Refund" if one.cents == record.sale.price else "Partial Refund"
            row = _back(kind, record.sale, one.day, one.cents, one.fee - kept)
            row.parts = [
                (Item("refund", record.sale.id, one.number), one.fee - one.cents),
                (Item("kept", record.sale.id, one.number), -kept),
            ]
            yield row
    for record in _named(books, balances, "refund", "refund_failed", "kept", "kept_failed"):
        for one in record.refunds:
            if one.failed_on is not None:
                yield from _failed(record.sale, one, one.failed_on, balances)


def _failed(sale: Sale, one: Refund, failed_on: date, balances: list[Balance]) -> Iterator[Row]:
    """The four lines of a refund that failed, each where its movement is: they sum to 0 over all payouts."""

    def line(kind: str, day: date, cents: int, movement: str) -> Row:
        item = Item(movement, sale.id, one.number)
        return Row(kind, day, cents, cents, sale=sale, parts=[(item, cents)])

    if one.balance in balances:
        row = _back("Failed Refund", sale, one.day, one.cents, one.fee)
        row.parts = [(Item("refund", sale.id, one.number), one.fee - one.cents)]
        yield row
    if one.kept and one.kept_balance in balances:
        yield line("Failed Refund Fee Retained", one.day, -one.kept, "kept")
    if one.failed_balance in balances:
        row = _back("Failed Refund Reversal", sale, failed_on, -one.cents, -one.fee)
        row.parts = [(Item("refund_failed", sale.id, one.number), one.cents - one.fee)]
        yield row
        if one.kept:
            yield line("Failed Refund Fee Returned", failed_on, one.kept, "kept_failed")


def _disputes(books: Books, balances: list[Balance]) -> Iterator[Row]:
    for record in disputed_in(books, balances):
        for one in record.disputes:
            if one.balance in balances:
                row = _back("Chargeback", record.sale, one.day, record.sale.price, record.sale.fee)
                row.parts = [(Item("chargeback", record.sale.id, one.number), row.net)]
                yield row


def _credits(books: Books, balances: list[Balance]) -> Iterator[Row]:
    kinds = {"won": "Credit", "credit": "Credit", "written_off": "Refund Fee Written Off"}
    for balance in balances:
        for entry in balance.entries:
            if (kind := kinds.get(entry.item.kind)) is None:
                continue
            sale = books.records[entry.item.sale_id].sale if entry.item.sale_id else None
            yield Row(kind, balance.day, entry.cents, entry.cents, sale=sale, parts=[(entry.item, entry.cents)])


def _affiliate(books: Books, balance: Balance) -> Row:
    """One line for what was earned as a partner and is owed to partners; what a sale's partner gave back counts whole.

    One of nothing isn't shown, and tells of its parts all the same.
    """
    parts = [(e.item, e.cents) for e in balance.entries if e.item.kind in ("earned", "earned_back")]
    here = [balance]
    parts += [(Item("share", one.sale.id), -one.sale.affiliate_cents) for one in sold_in(books, here)]
    parts += [(Item("share_back", one.sale.id), one.sale.affiliate_cents) for one in refunded_in(books, here)]
    parts += [
        (Item("dispute_share", record.sale.id, one.number), record.sale.affiliate_cents)
        for record in disputed_in(books, here)
        for one in record.disputes
        if one.balance is balance
    ]
    cents = sum(amount for _, amount in parts)
    return Row(AFFILIATE, balance.day, cents, cents, parts=parts)


def _window_start(books: Books, payout: Payout | None) -> date:
    """The day after the period of the payout before this one that is completed *now*."""
    earlier = books.run.payouts if payout is None else books.run.payouts[: books.run.payouts.index(payout)]
    done = next((one for one in reversed(earlier) if one.status == "completed"), None)
    return FIRST_DAY if done is None else done.period_end + timedelta(days=1)


def _connect(books: Books, start: date, end: date) -> list[Row]:
    rows: list[Row] = []
    for processor, word in CONNECT.items():
        records = [one for one in books.connect if one.sale.processor == processor]
        group: list[Row] = []
        shares: Counter[date] = Counter()
        for record in records:
            sale = record.sale
            if start <= record.day <= end:
                row = _sale_row(record)
                row.parts = []
                group.append(row)
                shares[record.day] -= sale.affiliate_cents
            for one in record.standing:
                if start <= one.day <= end:
                    row = _back(f"{word} Refund", sale, one.day, one.cents, one.fee)
                    row.fee = one.fee
                    group.append(row)
                    shares[one.day] += one.share
            for dispute in record.disputes:
                if dispute.won_on is None and start <= dispute.day <= end:
                    group.append(_back("Chargeback", sale, dispute.day, sale.price, sale.fee))
                    shares[dispute.day] += dispute.share
        kind = CONNECT_SHARES[processor]
        group += [Row(kind, day, cents, cents) for day, cents in sorted(shares.items()) if cents]
        if group:
            net = sum(row.net for row in group)
            group.append(Row(f"{word} Payouts", end, -net, -net))
        rows += group
    return rows
