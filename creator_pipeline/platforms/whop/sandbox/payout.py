"""A payout of the stand-in, and what it is on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

PAID = frozenset({"completed"})
RELEASED = frozenset({"reversed", "canceled", "failed", "denied"})
"""Its money is, or was never out of, the balance. Any other status is on the way."""


@dataclass
class Payout:
    """A withdrawal, ``wdrl_…``; amounts in units of ``currency``.

    Attributes:
        principal: what arrives.
        fee, markup: what the payout costs.
        fee_type: ``inclusive``: taken out of what was asked for; ``exclusive``: charged beside it.
        fee_paid_by: ``self`` or ``platform``.
        destination_currency, rate: of the bank; units of it for one of ``currency``.
        request_id: ``cofr_…`` where a conversion was asked for.
        due: when its status changes next, and to what; empty at the end.
        failure: ``(code, message)``.
        returned_at: when its money came back.
    """

    id: str
    currency: str
    principal: Decimal
    fee: Decimal
    markup: Decimal
    fee_type: str
    fee_paid_by: str
    created_at: datetime
    due: list[tuple[datetime, str]]
    status: str = "processing"
    source: str | None = "automatic"
    speed: str = "standard"
    destination_currency: str | None = None
    rate: Decimal | None = None
    request_id: str | None = None
    failure: tuple[str, str] | None = None
    returned_at: datetime | None = None
    booked: bool = False

    @property
    def charged(self) -> Decimal:
        """What the account pays for it."""
        return self.fee + self.markup if self.fee_paid_by == "self" else Decimal(0)

    @property
    def taken(self) -> Decimal:
        """What leaves the balance, fees included."""
        return self.principal + self.charged

    @property
    def state(self) -> str:
        """``paid``, ``on_the_way`` or ``released``."""
        return "paid" if self.status in PAID else "released" if self.status in RELEASED else "on_the_way"
