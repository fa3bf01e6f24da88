"""An invented Payments report of Amazon KDP: what an author in the euro area is paid for the invented royalties.

Its arithmetic is its own, on decimals: a month is paid in its own shops' currencies near the end of the second month
after it, and the bank converts. At Amazon.co.uk each payment fails and is repeated under another number; of the newest
month the one of Amazon.co.jp waits for the bank.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import func, select

from creator_pipeline.platforms.kdp import PLATFORM
from creator_pipeline.platforms.kdp.sandbox.reports import InventedReport, prior_month, workbook
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payouts

PAYDAY = 27
REPEATED_AFTER_DAYS = 6
BANK = "EUR"
_HEADER = (
    *("Sales Period - Start Date", "Sales Period - End Date", "Marketplace", "Payment Number", "Detail", "Date"),
    *("Payment Method", "Currency", "Accrued Royalty", "Tax Withholding", "Adjustments", "Net Earnings", "Source"),
    *("FX Rate", "Currency", "Payout Amount", "Payment Status"),
)
_RATES = {"USD": 0.895, "GBP": 1.192, "JPY": 0.00569}
_FAILS, _WAITS = "Amazon.co.uk", "Amazon.co.jp"
_TAX = Decimal("0.05")
"""By a treaty; on everything sold on Amazon.com, and on print in Japan."""
_ADJUSTED, _ADJUSTMENT = "Amazon.com", Decimal("-2.15")
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class InventedPayments:
    """A workbook and what is in it.

    Attributes:
        months: that were paid or are on the way, by their first days, oldest first.
        royalties: the final reports of these months, and of those that are not paid yet.
        paid: what the bank got, by currency.
        accrued: royalties of payments that were made or are on the way, by marketplace and month, in its currency.
    """

    name: str
    content: bytes
    months: tuple[date, ...]
    royalties: tuple[InventedReport, ...]
    paid: Mapping[str, Decimal]
    accrued: Mapping[tuple[str, date], Decimal]


def payments_report(seed: int, today: date, *, months: int = 2) -> InventedPayments:
    """The Payments report that an author downloads on a day, the same for the same seed and day.

    Args:
        seed: of the invented royalties (:func:`.reports.prior_month`).
        today: the day of the download; its time is noon, UTC.
        months: how many months it reaches back.
    """
    paid_months = _paid_months(today, months)
    reports = list[InventedReport]()
    day = _later(paid_months[0], 1)
    while day <= today.replace(day=1):
        reports.append(prior_month(seed, day))
        day = _later(day, 1)
    book = _Book(seed, today, paid_months[-1])
    for report in reports:
        if report.month in paid_months:
            book.pay_month(report)
    content = workbook({"Payments": [_HEADER, *book.rows]}, datetime.combine(today, time(12), UTC))
    name = f"KDP_Payments_00000000-1111-4222-8333-{today:%Y%m%d}{seed:04}.xlsx"
    return InventedPayments(name, content, paid_months, tuple(reports), book.paid, book.accrued)


def _later(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def _paid_months(today: date, count: int) -> tuple[date, ...]:
    newest = _later(today.replace(day=1), -2 if today.day >= PAYDAY else -3)
    return tuple(_later(newest, -back) for back in reversed(range(count)))


class _Book:
    def __init__(self, seed: int, today: date, newest: date) -> None:
        self.seed, self.today, self.newest = seed, today, newest
        self.rows: list[list[object]] = []
        self.paid: dict[str, Decimal] = {}
        self.accrued: dict[tuple[str, date], Decimal] = {}

    def pay_month(self, report: InventedReport) -> None:
        month = report.month
        payday = _later(month, 2).replace(day=PAYDAY)
        for place, shop in enumerate(dict.fromkeys(shop for shop, _, _ in report.earned)):
            number = 700_000_000_000 + (month.year * 12 + month.month) * 100 + place
            if shop == _WAITS and month == self.newest:
                self._payment(report, shop, None, None, "Pending")
            elif shop == _FAILS:
                self._payment(report, shop, number, payday, "Failed")
                again = payday + timedelta(days=REPEATED_AFTER_DAYS)
                if again <= self.today:
                    self._payment(report, shop, number + 50, again, "Paid")
            else:
                self._payment(report, shop, number, payday, "Paid")

    def _payment(self, report: InventedReport, shop: str, number: int | None, day: date | None, status: str) -> None:
        below = list[list[object]]()
        accrued, tax, currency = Decimal(0), Decimal(0), ""
        for (where, currency_, source), hundredths in report.earned.items():
            if where != shop:
                continue
            currency, amount = currency_, Decimal(hundredths) / 100
            if currency == "JPY":
                amount = Decimal(int(amount))
            taxed = shop == "Amazon.com" or (shop == "Amazon.co.jp" and source == "Paperback Sales")
            kept = amount * _TAX if taxed else Decimal(0)
            accrued, tax = accrued + amount, tax + kept
            head: list[object] = [None, None, None, None, f"{report.month:%Y-%m}", None, None, currency]
            below.append(
                [*head, float(amount), float(kept), None, float(amount - kept), source, None, None, None, None]
            )
        adjusted = _ADJUSTMENT if shop == _ADJUSTED and report.month.month % 2 == 0 else Decimal(0)
        net = accrued - tax + adjusted
        rate, payout = None, "Pending info from Bank"
        if day is not None:
            rng = random.Random(f"kdp/{self.seed}/{report.month}/{shop}/{number}")
            exact = Decimal(1) if currency == BANK else Decimal(repr(_RATES[currency] * (1 + rng.uniform(-0.02, 0.02))))
            rate = None if currency == BANK else f"{exact:.4f}"
            payout = (net * exact).quantize(_CENT, ROUND_HALF_UP)
            if status == "Paid":
                self.paid[BANK] = self.paid.get(BANK, Decimal(0)) + payout
        if status != "Failed":
            key = shop, report.month
            self.accrued[key] = self.accrued.get(key, Decimal(0)) + accrued
        last = _later(report.month, 1) - timedelta(days=1)
        self.rows.append(
            [
                *(report.month.isoformat(), last.isoformat(), shop, None if number is None else float(number), None),
                *(day and day.isoformat(), "EFT", currency, float(accrued), float(tax), float(adjusted), float(net)),
                *(None, rate, BANK, payout if isinstance(payout, str) else float(payout), status),
            ]
        )
        self.rows += below


def paid_out(warehouse: Warehouse, profile_id: str) -> Mapping[str, int]:
    """What the bank got by the tables, in micros by currency."""
    columns = payouts.c
    mine = (columns.provider == PLATFORM.in_ledger, columns.profile_id == profile_id, columns.state == "paid")
    with warehouse.read() as connection:
        rows = connection.execute(
            select(columns.currency, func.sum(columns.amount_micros)).where(*mine).group_by(columns.currency)
        ).all()
    return {code: int(micros) for code, micros in rows}
