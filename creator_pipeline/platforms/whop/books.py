"""Whop's books: its feed, its reports and its balances against each other, and against the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, case, func, select

from creator_pipeline.core.money import from_decimal
from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger.closing import month_of
from creator_pipeline.platforms.books import Books, Identity
from creator_pipeline.platforms.whop.ledger_store import (
    PLATFORM,
    lock_ledger,
    rebuild_payments,
    rebuild_rest,
    stored_families,
)
from creator_pipeline.platforms.whop.line_types import NO_ROW, SALE_WORDS, Meaning, meaning_of
from creator_pipeline.platforms.whop.money_fetch import half_unit
from creator_pipeline.platforms.whop.money_reads import not_readable, readable_parts
from creator_pipeline.platforms.whop.movements import store_movements
from creator_pipeline.platforms.whop.payout_books import fees_inside, payout_identities
from creator_pipeline.platforms.whop.payout_store import derive, stored_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import (
    platform_balances,
    sales_events,
    whop_financial_activity,
    whop_financial_reports,
    whop_payments,
)

LATE = timedelta(days=3)
"""What is still estimated so long after its day will not be replaced by itself."""

NAMES = {
    "report_adds_up": "Whop's report: what it begins with and its movements are what it ends with.",
    "feed_equals_report": "The lines of a month add up to Whop's report of it.",
    "line_types_equal_report": "The lines of each word add up to Whop's report of it.",
    "feed_equals_balance": "All lines add up to the account's balance: available, pending and reserve.",
    "payments_equal_feed": "What buyers paid by the payments of a month is what the feed booked for them.",
    "ledger_equals_feed": "The ledger of a month is what the feed's lines of it add up to, without payouts and holds.",
    "ledger_equals_payouts_and_balance": "The ledger, what the seller moved, payouts and the balance are one sum.",
    "estimates_settled": "What was booked by an estimate has its line in the feed three days later.",
    "statement_ties": "What a payout's statement leaves in the balance is what the feed says was available then.",
    "payout_took_net": "A payout took from the balance what it says: its amount without its fee.",
    "payout_converted": "A payout in another currency is its amount at its printed rate.",
    "payout_stands": "A completed payout reads as it did when it was read first.",
}


class _Sum(NamedTuple):
    """Lines of one month, word and currency."""

    month: str
    meaning: Meaning
    word: str
    currency: str
    micros: int


def identities(connection: Connection, profile_id: str) -> Iterator[Identity]:
    """The equations of an account, as far as their parts can be read.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
    """
    read = readable_parts(connection, profile_id)
    if "financial_activity" not in read:
        yield from payout_identities(connection, profile_id, feed=False)
        return
    sums = _sums(connection, profile_id)
    if "financial_reports" in read:
        yield from _reports(connection, profile_id)
    if "ledger_accounts" in read:
        yield from _balances(connection, profile_id, sums)
    yield from _payments(connection, profile_id)
    yield from _ledger(connection, profile_id, sums)
    yield from _estimates(connection, profile_id, read["financial_activity"].date())
    yield from payout_identities(connection, profile_id, feed=True)


def _sums(connection: Connection, profile_id: str) -> list[_Sum]:
    feed, families = whop_financial_activity.c, stored_families(connection, profile_id)
    found = connection.execute(
        select(feed.posted_on, feed.line_type, feed.currency, func.sum(feed.amount_micros))
        .where(feed.profile_id == profile_id)
        .group_by(feed.posted_on, feed.line_type, feed.currency)
    )
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for day, word, currency, micros in found:
        sums[month_of(day), word, currency] += int(micros)
    told = [
        _Sum(month, meaning_of(word, families), word, currency, micros)
        for (month, word, currency), micros in sorted(sums.items())
    ]
    for day, currency, micros in fees_inside(connection, profile_id):
        told.append(_Sum(month_of(day), "payout_fee", "", currency, micros))
        told.append(_Sum(month_of(day), "payout", "", currency, -micros))
    return told


def _reports(connection: Connection, profile_id: str) -> Iterator[Identity]:
    reports, feed = whop_financial_reports.c, whop_financial_activity.c
    stored = connection.execute(select(whop_financial_reports).where(reports.profile_id == profile_id)).all()
    for report in sorted(stored, key=lambda row: row.currency):
        currency, half = report.currency, half_unit(report.currency)
        if report.beginning_micros is not None and report.ending_micros is not None:
            found = report.beginning_micros + report.total_micros
            why = "the report contradicts itself"
            yield Identity("report_adds_up", "balance", "report", currency, report.ending_micros, found, half, why)
        booked = connection.execute(
            select(feed.posted_on, feed.line_type, func.sum(feed.amount_micros))
            .where(
                feed.profile_id == profile_id,
                feed.currency == currency,
                feed.posted_at >= report.from_at,
                feed.posted_at < report.to_at,
            )
            .group_by(feed.posted_on, feed.line_type)
        ).all()
        rows: list[dict[str, Any]] = orjson.loads(report.rows)
        here, there = defaultdict[str, int](int), defaultdict[str, int](int)
        of_word, told_word = defaultdict[str, int](int), defaultdict[str, int](int)
        for day, word, micros in booked:
            here[month_of(day)] += int(micros)
            of_word[word] += int(micros)
        for row in rows:
            micros = from_decimal(row["amount"])
            there[row["period"][:7]] += micros
            told_word[row["line_type"]] += micros
        why = "lines are missing here, or were booked into the past: read them again with creator_pipeline/since"
        for month in sorted(here.keys() | there.keys()):
            yield Identity("feed_equals_report", "month", month, currency, there[month], here[month], half, why)
        for word in sorted(of_word.keys() | told_word.keys()):
            yield Identity(
                "line_types_equal_report", "balance", word, currency, told_word[word], of_word[word], half, why
            )


def _balances(connection: Connection, profile_id: str, sums: list[_Sum]) -> Iterator[Identity]:
    columns = platform_balances.c
    told, tolerance = defaultdict[str, int](int), defaultdict[str, int](int)
    for currency, micros in connection.execute(
        select(columns.currency, columns.amount_micros).where(
            columns.provider == PLATFORM, columns.profile_id == profile_id
        )
    ):
        told[currency] += micros
        tolerance[currency] += half_unit(currency)
    booked, moved, paid_out = defaultdict[str, int](int), defaultdict[str, int](int), defaultdict[str, int](int)
    for each in sums:
        booked[each.currency] += each.micros
        if each.meaning == "payout":
            paid_out[each.currency] += each.micros
        elif each.meaning in NO_ROW:
            moved[each.currency] += each.micros
    events = sales_events.c
    ledger = defaultdict[str, int](int)
    for currency, micros in connection.execute(
        select(events.currency, func.sum(events.net_micros))
        .where(events.profile_id == profile_id, events.platform == PLATFORM, events.fee_exact)
        .group_by(events.currency)
    ):
        ledger[currency] = int(micros)
    for currency in sorted(told.keys() | booked.keys()):
        none = "" if currency in told else "; the account tells no balance in this currency"
        yield Identity(
            "feed_equals_balance",
            "balance",
            "available+pending+reserve",
            currency,
            told[currency],
            booked[currency],
            tolerance[currency],
            f"lines are missing, or are no part of the balance{none}",
        )
        yield Identity(
            "ledger_equals_payouts_and_balance",
            "balance",
            "ledger",
            currency,
            told[currency] - paid_out[currency] - moved[currency],
            ledger[currency],
            tolerance[currency],
            f"the balance, what was paid out and what the seller moved are not the ledger's sum{none}",
        )


def _payments(connection: Connection, profile_id: str) -> Iterator[Identity]:
    """Gross amounts of those payments that the feed knows."""
    paid, feed = whop_payments.c, whop_financial_activity.c
    sale = and_(feed.profile_id == profile_id, feed.line_type.in_(SALE_WORDS), feed.amount_micros >= 0)
    known = select(feed.payment_id).where(sale, feed.payment_id.is_not(None))
    told, booked = defaultdict[tuple[str, str], int](int), defaultdict[tuple[str, str], int](int)
    for day, currency, micros in connection.execute(
        select(paid.partition_day, paid.currency, func.sum(paid.total_micros))
        .where(paid.profile_id == profile_id, paid.id.in_(known))
        .group_by(paid.partition_day, paid.currency)
    ):
        told[month_of(day), currency] += int(micros)
    for day, currency, micros in connection.execute(
        select(paid.partition_day, feed.currency, func.sum(feed.amount_micros))
        .join(whop_payments, and_(paid.profile_id == feed.profile_id, paid.id == feed.payment_id))
        .where(sale)
        .group_by(paid.partition_day, feed.currency)
    ):
        booked[month_of(day), currency] += int(micros)
    for month, currency in sorted(told.keys() | booked.keys()):
        key = month, currency
        why = "payments and feed tell other gross amounts"
        yield Identity(
            "payments_equal_feed", "month", month, currency, told[key], booked[key], half_unit(currency), why
        )


def _ledger(connection: Connection, profile_id: str, sums: list[_Sum]) -> Iterator[Identity]:
    """Rows that rest on the feed; what is estimated is :func:`_estimates`'."""
    booked, found = defaultdict[tuple[str, str], int](int), defaultdict[tuple[str, str], int](int)
    for each in sums:
        if each.meaning not in NO_ROW:
            booked[each.month, each.currency] += each.micros
    events = sales_events.c
    own_day = func.coalesce(events.belongs_to, events.occurred_on)
    for day, currency, micros in connection.execute(
        select(own_day, events.currency, func.sum(events.net_micros))
        .where(events.profile_id == profile_id, events.platform == PLATFORM, events.fee_exact)
        .group_by(own_day, events.currency)
    ):
        found[month_of(_day(day)), currency] += int(micros)
    for month, currency in sorted(booked.keys() | found.keys()):
        key = month, currency
        why = "rows are missing or doubled: materialize sales_events/whop, or rebuild the books"
        yield Identity("ledger_equals_feed", "month", month, currency, booked[key], found[key], 0, why)


