"""From Whop's JSON about money to typed rows: lines of the feed, payouts, balances, reports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import NamedTuple, cast

from creator_pipeline.core.json_fields import FieldReader, Json, dumps, stored
from creator_pipeline.core.money import from_decimal
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.ledger_lines import owner_of
from creator_pipeline.platforms.whop.line_types import Family

FIELDS = FieldReader("Whop", "The API may have changed; the others were stored.", absent_is_null=True)
_WHOLE = re.compile(r"[+-]?\d{1,40}")
_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)


class Line(NamedTuple):
    """A row of ``whop_financial_activity``, in the order of its columns."""

    profile_id: str
    id: str
    line_type: str
    posted_at: datetime
    posted_on: date
    available_at: datetime | None
    payment_id: str | None
    resource_id: str | None
    product_id: str | None
    product_name: str | None
    amount_micros: int
    amount_exact: str
    currency: str
    usd_micros: int | None
    raw: str
    first_seen_at: datetime
    ingested_at: datetime

    @property
    def owner(self) -> str:
        """Whose rows of the ledger it belongs to."""
        return owner_of(self.payment_id, self.resource_id, self.id)


class StatementLine(NamedTuple):
    """A row of ``whop_payout_statements``, in the order of its columns."""

    profile_id: str
    payout_id: str
    line_id: str
    line_type: str
    posted_at: datetime
    payment_id: str | None
    amount_micros: int
    currency: str


class Balance(NamedTuple):
    """A part of an account's balance: ``available``, ``pending`` or ``reserve``."""

    currency: str
    part: str
    micros: int


class Report(NamedTuple):
    """A row of ``whop_financial_reports``, in the order of its columns."""

    profile_id: str
    currency: str
    from_at: datetime
    to_at: datetime
    beginning_micros: int | None
    ending_micros: int | None
    total_micros: int
    rows: str
    seen_at: datetime


def exact_amount(line: Json) -> Decimal:
    """Signed amount of a line in units of its currency: whole text over the line's own precision.

    Raises:
        DataError: amount or precision is no whole text, or the quotient has no end.
    """
    currency = line.get("currency")
    told = cast("Json", currency) if isinstance(currency, dict) else {}
    amount, precision = line.get("amount"), told.get("precision")
    if not isinstance(amount, str) or not _WHOLE.fullmatch(amount):
        raise FIELDS.bad("line", line, "amount", "a whole number as text")
    if not isinstance(precision, str) or not _WHOLE.fullmatch(precision) or int(precision) <= 0:
        raise FIELDS.bad("line", line, "currency", "an object with its precision as whole text")
    quotient = _EXACT.divide(Decimal(amount), Decimal(precision))
    if _EXACT.multiply(quotient, Decimal(precision)) != Decimal(amount):
        raise FIELDS.bad("line", line, "currency", "a precision that divides the amount")
    return quotient


