"""From Gumroad's JSON of a payout to its head and its lines. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, cast

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import FieldReader, Json, stored
from creator_pipeline.core.money import MICROS_PER_CENT, ZERO_DECIMAL, decimals, from_decimal, to_text
from creator_pipeline.core.text import number
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.answers import without_processor

FIELDS = FieldReader("Gumroad", "This payout was left out; the others were read.", absent_is_null=True)
PAID_ELSEWHERE = "paid_elsewhere"
"""Key of a stored reading: sales among its lines that its own list of sales leaves out."""
READ_AS = "read_as"
"""Key of a stored reading: the payout's status when its lines were read."""
_OWN_KEYS = frozenset({PAID_ELSEWHERE, READ_AS})
RETURN_DAYS = timedelta(days=7)
"""About so long after it was made a payout comes back."""


class Line(NamedTuple):
    """A row of a payout's transactions. Amounts in micros of a US dollar, signed as Gumroad does; None where empty.

    Attributes:
        type: in Gumroad's own word.
        occurred_on: its day, UTC.
        sale_id: of the sale, where the row names one.
    """

    type: str
    occurred_on: date
    sale_id: str | None
    gross_micros: int | None
    fee_micros: int | None
    net_micros: int


class Head(NamedTuple):
    """What a payout says of itself. ``amount_micros`` in ``currency``."""

    payout_id: str
    amount_micros: int
    currency: str
    status: str
    state: str
    created_at: datetime
    processed_at: datetime | None
    raw: Json


class Reading(NamedTuple):
    """A payout with its lines; None where the server gives none.

    Attributes:
        paid_elsewhere: sales of its lines that went into the seller's own account at a processor.
        new_keys: keys that this release doesn't know.
    """

    head: Head
    lines: Sequence[Line] | None
    paid_elsewhere: frozenset[str]
    new_keys: frozenset[str]


def head(item: Json) -> Head:
    """The head of one payout, without what is personal. An unknown status counts as on the way: its money is tied.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    status = FIELDS.text("payout", item, "status")
    currency = FIELDS.text("payout", item, "currency").upper()
    return Head(
        payout_id=FIELDS.text("payout", item, "id"),
        amount_micros=_amount(item, currency),
        currency=currency,
        status=status,
        state=payout_catalog.PAYOUT_STATES.get(status.lower(), "on_the_way"),
        created_at=FIELDS.time("payout", item, "created_at"),
        processed_at=FIELDS.optional_time("payout", item, "processed_at"),
        raw={
            key: value
            for key, value in without_processor(item, payout_catalog.PAYOUT_KEYS).items()
            if key not in payout_catalog.PAYOUT_PERSONAL
        },
    )


def _amount(item: Json, currency: str) -> int:
    """Text of minor units divided by a hundred, whatever the currency: ``"48.12"`` of JPY are 4,812 yen."""
    text = FIELDS.text("payout", item, "amount")
    try:
        value = Decimal(text.replace(",", ""))
        if currency not in payout_catalog.AS_WRITTEN:
            value *= Decimal(100).scaleb(-decimals(currency))
        return from_decimal(value)
    except (InvalidOperation, ValueError):
        raise FIELDS.bad("payout", item, "amount", "decimal text") from None


def is_inferred(currency: str) -> bool:
    """Whether it is our conclusion, and no answer that anybody saw, how an amount in a currency reads."""
    return currency in ZERO_DECIMAL or decimals(currency) != 2


def reading(item: Json) -> Reading:
    """One payout and its lines, in an order of our own: within a day Gumroad's is undefined.

    Raises:
        DataError: a key that matters is missing or has another type.
    """
    new = frozenset(item) - payout_catalog.PAYOUT_KEYS
    made = head({key: value for key, value in item.items() if key != "transactions"})
    rows = _rows(item)
    if rows is None:
        return Reading(made, None, frozenset(), new)
    lines = sorted((_line(row, place) for place, row in enumerate(rows, 1)), key=_order)
    listed = item.get("sales")
    sold = {line.sale_id for line in lines if line.type == payout_catalog.SALE and line.sale_id}
    elsewhere = frozenset(sold - set(cast("list[str]", listed))) if isinstance(listed, list) else frozenset[str]()
    new |= {key for row in rows for key in row.keys() - payout_catalog.LINE_KEYS}
    return Reading(made, lines, elsewhere, new)


def planned(item: Json) -> tuple[str, int, int]:
    """A planned payout: its currency, its amount, and what its lines add to it that no sale tells, in micros.

    Raises:
        DataError: the amount or a line can't be read.
    """
    try:
        amount = from_decimal(str(item.get("amount")))
    except ValueError:
        raise FIELDS.bad("planned payout", item, "amount", "decimal text") from None
    lines = [_line(row, place) for place, row in enumerate(_rows(item) or (), 1)]
    unsold = sum(line.net_micros for line in lines if line.type in payout_catalog.UNSOLD)
    return str(item.get("currency") or "usd").upper(), amount, unsold


def _rows(item: Json) -> list[Json] | None:
    told = item.get("transactions")
    if told is not None and not (isinstance(told, list) and all(isinstance(each, dict) for each in told)):
        raise FIELDS.bad("payout", item, "transactions", "a list of objects")
    return cast("list[Json] | None", told)


def _line(row: Json, place: int) -> Line:
    try:
        return _line_of(row)
    except DataError as error:
        column = f"transactions[{place}].{error.column}"
        raise DataError(error.message, hint=error.hint, column=column, expected=error.expected) from None


def _line_of(row: Json) -> Line:
    try:
        day = date.fromisoformat(FIELDS.text("payout's line", row, "date")[:10])
    except ValueError:
        raise FIELDS.bad("payout's line", row, "date", "a day") from None
    net = _dollars(row, "net_total")
    if net is None:
        raise FIELDS.bad("payout's line", row, "net_total", "a number")
    type_ = FIELDS.text("payout's line", row, "type")
    return Line(
        type_,
        day,
        None if type_ in payout_catalog.PIECED_TYPES else row.get("purchase_id") or None,
        _dollars(row, "sale_price"),
        _dollars(row, "gumroad_fees"),
        net,
    )


def _dollars(row: Json, key: str) -> int | None:
    """A number of dollars that came out of sums of floats, to the cent; the empty text is nothing."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise FIELDS.bad("payout's line", row, key, "a number")
    try:
        cents = Decimal(value if isinstance(value, str) else repr(value)).quantize(Decimal("0.01"))
        return from_decimal(cents)
    except (InvalidOperation, ValueError):
        raise FIELDS.bad("payout's line", row, key, "a number") from None


