"""The figures of a month as an accountant reads them, from the ledger and the payouts. Nothing is stored here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, case, false, func, literal, literal_column, select

from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.closing import first_day, first_day_after, month_of
from creator_pipeline.ledger.movements import BY_PROCESSOR, FEE_OF, GROSS_OF, of_payouts, of_seller
from creator_pipeline.store.tables import closed_months, payouts, sales_events, unexplained

KINDS = (
    "sales",
    "refunds",
    "chargebacks",
    "fees",
    "fees_returned",
    "affiliate_credits",
    "affiliate_shares",
    "payout_fees",
    "tax",
    "adjustments",
    "transfers",
    BY_PROCESSOR,
    "payouts",
    "withheld",
)
"""What moves a balance, in the order of a statement. Money that leaves it is negative."""
LABELS = {
    "opening": "Opening balance",
    "sales": "Sales",
    "refunds": "Refunds",
    "chargebacks": "Disputes",
    "fees": "Fees",
    "fees_returned": "Fees given back",
    "affiliate_credits": "Affiliate income",
    "affiliate_shares": "Affiliate shares",
    "payout_fees": "Payout fees",
    "tax": "Tax",
    "adjustments": "Adjustments",
    "transfers": "Put in, moved, spent",
    BY_PROCESSOR: "Paid by processor",
    "payouts": "Payouts",
    "withheld": "Tax withheld",
    "closing": "Closing balance",
    "unexplained": "Unexplained",
    "estimated": "Of this estimated",
}
"""Figures of a statement, in its order."""

Account = tuple[str, str]
"""A platform, as the ledger calls it, and a currency."""


class Statement(NamedTuple):
    """The figures of one account in a month. Amounts in micros.

    Attributes:
        sums: by :data:`KINDS`.
        unexplained: what the identities of the books don't explain, without sign.
        estimated: how much of the sums is an estimate, without sign.
    """

    opening: int
    sums: Mapping[str, int]
    unexplained: int
    estimated: int

    @property
    def closing(self) -> int:
        """The balance at the end."""
        return self.opening + sum(self.sums.values())

    def as_text(self, currency: str) -> dict[str, str]:
        """Every figure as decimal text."""
        figures = {
            "opening": self.opening,
            **{kind: self.sums.get(kind, 0) for kind in KINDS},
            "closing": self.closing,
            "unexplained": self.unexplained,
            "estimated": self.estimated,
        }
        return {name: to_text(micros, currency) for name, micros in figures.items()}


def statements(connection: Connection, profile_id: str, month: str | None = None) -> dict[Account, Statement]:
    """The figures of a month, or of all time, of every account that has any.

    Args:
        connection: to read with.
        profile_id: whose.
        month: ``2026-11``; None for everything.
    """
    opening: dict[Account, int] = defaultdict(int)
    sums: dict[Account, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    guessed: dict[Account, int] = defaultdict(int)
    for account, event_type, past, gross, fee, estimated, before in _ledger_sums(connection, profile_id, month):
        if before:
            opening[account] += 0 if past else gross - fee
        else:
            sums[account][BY_PROCESSOR] -= gross - fee if past else 0
            sums[account][GROSS_OF.get(event_type, "adjustments")] += gross
            sums[account][FEE_OF.get(event_type, "fees")] -= fee
            guessed[account] += estimated
    for entry in (*of_payouts(connection, profile_id), *of_seller(connection, profile_id)):
        account = (entry.platform, entry.currency)
        if month and month_of(entry.day) < month:
            opening[account] += entry.amount_micros
        elif not month or month_of(entry.day) == month:
            sums[account][entry.kind] += entry.amount_micros
            guessed[account] += entry.estimated_micros
    open_ = _unexplained(connection, profile_id, month)
    accounts = sorted({*opening, *sums, *open_})
    return {
        account: Statement(opening[account], dict(sums[account]), open_.get(account, 0), guessed[account])
        for account in accounts
        if opening[account] or any(sums[account].values()) or open_.get(account)
    }


def _ledger_sums(
    connection: Connection, profile_id: str, month: str | None
) -> Iterator[tuple[Account, str, bool, int, int, int, bool]]:
    """(account, event type, whether it went past the balance, gross, fee, what of both is estimated, whether it was
    before the month), to its end."""
    events = sales_events.c
    before = events.occurred_on < first_day(month) if month else false()
    guess = case((events.fee_micros != 0, func.abs(events.fee_micros)), else_=func.abs(events.gross_micros))
    wanted = (
        select(
            events.platform,
            events.currency,
            events.event_type,
            events.past_balance,
            func.sum(events.gross_micros),
            func.sum(events.fee_micros),
            func.sum(case((events.fee_exact, literal(0)), else_=guess)),
            before.label("before"),
        )
        .where(events.profile_id == profile_id)
        .group_by(events.platform, events.currency, events.event_type, events.past_balance, literal_column("before"))
    )
    if month:
        wanted = wanted.where(events.occurred_on < first_day_after(month))
    for platform, currency, event_type, past, gross, fee, estimated, early in connection.execute(wanted):
        # PostgreSQL sums bigints to numeric.
        yield (platform, currency), event_type, past, int(gross), int(fee), int(estimated), bool(early)


def _unexplained(connection: Connection, profile_id: str, month: str | None) -> dict[Account, int]:
    """What isn't explained, by account; that of the balance belongs to no month but the running one."""
    table = unexplained.c
    paid = dict(
        connection.execute(
            select(payouts.c.payout_id, payouts.c.created_at).where(payouts.c.profile_id == profile_id)
        ).all()
    )
    found: dict[Account, int] = defaultdict(int)
    rows = connection.execute(
        select(table.provider, table.currency, table.scope, table.key, table.amount_micros, table.since).where(
            table.profile_id == profile_id
        )
    )
    for provider, currency, scope, key, micros, since in rows:
        if scope == "payout":
            made = paid.get(key)
            told = month_of(made.astimezone(UTC).date()) if made else month_of(since.date())
        else:
            told = month_of(since.date()) if scope == "balance" else key[:7]
        if month is None or told == month:
            found[provider, currency] += abs(micros)
    return dict(found)


