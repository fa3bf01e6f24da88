"""The ledger of Whop beside the sandbox's totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import httpx
from sqlalchemy import exists, func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.sandbox.truth import BooksTruth
from creator_pipeline.platforms.whop.sandbox.words import NOT_EARNED
from creator_pipeline.sandbox import compare as frame
from creator_pipeline.sandbox.compare import Day, DayFigures, Difference, ledger_days
from creator_pipeline.sandbox.stand_in import Compared, Demo
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events, whop_financial_activity

Meaning = tuple[Day, str]
"""A day and currency, and what its lines mean: a kind of ledger row, with all fees but those of payouts as ``fee``."""


class Booked(NamedTuple):
    """Signed millionths, and of how many lines: each may be rounded once."""

    micros: int
    lines: int = 0


class BooksDifference(NamedTuple):
    """A meaning in which the ledger is not what the platform's books say; signed millionths."""

    meaning: Meaning
    ledger: int
    platform: int


def differences(warehouse: Warehouse, profile_id: str, truth: Mapping[Day, DayFigures]) -> list[Difference]:
    """Days and currencies in which the ledger is not what the platform says."""
    return frame.differences(ledger_days(warehouse, profile_id, PLATFORM.in_ledger), truth)


def meanings_of(truth: BooksTruth) -> dict[Meaning, Booked]:
    """What of the platform's books must stand in the ledger."""
    return {key: Booked(one.micros, one.lines) for key, one in truth.meanings.items() if key[1] not in NOT_EARNED}


def meanings_from(told: Mapping[str, Any]) -> dict[Meaning, Booked]:
    """The same, of the answer of ``/_sandbox/whop/{profile}/books``."""
    return {
        ((date.fromisoformat(one["day"]), one["currency"]), one["meaning"]): Booked(one["micros"], one["lines"])
        for one in told["meanings"]
        if one["meaning"] not in NOT_EARNED
    }


def ledger_meanings(warehouse: Warehouse, profile_id: str) -> dict[Meaning, int]:
    """The ledger by day, currency and meaning, signed: what costs is negative."""
    events = sales_events.c
    query = (
        select(
            events.occurred_on,
            events.currency,
            events.event_type,
            func.sum(events.gross_micros),
            func.sum(events.fee_micros),
        )
        .where(events.profile_id == profile_id, events.platform == PLATFORM.in_ledger)
        .group_by(events.occurred_on, events.currency, events.event_type)
    )
    found: dict[Meaning, int] = {}
    with warehouse.read() as connection:
        for day, currency, kind, gross, fee in connection.execute(query):
            cost = kind if kind == "payout_fee" else "fee"
            for meaning, micros in ((kind, int(gross)), (cost, -int(fee))):
                if micros:
                    key = (day, currency), meaning
                    found[key] = found.get(key, 0) + micros
    return found


def books_differences(warehouse: Warehouse, profile_id: str, books: Mapping[Meaning, Booked]) -> list[BooksDifference]:
    """Every day, currency and meaning in which the ledger is not what the books say, but for roundings of lines."""
    ledger, nothing = ledger_meanings(warehouse, profile_id), Booked(0)
    return [
        BooksDifference(key, ledger.get(key, 0), books.get(key, nothing).micros)
        for key in sorted(ledger.keys() | books.keys())
        if abs(ledger.get(key, 0) - books.get(key, nothing).micros) > books.get(key, nothing).lines // 2
    ]


def _reads_feed(warehouse: Warehouse, profile_id: str) -> bool:
    with warehouse.read() as connection:
        return bool(connection.scalar(select(exists().where(whop_financial_activity.c.profile_id == profile_id))))


def compare(demo: Demo) -> Iterator[Compared]:
    """A line for each account: its net in each currency."""
    for profile_id in demo.world["whop"]:
        if _reads_feed(demo.warehouse, profile_id):
            told = httpx.get(f"{demo.url}/_sandbox/whop/{profile_id}/books").json()
            wrong = books_differences(demo.warehouse, profile_id, meanings_from(told))
            lines = [
                f"{day} {currency} {kind}: ledger {here}, platform's books {there}"
                for ((day, currency), kind), here, there in wrong
            ]
            yield Compared(_line(demo, profile_id, len(wrong), "equal to the platform's books, line by line"), lines)
            continue
        truth = {
            (date.fromisoformat(day["day"]), day["currency"]): DayFigures(*(day[name] for name in DayFigures._fields))
            for day in httpx.get(f"{demo.url}/_sandbox/whop/{profile_id}/totals").json()
        }
        off = differences(demo.warehouse, profile_id, truth)
        yield Compared(
            _line(demo, profile_id, len(off), "equal on every day and in every currency"),
            [f"{day} {currency}: ledger {ledger}, platform {platform}" for (day, currency), ledger, platform in off],
        )


def _line(demo: Demo, profile_id: str, off: int, equal: str) -> str:
    net = ", ".join(f"{to_text(micros, currency)} {currency}" for currency, micros in _net(demo, profile_id))
    return f"{profile_id:9}Whop, net: {net}  {f'{off} figures differ' if off else equal}"


def _net(demo: Demo, profile_id: str) -> list[tuple[str, int]]:
    events = sales_events.c
    query = (
        select(events.currency, func.sum(events.net_micros))
        .where(events.profile_id == profile_id, events.platform == PLATFORM.in_ledger)
        .group_by(events.currency)
        .order_by(events.currency)
    )
    with demo.warehouse.read() as connection:
        return [(currency, int(micros)) for currency, micros in connection.execute(query)]
