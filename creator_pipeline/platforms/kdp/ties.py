"""Ties what was paid to what was earned: accrued royalty of the payments against final royalties. Pure.

By marketplace, currency and month of sales, for a payment can cover several months.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from creator_pipeline.core.money import MICROS, ZERO_DECIMAL
from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.models import next_period
from creator_pipeline.platforms.kdp.payment_choice import Chosen
from creator_pipeline.platforms.kdp.payouts import details_of

Verdict = Literal["ok", "differs", "unpaid", "paid without royalties"]

CENT = 10_000
LATE_DAYS = 5
"""A month's money is late so many days after the end of the month in which it is paid."""
_MONTHS, _MONTHS_EXPANDED = 2, 3
"""Months after a month's end within which it is paid; Expanded Distribution takes one more."""
_CRUMBS = MICROS
"""Less than one unit of a currency (100 yen) isn't sent to a bank."""
_THRESHOLDS = {
    "amazon.co.jp": 10_000,
    "amazon.com.mx": 1_000,
}
"""Units that checks and wires wait for, where they are not 100."""


class Final(NamedTuple):
    """Final royalties of one month and marketplace, pages read included. ``expanded_micros`` are those of them of
    Expanded Distribution, which are paid later."""

    marketplace: str
    currency: str
    month: date
    micros: int
    expanded_micros: int


class Tie(NamedTuple):
    """One month of one marketplace. Amounts in micros of ``currency``.

    Attributes:
        month: its first day.
        final_micros: royalties of the final report; None where there is none.
        expanded_micros: those of them of Expanded Distribution.
        accrued_micros: of payments that were made or are on the way; None where there is none.
        failed: numbers of failed payments of this month.
        tolerance_micros: Amazon's own rounding.
    """

    marketplace: str
    currency: str
    month: date
    final_micros: int | None
    expanded_micros: int
    accrued_micros: int | None
    failed: tuple[str, ...]
    tolerance_micros: int

    @property
    def verdict(self) -> Verdict:
        """What the two figures say of each other."""
        if self.final_micros is None:
            return "paid without royalties"
        if self.accrued_micros is None:
            return "unpaid"
        return "ok" if abs(self.accrued_micros - self.final_micros) <= self.tolerance_micros else "differs"

    @property
    def expanded_waits(self) -> bool:
        """Whether all but Expanded Distribution was paid."""
        missing = (self.final_micros or 0) - (self.accrued_micros or 0)
        paid = self.accrued_micros is not None
        return paid and bool(self.expanded_micros) and abs(missing - self.expanded_micros) <= self.tolerance_micros

    @property
    def unpaid_micros(self) -> int:
        """Royalties of which no payment tells."""
        if self.verdict == "unpaid":
            return self.final_micros or 0
        return self.expanded_micros if self.verdict == "differs" and self.expanded_waits else 0

    def late_after(self) -> date:
        """The last day on which what is unpaid is not late yet."""
        only_expanded = self.unpaid_micros == self.expanded_micros
        end = self.month
        for _ in range((_MONTHS_EXPANDED if only_expanded else _MONTHS) + 1):
            end = next_period(end, "month")
        return end + timedelta(days=LATE_DAYS - 1)


def tie(finals: Iterable[Final], payments: Iterable[Chosen]) -> list[Tie]:
    """Each month and marketplace that has royalties or payments, oldest first. Amounts of nothing are left out."""
    earned: dict[tuple[str, str, date], Final] = {}
    for each in finals:
        if each.micros or each.expanded_micros:
            earned[normal(each.marketplace), each.currency, each.month] = each
    accrued: defaultdict[tuple[str, str, date], int] = defaultdict(int)
    sources: defaultdict[tuple[str, str, date], set[str]] = defaultdict(set)
    failed: defaultdict[tuple[str, str, date], list[str]] = defaultdict(list)
    names = {key: each.marketplace for key, each in earned.items()}
    for chosen in payments:
        payment = chosen.payment
        for detail in details_of(payment):
            key = normal(payment.marketplace), detail.currency, detail.month
            if payment.state == "released":
                failed[key].append(payment.number or chosen.payout_id)
                continue
            names.setdefault(key, payment.marketplace)
            accrued[key] += detail.accrued_micros
            sources[key].add(detail.source)
    keys = sorted(earned.keys() | {key for key, micros in accrued.items() if micros}, key=lambda key: (key[2], key[0]))
    return [_tie(key, names[key], earned.get(key), accrued, len(sources[key]), failed[key]) for key in keys]


def _tie(
    key: tuple[str, str, date],
    name: str,
    final: Final | None,
    accrued: Mapping[tuple[str, str, date], int],
    sources: int,
    failed: Iterable[str],
) -> Tie:
    currency, month = key[1:]
    # Such currencies are cut to whole units, each source by itself.
    cut = max(1, sources) * MICROS - 1
    return Tie(
        name,
        currency,
        month,
        final.micros if final else None,
        final.expanded_micros if final else 0,
        accrued.get(key),
        tuple(dict.fromkeys(failed)),
        cut if currency in ZERO_DECIMAL else CENT,
    )


def threshold_micros(marketplace: str, currency: str, method: str | None) -> int:
    """What isn't paid out below: nothing but crumbs by EFT, and by check or wire an amount for each marketplace.

    Args:
        marketplace: where it was earned.
        currency: of the marketplace.
        method: of the account's newest payment, as the report says it; None where it is not known.
    """
    if normal(method or "") in {"check", "cheque", "wire", "wire transfer"}:
        return _THRESHOLDS.get(normal(marketplace), 100) * MICROS
    return _CRUMBS * (100 if currency in ZERO_DECIMAL else 1)
