"""Pure: lines of Whop's money feed to rows of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.whop.line_types import Family, Meaning, meaning_of
from creator_pipeline.platforms.whop.money_catalog import PAYOUT_PREFIX


class Booked(NamedTuple):
    """What the ledger needs of a row of ``whop_financial_activity``, by its columns' names."""

    id: str
    line_type: str
    posted_at: datetime
    posted_on: date
    payment_id: str | None
    resource_id: str | None
    product_id: str | None
    product_name: str | None
    amount_micros: int
    currency: str

    @property
    def owner(self) -> str:
        """Whose rows of the ledger it belongs to."""
        return owner_of(self.payment_id, self.resource_id, self.id)


class Origin(NamedTuple):
    """What the rows of one owner have in common.

    Attributes:
        external_id: ``pay_…``, ``wdrl_…`` or, of a line that belongs to neither, ``line_…``.
        source: partition of the payment, or the feed.
        moment: of the load.
    """

    profile_id: str
    external_id: str
    product_id: str | None
    product_name: str | None
    source: str
    moment: datetime

    def event(
        self,
        event_type: str,
        at: datetime,
        currency: str,
        *,
        gross: int = 0,
        fee: int = 0,
        quantity: int = 0,
        part: str = "",
        exact: bool = True,
    ) -> LedgerEvent:
        """A row of the ledger.

        Args:
            event_type: as the ledger calls it.
            at: Whop's own time of it.
            currency: of the amounts.
            gross, fee: in micros.
            quantity: units.
            part: what it is of the owner: a line, a refund, a dispute; empty where there is only one.
            exact: whether it is Whop's own line.
        """
        named = "" if part in ("", self.external_id) else f":{part}"
        return LedgerEvent(
            id=f"whop:{self.profile_id}:{self.external_id}:{event_type}{named}",
            profile_id=self.profile_id,
            platform="whop",
            event_type=event_type,
            external_id=self.external_id,
            product_id=self.product_id,
            product_name=self.product_name,
            occurred_at=at,
            occurred_on=at.date(),
            quantity=quantity,
            gross_micros=gross,
            fee_micros=fee,
            net_micros=gross - fee,
            currency=currency,
            source=self.source,
            first_seen_at=self.moment,
            ingested_at=self.moment,
            fee_exact=exact,
        )


def owner_of(payment_id: str | None, resource_id: str | None, line_id: str) -> str:
    """Whose rows of the ledger a line belongs to: its payment's, its payout's, or its own."""
    if payment_id is not None:
        return payment_id
    return resource_id if resource_id is not None and resource_id.startswith(PAYOUT_PREFIX) else line_id


def feed_source(profile_id: str) -> str:
    """Source of rows that are known from the feed only. It sorts behind every day, so no window of days finds it."""
    return f"whop/financial_activity|{profile_id}"


def origin_of(profile_id: str, owner: str, lines: Sequence[Booked], moment: datetime) -> Origin:
    """What rows have in common that are known from the feed only.

    Args:
        profile_id: whose account.
        owner: of the lines.
        lines: all of that owner.
        moment: of the load.
    """
    named = next((line for line in lines if line.product_id is not None), None)
    product = (named.product_id, named.product_name) if named else (None, None)
    return Origin(profile_id, owner, *product, feed_source(profile_id), moment)


def line_events(
    origin: Origin, lines: Iterable[Booked], families: Mapping[str, Family], sold: int = 0, units: int = 1
) -> list[LedgerEvent]:
    """Rows of the ledger of all lines of one owner, each at the time it was booked.

    The sale's row holds the gross amount and the fees that were taken on the same day in the same currency; tax,
    shares of partners, refunds, disputes and everything else are rows of their own. What is given back is told by the
    sign. What is no row (payouts, holds, what the seller moved) is left out.

    Args:
        origin: of the rows.
        lines: in any order.
        families: Whop's own family of each word.
        sold: micros of the sale, where its payment tells them and no line does yet.
        units: of the sale, as its payment tells them.
    """
    ordered: list[tuple[Booked, Meaning]] = [
        (line, meaning_of(line.line_type, families)) for line in sorted(lines, key=_when)
    ]
    sales = [line for line, meaning in ordered if meaning == "sale" and line.amount_micros >= 0]
    inside: set[str] = set()
    events: list[LedgerEvent] = []
    left = sold
    if sales:
        first = sales[0]
        beside = (first.currency, first.posted_on)
        gross = [line for line in sales if (line.currency, line.posted_on) == beside]
        fees = [
            line
            for line, meaning in ordered
            if meaning == "processing" and line.amount_micros < 0 and (line.currency, line.posted_on) == beside
        ]
        inside = {line.id for line in (*gross, *fees)}
        left = sum(line.amount_micros for line in gross)
        taken = -sum(line.amount_micros for line in fees)
        events.append(origin.event("sale", first.posted_at, first.currency, gross=left, fee=taken, quantity=units))
    for line, meaning in ordered:
        if line.id in inside:
            continue
        event = _own_row(origin, line, meaning, left, units if sales or sold else 0)
        if event is not None:
            events.append(event)
        if meaning in ("refund", "dispute"):
            left += line.amount_micros
    return events


def row_of_line(line: Booked, origin: Origin, events: Sequence[LedgerEvent], families: Mapping[str, Family]) -> str:
    """Id of the row of the ledger in which a line is; empty where it is in none.

    Args:
        line: one of the owner's.
        origin: of the owner's rows.
        events: all rows of the owner.
        families: Whop's own family of each word.
    """
    event = _own_row(origin, line, meaning_of(line.line_type, families), 0)
    if event is None:
        return ""
    ids = {row.id for row in events}
    return event.id if event.id in ids else next((row.id for row in events if row.event_type == "sale"), "")


def _when(line: Booked) -> tuple[datetime, str]:
    return line.posted_at, line.id


def _own_row(origin: Origin, line: Booked, meaning: Meaning, left: int, units: int = 0) -> LedgerEvent | None:
    """The row of a line that isn't part of the sale's; ``left`` is what was left before it of the sale of ``units``."""
    amount = line.amount_micros
    event_type, is_fee = _type_of(meaning, amount)
    if not event_type or (not amount and event_type != "sale"):
        return None
    after = left + amount
    # The unit is back with what gives the rest back, and gone again with what takes it up again.
    moved = 0
    if meaning in ("refund", "dispute"):
        moved = -units if after <= 0 < left else units if left <= 0 < after and amount > 0 else 0
    return origin.event(
        event_type,
        line.posted_at,
        line.currency,
        gross=0 if is_fee else amount,
        fee=-amount if is_fee else 0,
        quantity=moved,
        part=line.id,
    )


def _type_of(meaning: Meaning, amount: int) -> tuple[str, bool]:
    """The ledger's word for a line, and whether its amount is a fee; empty where it is no row."""
    match meaning:
        case "sale":
            # A word of a sale with money that goes out is a purchase.
            return ("sale" if amount >= 0 else "adjustment"), False
        case "refund":
            return "refund", False
        case "dispute":
            return ("chargeback" if amount < 0 else "chargeback_reversal"), False
        case "processing" | "fee" | "dispute_fee":
            return ("fee" if amount < 0 else "fee_refund"), True
        case "payout_fee":
            return "payout_fee", True
        case "tax":
            return "tax", False
        case "share":
            return "affiliate_share", False
        case "credit":
            return "affiliate_credit", False
        case "unknown":
            return "adjustment", False
        case _:
            return "", False
