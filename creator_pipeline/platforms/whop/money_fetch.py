"""Reads the money of an account: new lines of the feed, the balance, a report for each currency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from creator_pipeline.core.json_fields import Json, unknown_keys
from creator_pipeline.core.money import MICROS, decimals
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop import money_client
from creator_pipeline.platforms.whop.answers import BadParameterError
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.money_models import (
    Balance,
    Line,
    Report,
    balances_of,
    line_row,
    report_row,
)
from creator_pipeline.platforms.whop.money_reads import ODD, Reads
from creator_pipeline.platforms.whop.odd import good
from creator_pipeline.store.unreadable import Unreadable

OVERLAP = timedelta(days=1)
"""Read again before the newest line: whether lines can be posted back in time isn't said."""


class Before(NamedTuple):
    """What is stored before a reading.

    Attributes:
        bound: lines posted after it are asked for; None for all.
        first: when the oldest line was posted.
        sums: of the lines up to ``bound``, by currency, in micros.
    """

    bound: datetime | None
    first: datetime | None
    sums: Mapping[str, int]


@dataclass
class Money:
    """What one run reads, before it is stored.

    Attributes:
        lines: by id.
        odd: lines that can't be read.
        balances: None where they can't be read.
        no_report: currencies whose report Whop refuses.
        new_keys: keys of lines that this code doesn't know.
    """

    lines: dict[str, Line] = field(default_factory=dict[str, Line])
    odd: list[Unreadable] = field(default_factory=list[Unreadable])
    balances: list[Balance] | None = None
    reports: list[Report] = field(default_factory=list[Report])
    no_report: list[str] = field(default_factory=list[str])
    new_keys: frozenset[str] = frozenset()


def half_unit(currency: str) -> int:
    """Half of the smallest amount that people write in a currency, in micros: numbers of the API are rounded to it."""
    return MICROS // (2 * 10 ** decimals(currency))


def read_money(
    reads: Reads, client: WhopClient, account_id: str, profile_id: str, before: Before, moment: datetime
) -> Money:
    """Read what is new: where nothing is, a page of the feed, the balance, and a report for each currency.

    Args:
        reads: learns what can't be read.
        client: of the account.
        account_id: ``biz_…``.
        profile_id: whose money.
        before: what is stored.
        moment: of the run.
    """
    found = Money()

    def feed(bound: datetime | None) -> None:
        lines = reads.of(
            "financial_activity",
            lambda: _rows(profile_id, money_client.activity(client, account_id, posted_after=bound), moment),
        )
        if lines is not None:
            found.lines |= lines.lines
            found.odd = sorted({*found.odd, *lines.odd})
            found.new_keys |= lines.new_keys

    def balance() -> None:
        reads.refused.pop("ledger_accounts", None)
        found.balances = reads.of(
            "ledger_accounts", lambda: balances_of(money_client.ledger_account(client, account_id))
        )

    feed(before.bound)
    balance()
    if found.balances and "financial_activity" in reads.read and _differ(before.sums, found):
        # A line can be posted between the two requests.
        newest = max((line.posted_at for line in found.lines.values()), default=None)
        feed(newest - OVERLAP if newest else before.bound)
        balance()
    if "financial_activity" in reads.read:
        _read_reports(reads, client, account_id, profile_id, before, moment, found)
    return found


def midnight(day: date) -> datetime:
    """Begin of a UTC day."""
    return datetime.combine(day, time(), UTC)


def _rows(profile_id: str, lines: Iterable[Json], moment: datetime) -> Money:
    # One by one as pages come: the JSON of a long history would take a machine's memory.
    made = Money()
    for line in lines:
        made.new_keys |= unknown_keys([line], catalog.LINE_KEYS)
        for row in good("financial_activity", [line], lambda each: line_row(profile_id, each, moment), made.odd):
            made.lines[row.id] = row
    return made


def _differ(sums: Mapping[str, int], found: Money) -> bool:
    """Whether a balance isn't the sum of its lines."""
    booked, told = Counter(sums), Counter[str]()
    for line in found.lines.values():
        booked[line.currency] += line.amount_micros
    for part in found.balances or ():
        told[part.currency] += part.micros
    return any(abs(booked[currency] - micros) > 3 * half_unit(currency) for currency, micros in told.items())


def _read_reports(
    reads: Reads,
    client: WhopClient,
    account_id: str,
    profile_id: str,
    before: Before,
    moment: datetime,
    found: Money,
) -> None:
    """One report for each currency, of all months up to last midnight: today's lines may be still under way."""
    posted = [line.posted_at for line in found.lines.values()] + ([before.first] if before.first else [])
    if not posted:
        return
    window = midnight(min(posted).date().replace(day=1)), midnight(moment.date())
    currencies = {line.currency for line in found.lines.values()} | set(before.sums)
    excluded: set[str] = set()

    def read(currency: str) -> tuple[Report, set[str]]:
        told = money_client.financial_report(client, account_id, currency.lower(), *window)
        left_out = {str(code).upper() for code in told.get("fx_excluded_currencies") or ()}
        return report_row(profile_id, told, currency, window, moment), left_out

    for currency in sorted(currencies, key=lambda code: (code != "USD", code)):
        if currency in excluded or window[0] >= window[1]:
            continue
        try:
            told = reads.of("financial_reports", lambda code=currency: read(code))
        except BadParameterError:
            found.no_report.append(currency)
            continue
        if told is None:
            if reads.refused["financial_reports"].startswith(ODD):
                continue
            return
        # Currencies without a rate, as gold: Whop's reports leave them out.
        excluded |= told[1]
        found.reports.append(told[0])
    found.no_report += sorted(currencies & excluded)