def _estimates(connection: Connection, profile_id: str, read_on: date) -> Iterator[Identity]:
    events = sales_events.c
    own_day = func.coalesce(events.belongs_to, events.occurred_on)
    late = case((own_day < read_on - LATE, events.net_micros), else_=0)
    found = connection.execute(
        select(events.currency, func.sum(late))
        .where(events.profile_id == profile_id, events.platform == PLATFORM, events.fee_exact.is_(False))
        .group_by(events.currency)
    )
    why = "the feed has no line of them: they may stand here twice, or lines without their payment's id are theirs"
    for currency, micros in found:
        yield Identity("estimates_settled", "balance", "estimates", currency, 0, int(micros), 0, why)


def _day(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def rebuild(warehouse: Warehouse, profile_id: str, window: DayWindow) -> int:
    """Make ledger and payouts equal to what is stored; the API isn't asked.

    Args:
        warehouse: where the tables are.
        profile_id: whose books.
        window: half-open UTC days of what was sold.

    Returns:
        number of rows that changed.
    """
    moment = now()
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        change = rebuild_payments(connection, profile_id, window, moment)
        change += rebuild_rest(connection, profile_id, window, moment)
        change += derive(connection, profile_id, stored_payouts(connection, profile_id), moment)
        store_movements(connection, profile_id)
    return change.inserted + change.updated + change.deleted


BOOKS = Books(
    identities=identities,
    names=NAMES,
    rebuild=rebuild,
    follows=("whop/financial_activity", "whop/payouts"),
    job="whop_books",
    not_readable=not_readable,
)
