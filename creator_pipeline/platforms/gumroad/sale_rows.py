"""The rows of the ledger that one sale gives, made one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from creator_pipeline.core.money import from_cents
from creator_pipeline.core.windows import partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad import fees, payout_catalog
from creator_pipeline.platforms.gumroad.payouts import cents
from creator_pipeline.platforms.gumroad.sale_history import (
    ROUNDING,
    History,
    refund_name,
    row_id,
    steps,
    without,
)
from creator_pipeline.platforms.gumroad.sale_lines import Place, Row
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale, Refund

LISTED_AGAIN = "listed by another payout too"
WHOLE_PRICE = "shows the whole price; what its refunds had left is booked"


@dataclass
class RowsOfSale:
    """The rows of one sale, and which lines of payouts each of them settles.

    Attributes:
        by_processor: whether the processor moved the sale's money by itself, past the balance.
    """

    profile_id: str
    sale_id: str
    basis: GumroadSale | None
    stored: bool
    day: date
    moment: datetime
    by_processor: bool = False
    events: list[LedgerEvent] = field(default_factory=list[LedgerEvent])
    settles: dict[Place, tuple[str, str | None]] = field(default_factory=dict[Place, tuple[str, str | None]])

    def add(
        self,
        event_type: str,
        name: str,
        when: date | datetime,
        gross: int,
        fee: int,
        *,
        quantity: int = 0,
        exact: bool = True,
        rows: Sequence[Row] = (),
        reason: str | None = None,
        settled_on: date | None = None,
        source: str = "",
    ) -> LedgerEvent:
        """Add a row, which these lines settle. Amounts in micros.

        Args:
            event_type: of the row.
            name: the end of its id.
            when: the platform's day, or the moment when it was first seen; never before the sale.
            gross: before fees.
            fee: positive where it was taken.
            quantity: units.
            exact: whether the fee is no estimate.
            rows: what the lines tell.
            reason: why the row isn't the whole of them.
            settled_on: the platform's own day, where it tells another.
            source: where the row came from, if not from the partition of its sale.
        """
        at = when if isinstance(when, datetime) else datetime.combine(when, time.min, UTC)
        earliest = self.basis.created_at if self.basis else at
        if at < earliest:
            # A credit joins the oldest day that isn't paid yet, which can lie before the sale.
            settled_on = settled_on or (at.date() if at.date() < self.day else None)
            at = earliest
        event = LedgerEvent(
            id=row_id(self.profile_id, self.sale_id, name),
            profile_id=self.profile_id,
            platform="gumroad",
            event_type=event_type,
            external_id=self.sale_id,
            product_id=self.basis.product_id if self.basis else None,
            product_name=self.basis.product_name if self.basis else None,
            occurred_at=at,
            occurred_on=at.date(),
            quantity=quantity,
            gross_micros=gross,
            fee_micros=fee,
            net_micros=gross - fee,
            currency="USD",
            source=source or partition_key(self.day, self.profile_id),
            first_seen_at=self.moment,
            ingested_at=self.moment,
            fee_exact=exact,
            settled_on=settled_on,
            # What Gumroad credits of such a sale is its own money, and in the balance.
            past_balance=self.by_processor and event_type != "fee_refund",
        )
        self.events.append(event)
        for row in rows:
            for place in row.places:
                again = row.processor and place[0] != row.payout_id
                self.settles[place] = (event.id, LISTED_AGAIN if again else reason)
        return event

    def sale(self, sold: Sequence[Row]) -> None:
        """The sale, and its affiliate's share."""
        basis = self.basis
        assert basis is not None  # noqa: S101 - asked for by its caller
        settled = sold[0].occurred_on if sold and sold[0].occurred_on != self.day else None
        self.add(
            "sale", "sale", basis.created_at, basis.price_micros, basis.fee_micros,
            quantity=basis.quantity, exact=basis.fee_told, rows=sold, settled_on=settled,
            source="" if self.stored else f"payout {sold[0].payout_id}",
        )  # fmt: skip
        if basis.affiliate_micros:
            self.add("affiliate_share", "affiliate_share", basis.created_at, -basis.affiliate_micros, 0)

    def refunds(self, rows: Sequence[Row]) -> list[Refund]:
        """Those that payouts tell."""
        return [
            Refund(f"refund:{row.name}", -(row.gross_micros or row.net_micros), None, row.occurred_on, row)
            for row in sorted(rows, key=lambda row: (row.occurred_on, row.name))
        ]

    def estimated(
        self, refunded: int, told: Sequence[Refund], still: Sequence[tuple[datetime, int]], history: History
    ) -> list[Refund]:
        """Those that only the sale tells. The others learn in which step the sale told them.

        Args:
            refunded: what has gone back of the sale by now, in micros.
            told: by payouts.
            still: of each of those its day and what of it stands, in micros.
            history: of the sale.
        """
        left = without(steps(refunded, history, self.moment), still)
        for refund, number in zip(told, left.seen_as, strict=True):
            refund.seen_as = number
        rest = sum(step.micros for step in left.steps)
        if told and self.basis and not self.basis.refund_exact and rest <= ROUNDING:
            return []
        return [
            Refund(refund_name(step.number), step.micros, step.at, step.at.date(), None, step.number)
            for step in left.steps
        ]

    def fees_of(self, refunds: Sequence[Refund]) -> None:
        """A row for each refund, with the part of the fee that went back, and of the affiliate's share."""
        basis = self.basis
        price, fee = (cents(basis.price_micros), cents(basis.fee_micros)) if basis else (0, 0)
        amounts = [cents(refund.micros) for refund in refunds]
        parts = fees.fee_parts(price, fee, amounts) if price > 0 else [0] * len(amounts)
        others = fees.other_parts(price, fee, amounts) if price > 0 else parts
        known = _known_kept(refunds, parts)
        done = 0
        for refund, amount, part, other in zip(refunds, amounts, parts, others, strict=True):
            done += amount
            whole = bool(basis) and done >= price > 0
            if refund.row is None:
                kept = fees.kept_fee(price, amount, known) if basis and price > 0 and not basis.processor else 0
                fee_micros, exact = from_cents(kept - part), False
            else:
                fee_micros = -refund.micros - refund.row.net_micros
                # What the processor does with its own fee is told nowhere.
                exact = refund.row.type in payout_catalog.REFUNDS
            refund.part_micros = from_cents(part)
            refund.other_micros = from_cents(other if refund.order_open else part)
            refund.kept_micros = refund.part_micros + fee_micros
            whole = whole or (basis is None and refund.row is not None and refund.row.type == "Full Refund")
            units = -(basis.quantity if basis else 1) if whole and done - amount < price else 0
            self.add(
                "refund", refund.name, refund.at or refund.day, -refund.micros, fee_micros,
                quantity=units, exact=exact, rows=[refund.row] if refund.row else (),
            )  # fmt: skip
        self._shares_back(refunds, amounts, price, fee)

    def _shares_back(self, refunds: Sequence[Refund], amounts: Sequence[int], price: int, fee: int) -> None:
        share = cents(self.basis.affiliate_micros or 0) if self.basis else 0
        if not share or price <= 0:
            return
        backs = fees.affiliate_parts(price, fee, share, amounts)
        for refund, amount, back in zip(refunds, amounts, backs, strict=True):
            refund.share_micros = from_cents(back)
            if back:
                exact = refund.row is not None and amount >= price
                self.add(
                    "affiliate_share", f"affiliate_share:{refund.name}", refund.at or refund.day,
                    refund.share_micros, 0, exact=exact,
                )  # fmt: skip

    def disputes(self, rows: Sequence[Row], refunds: Sequence[Refund], history: History) -> None:
        """Chargebacks, what of them was won back, and other credits of the sale."""
        basis = self.basis
        opened = [row for row in rows if row.type == payout_catalog.CHARGEBACK]
        credited = [row for row in rows if row.kind == "credit"]
        lost = basis is not None and (basis.chargedback or basis.dispute_won)
        taken = None
        if opened:
            taken = self._chargeback(opened[0], refunds)
            for row in opened[1:]:
                gross = row.net_micros if row.gross_micros is None else row.gross_micros
                self.add(
                    "chargeback", f"chargeback:{row.name}", row.occurred_on, gross, gross - row.net_micros, rows=[row]
                )
        elif lost:
            taken = self._estimated_chargeback(refunds, history)
        could = [row for row in credited if row.net_micros > 0 and row.type == payout_catalog.CREDIT]
        # A dispute that was won at the processor gets no credit.
        won = could[0] if taken and could and not self.by_processor else None
        if taken and won:
            gross = -taken.gross_micros
            self.add(
                "chargeback_reversal", "chargeback_reversal", won.occurred_on, gross, gross - won.net_micros,
                quantity=-taken.quantity, rows=[won],
            )  # fmt: skip
        elif taken and basis and basis.dispute_won and not basis.chargedback:
            back = sum(event.gross_micros for event in self.events if event.id.endswith(":affiliate_share:chargeback"))
            self.add(
                "chargeback_reversal", "chargeback_reversal", history.reversal or self.moment,
                -taken.gross_micros, back - taken.fee_micros, quantity=-taken.quantity, exact=False,
            )  # fmt: skip
        for row in credited:
            if row is not won:
                self.add("fee_refund", f"fee_refund:{row.name}", row.occurred_on, 0, -row.net_micros, rows=[row])

    def _chargeback(self, row: Row, refunds: Sequence[Refund]) -> LedgerEvent:
        gross = row.net_micros if row.gross_micros is None else row.gross_micros
        # What is lost in the end isn't refunded afterwards, whenever that was first seen.
        lost = self.basis is not None and self.basis.chargedback
        before = [refund for refund in refunds if refund.day <= row.occurred_on or (lost and refund.row is None)]
        units = -self.basis.quantity if self.basis else -1
        if self.basis is None or not before:
            made = self.add(
                "chargeback", "chargeback", row.occurred_on, gross, gross - row.net_micros, quantity=units, rows=[row]
            )
            self._rest_of_share([], row.occurred_on, exact=True)
            return made
        left, fee = self._rest(before)
        made = self.add(
            "chargeback", "chargeback", row.occurred_on, -left, -fee,
            quantity=units if left else 0, rows=[row], reason=WHOLE_PRICE,
        )  # fmt: skip
        self._rest_of_share(before, row.occurred_on, exact=False)
        return made

    def _estimated_chargeback(self, refunds: Sequence[Refund], history: History) -> LedgerEvent | None:
        left, fee = self._rest(refunds)
        if not left or self.basis is None:
            return None
        when = history.chargeback or self.moment
        made = self.add("chargeback", "chargeback", when, -left, -fee, quantity=-self.basis.quantity, exact=False)
        self._rest_of_share(refunds, when, exact=False)
        return made

    def _rest(self, refunds: Sequence[Refund]) -> tuple[int, int]:
        """What refunds have left of the price and of the fee, in micros."""
        assert self.basis is not None  # noqa: S101 - asked for by its callers
        price, fee = cents(self.basis.price_micros), cents(self.basis.fee_micros)
        parts = fees.fee_parts(price, fee, [cents(refund.micros) for refund in refunds]) if price > 0 else []
        left = max(0, self.basis.price_micros - sum(refund.micros for refund in refunds))
        return left, self.basis.fee_micros - from_cents(sum(parts)) if left else 0

    def _rest_of_share(self, refunds: Sequence[Refund], when: date | datetime, *, exact: bool) -> None:
        names = {row_id(self.profile_id, self.sale_id, f"affiliate_share:{refund.name}") for refund in refunds}
        share = (self.basis.affiliate_micros or 0) if self.basis else 0
        left = share - sum(event.gross_micros for event in self.events if event.id in names)
        if left:
            self.add("affiliate_share", "affiliate_share:chargeback", when, left, 0, exact=exact)


def _known_kept(refunds: Sequence[Refund], parts: Sequence[int]) -> tuple[int, int] | None:
    """A refund of this sale whose kept fee a payout tells, and that fee."""
    for refund, part in zip(refunds, parts, strict=True):
        if refund.row is not None and refund.row.type in payout_catalog.REFUNDS:
            kept = part - cents(refund.micros + refund.row.net_micros)
            if kept >= 0:
                return cents(refund.micros), kept
    return None
