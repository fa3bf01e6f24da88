"""Financial reports over the books of an account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.books import Line
from creator_pipeline.platforms.whop.sandbox.books_json import usd_of
from creator_pipeline.platforms.whop.sandbox.object_json import Json
from creator_pipeline.platforms.whop.sandbox.refusals import bad, moment_of, not_found
from creator_pipeline.platforms.whop.sandbox.words import family_of, section_of

TYPES = ("balance_activity", "income_statement", "balance_summary")
NOTHING = Decimal(0)
GROUPS = ("hour", "day", "week", "month")


def report(query: QueryParams, account: WhopAccount) -> Json:
    """The report that is asked for, in the account's currencies or in US dollars.

    Raises:
        RefusedError: unknown words, or another's account.
    """
    kind, group = query.get("report_type"), query.get("group_by", "month")
    if kind not in TYPES:
        raise bad("report_type")
    if group not in GROUPS or (group == "hour" and kind != "balance_activity"):
        raise bad("group_by")
    if query.get("in_currency", "usd") != "usd":
        raise bad("in_currency", "The sandbox converts to usd only.")
    if query.get("account_id") != account.id:
        raise not_found()
    if kind == "balance_summary":
        return _summary(query, account)
    value = _value(query)
    since, until = moment_of(query, "from"), moment_of(query, "to") or account.clock() + timedelta(microseconds=1)
    lines = [line for line in account.books.lines if line.total and value(line) is not None]
    within = [line for line in lines if (since is None or line.posted_at >= since) and line.posted_at < until]
    if kind == "income_statement":
        within = [line for line in within if section_of(line.line_type)]
    wanted, direction = set(query.getlist("line_types")), query.get("direction")
    if kind == "balance_activity":
        within = [line for line in within if not wanted or line.line_type in wanted]
        within = [line for line in within if not direction or (line.total > 0) == (direction == "money_in")]
    began = sum((value(line) or NOTHING for line in lines if since and line.posted_at < since), NOTHING)
    total = sum((value(line) or NOTHING for line in within), NOTHING)
    whole = kind == "balance_activity"
    rows = _rows(within, value, group, ZoneInfo(query.get("timezone", "UTC")), sections=not whole)
    return _answer(kind, account, rows, total, (began, began + total) if whole else None)


def _value(query: QueryParams) -> Callable[[Line], Decimal | None]:
    """What a line counts for; None where it isn't in the report."""
    if "in_currency" in query:
        return lambda line: usd_of(line, line.total)
    currency = query.get("currency", "usd")
    return lambda line: line.total if line.currency == currency else None


def _answer(
    kind: str, account: WhopAccount, rows: list[Json], total: Decimal, ends: tuple[Decimal, Decimal] | None
) -> Json:
    volume: dict[str, Decimal] = {}
    for line in account.books.lines:
        volume[line.currency] = volume.get(line.currency, NOTHING) + abs(line.total)
    unrated = sorted({line.currency for line in account.books.lines if usd_of(line, line.total) is None})
    return {
        "report_type": kind,
        "beginning_balance": float(ends[0]) if ends else None,
        "ending_balance": float(ends[1]) if ends else None,
        "total": float(total),
        "rows": rows,
        "currencies": sorted(volume.keys() - set(unrated), key=lambda code: -volume[code]),
        "fx_excluded_currencies": unrated,
        "payment_fee_breakdown": None,
    }


def _rows(
    lines: list[Line], value: Callable[[Line], Decimal | None], group: str, zone: ZoneInfo, *, sections: bool
) -> list[Json]:
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for line in lines:
        key = _period(line.posted_at.astimezone(zone), group), line.line_type
        sums.setdefault(key, []).append(value(line) or NOTHING)
    return [
        _row(period, word, sum(amounts, NOTHING), len(amounts), family_of(word))
        | {"profit_and_loss_section": section_of(word) if sections else None}
        for (period, word), amounts in sorted(sums.items())
    ]


def _row(period: str, word: str, amount: Decimal, count: int | None, family: str) -> Json:
    return {
        "period": period,
        "line_category": word,
        "grouping": family,
        "amount": float(amount),
        "line_count": count,
        "account_name": None,
        "account_type": None,
        "account_ik_path": None,
        "profit_and_loss_section": None,
    }


def _period(moment: datetime, group: str) -> str:
    day = moment.date()
    if group == "hour":
        return moment.replace(minute=0, second=0, microsecond=0).isoformat()
    if group == "week":
        day -= timedelta(days=day.weekday())
    return (day.replace(day=1) if group == "month" else day).isoformat()


def _summary(query: QueryParams, account: WhopAccount) -> Json:
    moment = moment_of(query, "to") or account.clock()
    parts = account.books.balances(moment).get(query.get("currency", "usd"))
    day = moment.astimezone(UTC).date().isoformat()
    named = parts._asdict() if parts else {}
    rows = [_row(day, name, amount, None, "balance") for name, amount in named.items()]
    return _answer("balance_summary", account, rows, sum(named.values(), NOTHING), None)