def by_currency(accounts: Mapping[Account, Statement]) -> dict[str, Statement]:
    """The accounts of one currency added up, over all platforms."""
    found: dict[str, list[Statement]] = defaultdict(list)
    for (_, currency), statement in accounts.items():
        found[currency].append(statement)
    return {
        currency: Statement(
            sum(one.opening for one in all_),
            {kind: sum(one.sums.get(kind, 0) for one in all_) for kind in KINDS},
            sum(one.unexplained for one in all_),
            sum(one.estimated for one in all_),
        )
        for currency, all_ in sorted(found.items())
    }


def as_json(profile_id: str, month: str | None, accounts: Mapping[Account, Statement]) -> dict[str, Any]:
    """What ``books show --json`` prints; amounts as decimal text.

    Args:
        profile_id: whose.
        month: ``2026-11``; None for everything.
        accounts: of :func:`statements`.
    """
    platforms: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for (platform, currency), statement in accounts.items():
        platforms[platform][currency] = statement.as_text(currency)
    return {
        "profile": profile_id,
        "month": month,
        "currency": {currency: one.as_text(currency) for currency, one in by_currency(accounts).items()},
        "platforms": platforms,
    }


def frozen(connection: Connection, profile_id: str, month: str) -> dict[str, Any] | None:
    """The figures of a month as they were when it was closed; None where it is open."""
    table = closed_months.c
    stored = connection.execute(
        select(table.statement).where(table.profile_id == profile_id, table.month == month, table.reopened_at.is_(None))
    ).scalar()
    return None if stored is None else orjson.loads(stored)
