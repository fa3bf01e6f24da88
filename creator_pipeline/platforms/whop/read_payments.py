"""From payments as Whop tells them to rows. An object that can't be read is told, and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import orjson
from sqlalchemy import ColumnElement, Connection, select

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.money import MICROS, from_decimal
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.fetch import Payments
from creator_pipeline.platforms.whop.models import FIELDS, PaymentRow
from creator_pipeline.platforms.whop.odd import Listed, keep_odd, unreadable
from creator_pipeline.platforms.whop.refunds import (
    alert_entry,
    dispute_entry,
    payment_of_alert,
    payment_of_dispute,
    payment_of_refund,
    payment_row,
    refund_entry,
)
from creator_pipeline.store import unreadable as kept
from creator_pipeline.store.tables import whop_payments
from creator_pipeline.store.unreadable import Unreadable

_AMOUNTS = ("total", "amount_after_fees", "amount", "fee")
_MOST_DIGITS = 100
_PAYMENT_OF = {"refunds": payment_of_refund, "disputes": payment_of_dispute, "dispute_alerts": payment_of_alert}


@dataclass
class ReadPayments:
    """Payments as rows.

    Attributes:
        odd: what can't be read.
        read: (list, id) of what can.
        rounded: amounts that are finer than a millionth, which the tables don't hold.
        listed: lists that were read for it, and their objects without an id.
    """

    rows: dict[str, PaymentRow] = field(default_factory=dict[str, PaymentRow])
    odd: list[Unreadable] = field(default_factory=list[Unreadable])
    read: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    rounded: list[str] = field(default_factory=list[str])
    listed: Listed = field(default_factory=Listed)


def read_payments(profile_id: str, found: Payments, moment: datetime) -> ReadPayments:
    """The rows of all payments that can be read, with those of their refunds, disputes and alerts that can.

    Args:
        profile_id: whose account.
        found: as the API tells them.
        moment: of the load.
    """
    made = ReadPayments(odd=list(found.odd))
    for key, payment in found.payments.items():
        try:
            currency = FIELDS.text("payment", payment, "currency").upper()
            before = len(made.odd)
            refunds = _good(
                "refunds", found.refunds.get(key, ()), lambda one, code=currency: refund_entry(one, code), made
            )
            disputes = _good(
                "disputes", found.disputes.get(key, ()), lambda one, code=currency: dispute_entry(one, code, 0), made
            )
            alerts = _good("dispute_alerts", found.alerts.get(key, ()), alert_entry, made)
            row = payment_row(profile_id, payment, refunds, disputes, moment, alerts)
        except DataError as error:
            made.odd.append(unreadable("payments", payment, error))
            continue
        made.rows[key] = row if len(made.odd) == before else row._replace(final=False)
        made.read.add(("payments", key))
        made.rounded += [said for item in (payment, *refunds, *alerts) for said in _finer(item)]
    return made


def _good(part: str, items: Iterable[Json], read: Callable[[Json], Json], made: ReadPayments) -> list[Json]:
    """The objects that can be read."""
    good: list[Json] = []
    for item in items:
        try:
            read(item)
        except DataError as error:
            made.odd.append(unreadable(part, item, error))
        else:
            made.read.add((part, str(item["id"])))
            good.append(item)
    return good


def _finer(item: Json) -> Iterator[str]:
    """Amounts of an object that are finer than a millionth of their currency's unit."""
    for key in _AMOUNTS:
        value = item.get(key)
        told = cast("Json", value) if isinstance(value, dict) else {}
        text = told.get("amount")
        if not isinstance(text, str) or len(text) > _MOST_DIGITS:
            continue
        try:
            exact = Decimal(text)
            if exact * MICROS != from_decimal(exact):
                yield f"{item.get('id')}: {key} {text} {str(told.get('currency')).upper()}"
        except (InvalidOperation, ValueError):
            continue


def with_stored(
    connection: Connection, profile_id: str, made: ReadPayments, scope: ColumnElement[bool]
) -> list[PaymentRow]:
    """The rows to store: what was read before of an object stands as long as it can't be read now.

    An object without an id may be any of those that its list doesn't show any more.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        made: of this reading.
        scope: the stored payments that the rows replace.
    """
    odd: dict[str, set[str]] = {}
    for one in made.odd:
        odd.setdefault(one.part, set()).add(one.object_id)
    unnamed = {part: made.listed.named(part, payment_of) for part, payment_of in _PAYMENT_OF.items()}
    if not odd and not made.listed.odd:
        return list(made.rows.values())
    columns = whop_payments.c
    wanted = sorted({*odd.get("payments", ()), *made.rows})
    before: dict[str, PaymentRow] = {}
    for start in range(0, len(wanted), 2_000):
        asked = select(whop_payments).where(
            columns.profile_id == profile_id, columns.id.in_(wanted[start : start + 2_000])
        )
        before |= {row.id: PaymentRow(*row) for row in connection.execute(asked)}
    rows = [_merged(row, before.get(key), odd, unnamed) for key, row in made.rows.items()]
    left = {key: before[key] for key in sorted(odd.get("payments", ())) if key in before and key not in made.rows}
    if made.listed.has("payments"):
        others = (PaymentRow(*row) for row in connection.execute(select(whop_payments).where(scope)))
        left |= {row.id: row for row in others if row.id not in made.rows}
    return [*rows, *left.values()]


def _merged(
    row: PaymentRow, before: PaymentRow | None, odd: dict[str, set[str]], unnamed: dict[str, set[str]]
) -> PaymentRow:
    if any(row.id in ids for ids in unnamed.values()):
        row = row._replace(final=False)
    if before is None:
        return row
    parts = {"refunds": "refunds", "disputes": "disputes", "alerts": "dispute_alerts"}
    texts = {
        column: _with(
            getattr(row, column), getattr(before, column), None if row.id in unnamed[part] else odd.get(part, ())
        )
        for column, part in parts.items()
    }
    return row._replace(**texts)


def _with(now: str, before: str, odd: Collection[str] | None) -> str:
    """JSON lists: the entries of ``now``, and those of ``before`` whose ids are in ``odd``, or are missing now."""
    fresh = orjson.loads(now)
    present = {entry["id"] for entry in fresh}
    kept_entries: list[Any] = [
        entry for entry in orjson.loads(before) if entry["id"] not in present and (odd is None or entry["id"] in odd)
    ]
    if not kept_entries:
        return now
    entries = sorted([*fresh, *kept_entries], key=lambda entry: (entry["at"], entry["id"]))
    return orjson.dumps(entries, option=orjson.OPT_SORT_KEYS).decode()


def remember(connection: Connection, profile_id: str, made: ReadPayments, missing: Iterable[str], at: datetime) -> None:
    """Keep what can't be read, and drop what can again, or is gone.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        made: of this reading.
        missing: ids of payments that the account doesn't have.
        at: when.
    """
    read = made.read | {("payments", each) for each in missing}
    keep_odd(connection, profile_id, made.odd, read, at, made.listed)


def odd_payments(connection: Connection, profile_id: str) -> set[str]:
    """Ids of payments that could not be read the last time."""
    found = kept.unreadable_of(connection, PLATFORM.in_ledger, profile_id)
    return {one.object_id for one in found if one.part == "payments" and one.object_id and not one.asked}
