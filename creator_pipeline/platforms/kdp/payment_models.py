"""A payment to the bank and what it is made of, as a Payments report tells it. Amounts are micros of ``currency``."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

State = Literal["paid", "on_the_way", "released"]

UNROUNDED_MICROS = 5_000
"""The report's numbers are not rounded: what is off by less than half a hundredth is noise of its floats."""
PENDING = "Pending info from Bank"
_STATES: dict[str, State] = {
    "paid": "paid",
    "failed": "released",
    "": "on_the_way",
    "pending": "on_the_way",
    PENDING.casefold(): "on_the_way",
}


class Detail(NamedTuple):
    """A row below a payment: what one source earned in one month.

    Attributes:
        source_row: number of the row in the file, from 1.
        month: its first day.
        withheld_micros: income tax, positive where it was taken off.
        source: ``Sales``, ``Paperback Sales``, ``KENP Royalties``, or another word; empty where there is none.
    """

    source_row: int
    month: date
    currency: str
    accrued_micros: int
    withheld_micros: int
    adjustments_micros: int
    net_micros: int
    source: str


class Payment(NamedTuple):
    """One payment of one marketplace.

    Attributes:
        source_row: number of the row in the file, from 1.
        period_start, period_end: first and last day of the sales that it says it covers.
        number: Amazon's number of it; empty while it has none.
        paid_on: day on which the money left Amazon; None while it hasn't.
        currency: of the marketplace.
        withheld_micros: income tax, positive where it was taken off.
        net_micros: as the report says it.
        fx_rate: printed rate as text; None where the currencies are one.
        payout_micros: what the bank gets, in micros of ``payout_currency``; None until the bank has told its rate.
        payout_text: what the report says in its place.
        status: in Amazon's own word; empty where there is none.
    """

    source_row: int
    period_start: date
    period_end: date
    marketplace: str
    number: str
    paid_on: date | None
    method: str | None
    currency: str
    accrued_micros: int
    withheld_micros: int
    adjustments_micros: int
    net_micros: int
    fx_rate: str | None
    payout_currency: str
    payout_micros: int | None
    payout_text: str | None
    status: str
    details: tuple[Detail, ...] = ()

    @property
    def computed_micros(self) -> int:
        """What the net earnings are by the other columns."""
        return self.accrued_micros - self.withheld_micros + self.adjustments_micros

    @property
    def accrued_below_micros(self) -> int:
        """The sum of the breakdown."""
        return sum(each.accrued_micros for each in self.details)

    @property
    def complete(self) -> bool:
        """Whether the rows below it add up to its accrued royalty."""
        return bool(self.details) and abs(self.accrued_below_micros - self.accrued_micros) <= UNROUNDED_MICROS

    @property
    def state(self) -> State:
        """Where its money is. A word that isn't known counts as on the way; :attr:`known_status` tells."""
        return _STATES.get(self.status.strip().casefold(), "on_the_way")

    @property
    def known_status(self) -> bool:
        """Whether this release knows the status."""
        return self.status.strip().casefold() in _STATES


def signed_withholding(accrued: int, withholding: int, adjustments: int, net: int) -> int:
    """The withholding, positive where it was taken off: whichever sign closes the row.

    Reports print it as a positive amount; a negative one with the same meaning is understood too. Where neither sign
    closes the row it is taken as taken off.

    Args:
        accrued: royalty in micros.
        withholding: as printed.
        adjustments: with their own sign.
        net: net earnings as printed.
    """
    taken = abs(withholding)
    off = {sign: abs(accrued - sign * taken + adjustments - net) for sign in (1, -1)}
    return -taken if off[-1] <= UNROUNDED_MICROS < off[1] else taken
