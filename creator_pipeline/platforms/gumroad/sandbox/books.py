"""What happens to a seller's money: sales, refunds, disputes, partners, credits, each booked into the balance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from creator_pipeline.platforms.gumroad.sandbox import fees
from creator_pipeline.platforms.gumroad.sandbox.balance import Balance, BalanceBook, Item
from creator_pipeline.platforms.gumroad.sandbox.payouts import PayoutRun, Terms, rate_of
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale


@dataclass(eq=False, slots=True)
class Refund:
    """Money that was sent back to a buyer. US cents.

    Attributes:
        number: unique of the seller.
        cents: of the price.
        fee: the part of the sale's fee that belongs to it.
        kept: what the processor keeps of that part.
        share: what the partner gives back.
        day: UTC, on which it was made.
        fraud: the service decided; nothing is kept.
        balance: that it took the money from; None for a sale that was paid elsewhere.
        kept_balance: that the kept fee was taken from.
        failed_on: the UTC day on which it failed; None while it stands.
        failed_balance: that the money came back to.
    """

    number: int
    cents: int
    fee: int
    kept: int
    share: int
    day: date
    fraud: bool = False
    balance: Balance | None = None
    kept_balance: Balance | None = None
    failed_on: date | None = None
    failed_balance: Balance | None = None


@dataclass(eq=False, slots=True)
class Dispute:
    """Money that a buyer's bank took. US cents.

    Attributes:
        number: unique of the seller.
        cents, fee, share: what refunds had left of the price, the sale's fee and the partner's share.
        day: UTC, on which it was opened.
        balance: that it took the money from; None for a sale that was paid elsewhere.
        won_on: the UTC day on which the seller won; None while it is open or lost.
    """

    number: int
    cents: int
    fee: int
    share: int
    day: date
    balance: Balance | None = None
    won_on: date | None = None


@dataclass(eq=False, slots=True)
class Record:
    """A charged sale in the books.

    Attributes:
        sale: it.
        day: UTC, on which the payment succeeded.
        balance: that it was added to; None for a sale that was paid elsewhere.
        refunds: all of them, failed ones too.
        disputes: all of them.
        refund_balance: that the *last* refund joined. The service keeps no other, so it forgets the earlier ones.
        fee_waived: a fraud refund was made; the service then shows every refund of the sale without a kept fee.
    """

    sale: Sale
    day: date
    balance: Balance | None = None
    refunds: list[Refund] = field(default_factory=list[Refund])
    disputes: list[Dispute] = field(default_factory=list[Dispute])
    refund_balance: Balance | None = None
    fee_waived: bool = False

    @property
    def standing(self) -> list[Refund]:
        """Refunds that didn't fail."""
        return [one for one in self.refunds if one.failed_on is None]

    @property
    def taken(self) -> Dispute | None:
        """The dispute that holds the money."""
        return next((one for one in self.disputes if one.won_on is None), None)


def utc_day(instant: int) -> date:
    """The UTC day of seconds since 1970."""
    return datetime.fromtimestamp(instant, UTC).date()