def line_row(profile_id: str, line: Json, moment: datetime) -> Line:
    """The row of one line of the feed.

    Args:
        profile_id: whose account.
        line: as the API tells it.
        moment: of the load.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    what = "line"
    exact = exact_amount(line)
    posted = FIELDS.time(what, line, "posted_at")
    payment = FIELDS.optional_text(what, line, "payment_id")
    return Line(
        profile_id=profile_id,
        id=FIELDS.text(what, line, "id"),
        line_type=FIELDS.text(what, line, "line_type"),
        posted_at=posted,
        posted_on=posted.date(),
        available_at=FIELDS.optional_time(what, line, "available_at"),
        payment_id=payment,
        resource_id=_resource_id(line, payment),
        product_id=FIELDS.optional_text(what, line, "product_id"),
        product_name=FIELDS.optional_text(what, line, "product_name"),
        amount_micros=_micros(what, line, "amount", exact),
        amount_exact=_plain(exact),
        currency=_currency(line),
        usd_micros=_usd(line),
        raw=_raw(line),
        first_seen_at=moment,
        ingested_at=moment,
    )


def statement_row(profile_id: str, payout_id: str, line: Json) -> StatementLine:
    """The row of one line of a payout's statement.

    Args:
        profile_id: whose account.
        payout_id: ``wdrl_…``.
        line: as the API tells it.
    """
    return StatementLine(
        profile_id,
        payout_id,
        FIELDS.text("line", line, "id"),
        FIELDS.text("line", line, "line_type"),
        FIELDS.time("line", line, "posted_at"),
        FIELDS.optional_text("line", line, "payment_id"),
        _micros("line", line, "amount", exact_amount(line)),
        _currency(line),
    )


def balances_of(account: Json) -> list[Balance]:
    """The three parts of an account's balance in each currency; JSON numbers in units of it.

    Raises:
        DataError: there is no list of balances.
    """
    listed = account.get("balances")
    if not isinstance(listed, list):
        raise FIELDS.bad("ledger account", account, "balances", "a list")
    return [
        Balance(FIELDS.text("balance", item, "currency").upper(), part, FIELDS.decimal_micros("balance", item, key))
        for item in cast("list[Json]", listed)
        for part, key in catalog.BALANCE_PARTS.items()
    ]


def report_row(profile_id: str, report: Json, currency: str, window: tuple[datetime, datetime], at: datetime) -> Report:
    """The row of a report of an account's movements.

    Args:
        profile_id: whose account.
        report: as the API tells it.
        currency: that was asked for, in capitals.
        window: that was asked for, half-open.
        at: when it was read.

    Raises:
        DataError: there is no list of rows.
    """
    listed = report.get("rows")
    if not isinstance(listed, list):
        raise FIELDS.bad("report", report, "rows", "a list")
    rows = [
        {
            "period": FIELDS.text("report's row", row, "period"),
            "line_type": FIELDS.text("report's row", row, "line_category"),
            "grouping": FIELDS.optional_text("report's row", row, "grouping"),
            "section": FIELDS.optional_text("report's row", row, "profit_and_loss_section"),
            "amount": _plain(_number("report's row", row, "amount")),
            "count": row.get("line_count"),
        }
        for row in cast("list[Json]", listed)
    ]
    beginning, ending = (_optional_number(report, key) for key in ("beginning_balance", "ending_balance"))
    total = FIELDS.decimal_micros("report", report, "total")
    return Report(profile_id, currency, *window, beginning, ending, total, dumps(rows, ordered=True), at)


def families_of(reports: Iterable[list[Json]]) -> dict[str, Family]:
    """What Whop's reports say of each word.

    Args:
        reports: the rows of each report as stored.
    """
    return {row["line_type"]: Family(row["grouping"], row["section"]) for rows in reports for row in rows}


def _currency(line: Json) -> str:
    return FIELDS.text("line's currency", cast("Json", line["currency"]), "code").upper()


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _micros(what: str, item: Json, key: str, value: Decimal) -> int:
    try:
        return from_decimal(value)
    except ValueError:
        raise FIELDS.bad(what, item, key, "an amount that fits") from None


def _usd(line: Json) -> int | None:
    told = FIELDS.optional_text("line", line, "usd_amount")
    try:
        return None if told is None else from_decimal(told)
    except ValueError:
        raise FIELDS.bad("line", line, "usd_amount", "exact decimal text or null") from None


def _number(what: str, item: Json, key: str) -> Decimal:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FIELDS.bad(what, item, key, "a number")
    try:
        return Decimal(repr(value))
    except InvalidOperation:
        raise FIELDS.bad(what, item, key, "a number") from None


def _optional_number(item: Json, key: str) -> int | None:
    return None if item.get(key) is None else FIELDS.decimal_micros("report", item, key)


def _resource_id(line: Json, payment_id: str | None) -> str | None:
    """A payout's id goes before all others: a payout is found by it."""
    ids = [
        str(cast("Json", part)["id"])
        for part in (line.get("source"), line.get("resource"))
        if isinstance(part, dict) and isinstance(cast("Json", part).get("id"), str)
    ]
    others = [each for each in ids if each != payment_id]
    return next((each for each in others if each.startswith(catalog.PAYOUT_PREFIX)), others[0] if others else None)


def _raw(line: Json) -> str:
    kept = dict(line)
    source = line.get("source")
    if isinstance(source, dict):
        kept["source"] = {key: cast("Json", source)[key] for key in catalog.SOURCE_KEPT if key in source}
    return stored(kept, catalog.LINE_KEPT, catalog.LINE_DROPPED, ordered=True)