def _order(line: Line) -> tuple[Any, ...]:
    last = line.type == payout_catalog.TECHNICAL_ADJUSTMENT
    return (last, line.occurred_on, line.type, line.sale_id or "", line.net_micros, line.gross_micros or 0)


def is_known(type_: str) -> bool:
    """Whether it is known what lines of a type mean."""
    return type_ in payout_catalog.LINE_TYPES or payout_catalog.WRITTEN_OFF in type_.lower()


def period_end(lines: Iterable[Line]) -> date | None:
    """The last day that a payout covers, where one of its lines is dated with it."""
    return max((line.occurred_on for line in lines if line.type in payout_catalog.PERIOD_END_TYPES), default=None)


def raw(made: Reading) -> str:
    """The JSON of a payout as it is kept: its head, and those lines that belong to no sale."""
    kept = {key: value for key, value in made.head.raw.items() if key not in _LISTS}
    if made.lines is not None:
        kept["transactions"] = [_as_json(line) for line in made.lines if line.sale_id is None]
        kept[PAID_ELSEWHERE] = sorted(made.paid_elsewhere)
        kept[READ_AS] = made.head.status
    return stored(kept, payout_catalog.PAYOUT_KEYS | _OWN_KEYS, frozenset(), ordered=True)


_LISTS = ("sales", "refunded_sales", "disputed_sales")


def _as_json(line: Line) -> list[Any]:
    return [line.type, line.occurred_on.isoformat(), line.gross_micros, line.fee_micros, line.net_micros]


def lines_without_sale(kept: Mapping[str, Any]) -> list[Line]:
    """The lines of a stored payout (its parsed JSON) that belong to no sale."""
    return [
        Line(type_, date.fromisoformat(day), None, gross, fee, net)
        for type_, day, gross, fee, net in kept.get("transactions", ())
    ]


def with_head(kept: Mapping[str, Any], made: Head) -> str:
    """The stored JSON of a payout with a newer head; the lines that count stay."""
    fresh = {key: value for key, value in made.raw.items() if key not in _LISTS}
    lines = {key: kept[key] for key in ("transactions", *_OWN_KEYS) if key in kept}
    return stored({**fresh, **lines}, payout_catalog.PAYOUT_KEYS | _OWN_KEYS, frozenset(), ordered=True)


class Difference(NamedTuple):
    """How a later reading of a payout differs from the one that counts."""

    gone: int
    gone_micros: int
    new: int

    def describe(self) -> str:
        """For people; the first word is the sum of the lines that are gone, without their signs."""
        return (
            f"{to_text(self.gone_micros, 'USD')} USD in {number(self.gone, 'line')} that a later reading lacks; it has "
            f"{number(self.new, 'other')}. The first reading counts."
        )


def difference(before: Iterable[Line], after: Iterable[Line]) -> Difference | None:
    """What a later reading says otherwise; None where it says the same."""
    old, new = Counter(before), Counter(after)
    gone, come = old - new, new - old
    if not gone and not come:
        return None
    return Difference(gone.total(), sum(abs(line.net_micros) * count for line, count in gone.items()), come.total())


def released_on(made: Head, moment: datetime, *, known_before: bool) -> date:
    """The day on which the money of a payout was back in the balance, which is told nowhere.

    It is the day on which that was seen, where the payout was known before as one that is paid; else about a week
    after it was made, as such returns are.

    Args:
        made: the payout.
        moment: of the reading.
        known_before: whether it was stored as paid or on the way.
    """
    day = made.created_at.date()
    if known_before:
        return max(day, moment.date())
    failed = made.status.lower() not in {"returned", "reversed"}
    return day if failed else min(day + RETURN_DAYS, max(day, moment.date()))


def cents(micros: int) -> int:
    """Whole cents of an amount that has no fraction of one."""
    return micros // MICROS_PER_CENT