class Books:
    """One seller's money.

    Attributes:
        book: the balances.
        run: makes payouts, and changes their status, as time passes.
        records: of charged sales, by the sale's id.
        earned: what was earned as a partner on other people's products, by number: cents.
    """

    def __init__(self, seller_id: str, terms: Terms, start: date) -> None:
        self.book = BalanceBook(rate_of(terms.currency))
        self.run = PayoutRun(seller_id, terms, self.book, start)
        self.records: dict[str, Record] = {}
        self.earned: dict[int, int] = {}

    @property
    def connect(self) -> list[Record]:
        """Sales that the seller's own account was paid for."""
        return [one for one in self.records.values() if one.sale.processor]

    def sold(self, sale: Sale) -> None:
        """A sale; free ones, trials, parts of bundles and gifts' receivers move no money."""
        if not sale.counts:
            return
        record = self.records[sale.id] = Record(sale, utc_day(sale.succeeded or sale.created))
        if not sale.processor:
            record.balance = self.book.of_day(record.day)
            self.book.enter(record.balance, Item("sale", sale.id), sale.price - sale.fee, record.day)
            self.book.enter(record.balance, Item("share", sale.id), -sale.affiliate_cents, record.day)

    def _share_back(self, record: Record, cents: int, fee: int) -> int:
        sale, earlier = record.sale, record.standing
        left = sale.affiliate_cents - sum(one.share for one in earlier)
        if sum(one.cents for one in earlier) + cents == sale.price:
            return left
        if sale.processor or not sale.affiliate_basis_points:
            back = fees.half_away(sale.affiliate_cents * cents, sale.price)
        else:
            points, bears = sale.affiliate_basis_points, sale.seller_bears_share_fee
            back = fees.partner_back(cents, fee, points, seller_bears_fee=bears)
        return max(0, min(back, left))

    def refund(self, sale: Sale, cents: int, day: date, *, fraud: bool = False) -> Refund:
        """Sends ``cents`` of a sale back; joins the sale's day while that is unpaid, else the oldest unpaid.

        Args:
            sale: in the books.
            cents: of the price.
            day: UTC.
            fraud: the service decides it: nothing is kept, now and (as it shows) before.
        """
        record = self.records[sale.id]
        day = max(day, record.day)
        earlier = record.standing
        went = sum(one.cents for one in earlier)
        part = fees.fee_part(sale.price, sale.fee, cents, went, sum(one.fee for one in earlier))
        share = self._share_back(record, cents, part)
        taken = record.taken
        nothing_kept = fraud or bool(sale.processor) or taken is not None
        kept = 0 if nothing_kept else fees.kept_fee(sale.price, cents, sale.processor_fee_cents)
        one = Refund(self.book.number(), cents, part, kept, share, day, fraud)
        record.refunds.append(one)
        record.fee_waived |= fraud
        if sale.processor:
            tax = fees.half_away(sale.gumroad_tax_cents * cents, sale.price)
            if sale.processor == "stripe" and share + tax:
                self.credit(share + tax, day, sale.id)
            return one
        balance = self._where(record, day)
        one.balance = record.refund_balance = balance
        self.book.enter(balance, Item("refund", sale.id, one.number), part - cents, day)
        self.book.enter(balance, Item("share_back", sale.id), share, day)
        one.kept_balance = self.book.oldest(day)
        self.book.enter(one.kept_balance, Item("kept", sale.id, one.number), -kept, day)
        if taken:
            # The bank has the money already: what is refunded now, it took for nothing.
            taken.cents, taken.fee, taken.share = taken.cents - cents, taken.fee - part, taken.share - share
            self.book.enter(balance, Item("chargeback", sale.id, taken.number), cents - part, day)
            self.book.enter(balance, Item("dispute_share", sale.id, taken.number), -share, day)
        return one

    def _where(self, record: Record, day: date) -> Balance:
        own = record.balance
        return own if own is not None and own.payout is None else self.book.oldest(day)

    def fail_refund(self, sale: Sale, day: date) -> Refund | None:
        """The buyer's bank sends the last refund back: everything of it is undone, on its own day.

        Args:
            sale: in the books.
            day: UTC.
        """
        record = self.records[sale.id]
        one = next(iter(reversed(record.standing)), None)
        if one is None:
            return None
        one.failed_on = day
        if not sale.processor:
            balance = one.failed_balance = self.book.oldest(day)
            self.book.enter(balance, Item("refund_failed", sale.id, one.number), one.cents - one.fee, day)
            self.book.enter(balance, Item("share_failed", sale.id, one.number), -one.share, day)
            self.book.enter(balance, Item("kept_failed", sale.id, one.number), one.kept, day)
            record.refund_balance = next((other.balance for other in reversed(record.standing)), None)
        return one

    def dispute(self, sale: Sale, day: date) -> None:
        """The buyer's bank takes what refunds left, from the day it asks; the fee comes back whole."""
        record = self.records.get(sale.id)
        if record is None or record.taken:
            return
        day, earlier = max(day, record.day), record.standing
        cents = sale.price - sum(one.cents for one in earlier)
        fee = sale.fee - sum(one.fee for one in earlier)
        share = sale.affiliate_cents - sum(one.share for one in earlier)
        if not cents:
            return
        one = Dispute(self.book.number(), cents, fee, share, day)
        record.disputes.append(one)
        if not sale.processor:
            one.balance = self._where(record, day)
            self.book.enter(one.balance, Item("chargeback", sale.id, one.number), fee - cents, day)
            self.book.enter(one.balance, Item("dispute_share", sale.id, one.number), share, day)

    def win(self, sale: Sale, day: date) -> None:
        """The seller gets back what was taken: a credit in the oldest unpaid balance, however old that is."""
        if sale.id in self.records and self.records[sale.id].taken is None:
            self.dispute(sale, day)
        one = self.records[sale.id].taken if sale.id in self.records else None
        if one is None:
            return
        one.won_on = day
        if not sale.processor:
            item = Item("won", sale.id, one.number)
            self.book.enter(self.book.oldest(day), item, one.cents - one.fee - one.share, day)

    def credit(self, cents: int, day: date, sale_id: str = "", *, local: int | None = None) -> None:
        """An amount of the service's own: a loan repaid, a correction, or what a Connect refund gives back.

        Args:
            cents: US cents, either sign.
            day: UTC.
            sale_id: where a sale is behind it.
            local: minor units of the account's currency, where they don't follow from the day's rate.
        """
        item = Item("credit", sale_id, self.book.number())
        self.book.enter(self.book.oldest(day), item, cents, day, local=local)

    def earn(self, cents: int, day: date) -> int:
        """A share of somebody else's sale; returns its number."""
        number = self.book.number()
        self.earned[number] = cents
        self.book.enter(self.book.of_day(day), Item("earned", number=number), cents, day)
        return number

    def unearn(self, number: int, day: date) -> None:
        """That sale was refunded, or charged back: the share goes back."""
        cents = self.earned.pop(number)
        self.book.enter(self.book.oldest(day), Item("earned_back", number=number), -cents, day)

    def write_off(self, sale: Sale, day: date) -> int:
        """The fees that the processor kept of a sale's refunds can't be collected: they come back.

        Args:
            sale: in the books.
            day: UTC.
        """
        cents = sum(one.kept for one in self.records[sale.id].standing)
        item = Item("written_off", sale.id, self.book.number())
        self.book.enter(self.book.oldest(day), item, cents, day)
        return cents
