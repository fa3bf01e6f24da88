"""Reads the Payments report: payments to the bank, which are no revenue, and below each what it is made of."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.cells import Cell, Mark, absent, currency, decimal_mark, micros, number, text
from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.dates import day_or_month
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.models import Dimensions, Measures, Row, slice_name
from creator_pipeline.platforms.kdp.payment_models import UNROUNDED_MICROS, Detail, Payment, signed_withholding
from creator_pipeline.platforms.kdp.problems import OWN_FILE, BadCell, ProblemList
from creator_pipeline.platforms.kdp.table import Table

_MONEY = ("accrued", "tax", "adjustments", "net_earnings", "payout")
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_KEPT = "The payment is stored as it stands, and a check of the books names it."


def read_payments(table: Table, layout: Layout, problems: ProblemList) -> list[Payment]:
    """Read the payments of a report, each with the rows below it.

    A row whose numbers don't add up is a note with both numbers, and is read like every other; a cell that can't be
    read with certainty holds the report back.
    """
    cells_of = list(table.rows)
    places = [layout.at[name] for name in _MONEY if name in layout.at]
    mark = decimal_mark(cells[place] for cells in cells_of for place in places if place < len(cells))
    reader = _Reader(layout, problems, table.name or None, mark)
    for name in layout.unknown:
        reader.say("note", f"The column {name!r} is unknown: it was not read.", None, column=name, found=name)
    for source_row, cells in enumerate(cells_of, table.row + 1):
        if any(text(cell) for cell in cells):
            reader.take(cells, source_row)
    reader.end()
    return reader.payments


def rows_of(payments: Sequence[Payment], tab: str) -> list[Row]:
    """A row of the report for each payment. It is no revenue; its royalty is what accrued."""
    return [
        Row(
            each.source_row,
            Measures(0, 0, 0, 0, each.accrued_micros),
            Dimensions(
                sheet=tab,
                kind="payments",
                slice=slice_name("payments", each.period_start, "month"),
                event_key=(
                    *(each.period_start.isoformat()[:7], "payments", "", normal(each.marketplace)),
                    *("", each.number, each.currency),
                ),
                day=each.period_start,
                month=each.period_start.isoformat()[:7],
                asin=None,
                isbn=None,
                title=None,
                author=None,
                marketplace=each.marketplace,
                royalty_type=None,
                transaction=each.number,
                format=None,
                currency=each.currency,
                counted=False,
            ),
        )
        for each in payments
    ]


@dataclass(slots=True)
class _Reader:
    layout: Layout
    problems: ProblemList
    tab: str | None
    mark: Mark | None
    payments: list[Payment] = field(default_factory=list[Payment])
    _payment: Payment | None = None
    _details: list[Detail] = field(default_factory=list[Detail])
    _unreadable: bool = False

    def take(self, cells: Sequence[Cell], source_row: int) -> None:
        if len(cells) < self.layout.width:
            found, expected = f"{len(cells)} fields", f"{self.layout.width} fields"
            self.say("quarantine", OWN_FILE, source_row, found=found, expected=expected)
            return
        begins = not absent(self._cell(cells, "period_start"))
        if begins:
            self.end()
        try:
            if begins:
                self._unreadable = True
                self._payment, self._unreadable = self._read_payment(cells, source_row), False
            elif self._payment is not None:
                self._details.append(self._read_detail(cells, source_row, self._payment.currency))
            elif not self._unreadable:
                raise BadCell("", "a payment above the rows of its breakdown", column="period_start")
        except BadCell as bad:
            column = self._header(bad.column) if bad.column else None
            self.problems.add_cell(bad, sheet=self.tab, row=source_row, column=column)

    def end(self) -> None:
        """Keep the payment that was read last, with the rows below it."""
        payment, details = self._payment, tuple(self._details)
        self._payment, self._details = None, []
        if payment is None:
            return
        payment = payment._replace(details=details)
        self.payments.append(payment)
        if not payment.complete:
            place = to_text(payment.accrued_below_micros, payment.currency) if details else "no rows below it"
            expected = f"{to_text(payment.accrued_micros, payment.currency)} of the payment"
            hint = f"The rows below this payment don't add up to it. {_KEPT}"
            self.say("note", hint, payment.source_row, column=self._header("accrued"), found=place, expected=expected)

    def say(
        self, level: str, hint: str, row: int | None, *, column: str | None = None, found: str, expected: str = ""
    ) -> None:
        """Add a problem of one row."""
        self.problems.add(
            "quarantine" if level == "quarantine" else "note",
            hint,
            sheet=self.tab,
            row=row,
            column=column,
            found=found,
            expected=expected or None,
        )

    def _header(self, name: str) -> str | None:
        place = self.layout.at.get(name)
        return None if place is None else self.layout.names[place]

    def _cell(self, cells: Sequence[Cell], name: str) -> Cell:
        place = self.layout.at.get(name)
        return "" if place is None else cells[place]

    def _money(self, cells: Sequence[Cell], name: str) -> int | None:
        cell = self._cell(cells, name)
        if absent(cell):
            return None
        try:
            return micros(cell, self.mark)
        except BadCell as bad:
            bad.column = name
            raise

    def _amounts(self, cells: Sequence[Cell], source_row: int, code: str) -> tuple[int, int, int, int]:
        """Accrued, withheld, adjustments, net."""
        accrued = self._money(cells, "accrued")
        if accrued is None:
            raise BadCell("", "an amount of money", column="accrued")
        printed, adjustments = self._money(cells, "tax") or 0, self._money(cells, "adjustments") or 0
        net = self._money(cells, "net_earnings")
        if net is None:
            net = accrued - abs(printed) + adjustments
        withheld = signed_withholding(accrued, printed, adjustments, net)
        computed = accrued - withheld + adjustments
        if abs(computed - net) > UNROUNDED_MICROS:
            self.say(
                "note",
                f"Net earnings are not accrued royalty less withholding and with adjustments. {_KEPT}",
                source_row,
                column=self._header("net_earnings"),
                found=to_text(net, code),
                expected=to_text(computed, code),
            )
        return accrued, withheld, adjustments, net

    def _read_payment(self, cells: Sequence[Cell], source_row: int) -> Payment:
        start, _ = day_or_month(self._cell(cells, "period_start"))
        shop = text(self._cell(cells, "marketplace"))
        if not shop:
            raise BadCell("", "a marketplace", column="marketplace")
        own = currency(self._cell(cells, "currency"))
        amounts = self._amounts(cells, source_row, own)
        paid_on, payout, said = self._cell(cells, "date"), None, None
        if not absent(cell := self._cell(cells, "payout")):
            try:
                payout = micros(cell, self.mark)
            except BadCell:
                # ``Pending info from Bank``; other words survive too.
                said = text(cell)
        rate = self._rate(self._cell(cells, "fx_rate"))
        to_bank = self._payout_currency(cells)
        if to_bank is None and rate is not None:
            raise BadCell("", "the currency of the payout, beside its rate", column="payout")
        if payout is not None and rate is None and to_bank not in {None, own}:
            self.say(
                "note",
                "The payout is in another currency and no rate is given, so that it can't be compared.",
                source_row,
                column=self._header("fx_rate"),
                found=to_bank or "",
                expected=f"a rate from {own}",
            )
        return Payment(
            source_row,
            start,
            _last_day(self._cell(cells, "period_end"), start),
            shop,
            payment_number(self._cell(cells, "payment_number"), self.mark),
            None if absent(paid_on) else day_or_month(paid_on)[0],
            _word(self._cell(cells, "payment_method")),
            own,
            *amounts,
            rate,
            to_bank or own,
            payout,
            said,
            _word(self._cell(cells, "payment_status")) or "",
        )

    def _read_detail(self, cells: Sequence[Cell], source_row: int, code: str) -> Detail:
        month, _ = day_or_month(self._cell(cells, "detail"))
        cell = self._cell(cells, "currency")
        own = code if absent(cell) else currency(cell)
        if own != code:
            raise BadCell(own, f"{code}, the currency of its payment", column="currency")
        source = _word(self._cell(cells, "source")) or ""
        return Detail(source_row, month.replace(day=1), own, *self._amounts(cells, source_row, own), source)

    def _payout_currency(self, cells: Sequence[Cell]) -> str | None:
        first = self.layout.at["currency"]
        own = normal(self.layout.names[first])
        place = next((n for n, name in enumerate(self.layout.names) if n > first and normal(name) == own), None)
        return None if place is None or absent(cells[place]) else currency(cells[place])

    def _rate(self, cell: Cell) -> str | None:
        if absent(cell):
            return None
        try:
            return f"{number(cell, self.mark):f}"
        except BadCell:
            return text(cell)


def payment_number(cell: Cell, mark: Mark | None) -> str:
    """A payment's number as text: a workbook holds it as a float. Empty where there is none.

    Raises:
        BadCell: digits are lost (``7E+11``).
    """
    if absent(cell):
        return ""
    found = text(cell)
    if isinstance(cell, str) and _SCIENTIFIC.fullmatch(found):
        raise BadCell(cell, "a number with all its digits; scientific notation lost them", column="payment_number")
    try:
        value = number(cell, mark)
    except BadCell:
        return found
    return str(int(value)) if value == int(value) else found


def _last_day(cell: Cell, start: date) -> date:
    if absent(cell):
        return start.replace(day=monthrange(start.year, start.month)[1])
    day, grain = day_or_month(cell)
    return day.replace(day=monthrange(day.year, day.month)[1]) if grain == "month" else day


def _word(cell: Cell) -> str | None:
    return None if absent(cell) else text(cell)
