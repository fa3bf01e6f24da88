"""The figures of a month as an accountant reads them, from the ledger and the payouts. Nothing is stored here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, case, false, func, literal, literal_column, select

from creator_pipeline.core.money import to_text
from creator_pipeline.ledger.closing import first_day, first_day_after, month_of
from creator_pipeline.store.tables import closed_months, payouts, sales_events, unexplained

LIVE = ("paid", "on_the_way")
"""States of a payout whose money is not in the balance."""
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
    "payouts": "Payouts",
    "withheld": "Tax withheld",
    "closing": "Closing balance",
    "unexplained": "Unexplained",
    "estimated": "Of this estimated",
}
"""Figures of a statement, in its order."""
_GROSS_OF = {
    "sale": "sales",
    "royalty": "sales",
    "pages_read": "sales",
    "refund": "refunds",
    "chargeback": "chargebacks",
    "chargeback_reversal": "chargebacks",
    "affiliate_credit": "affiliate_credits",
    "affiliate_share": "affiliate_shares",
    "payout_fee": "payout_fees",
    "tax": "tax",
}
_FEE_OF = {
    "refund": "fees_returned",
    "chargeback": "fees_returned",
    "chargeback_reversal": "fees_returned",
    "fee_refund": "fees_returned",
    "payout_fee": "payout_fees",
    "affiliate_credit": "affiliate_credits",
    "affiliate_share": "affiliate_shares",
}


class Entry(NamedTuple):
    """A movement of a balance, in micros of ``currency``: positive where money came in.

    Attributes:
        kind: one of :data:`KINDS`.
        estimated_micros: the part of the amount that is an estimate, without its sign.
        reference: the row of the ledger, or the payout.
        belongs_to: day of a closed month that it belongs to.
    """

    day: date
    platform: str
    currency: str
    kind: str
    amount_micros: int
    estimated_micros: int
    reference: str
    text: str
    belongs_to: date | None


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


def entries(connection: Connection, profile_id: str, month: str | None = None) -> list[Entry]:
    """Every movement of a profile's balances, oldest first.

    Args:
        connection: to read with.
        profile_id: whose.
        month: ``2026-11``; None for everything.
    """
    found = [*_of_ledger(connection, profile_id, month), *_of_payouts(connection, profile_id)]
    return sorted(entry for entry in found if month is None or month_of(entry.day) == month)


def _of_ledger(connection: Connection, profile_id: str, month: str | None) -> Iterator[Entry]:
    events = sales_events.c
    wanted = select(
        events.occurred_on,
        events.platform,
        events.currency,
        events.event_type,
        events.gross_micros,
        events.fee_micros,
        events.fee_exact,
        events.id,
        events.product_name,
        events.belongs_to,
    ).where(events.profile_id == profile_id)
    if month:
        wanted = wanted.where(events.occurred_on >= first_day(month), events.occurred_on < first_day_after(month))
    for day, platform, currency, event_type, gross, fee, exact, id_, name, belongs_to in connection.execute(wanted):
        text = f"{event_type.replace('_', ' ')}{f' · {name}' if name else ''}"
        if gross:
            # A row without a fee that is not exact is itself what was estimated.
            guessed = 0 if exact or fee else abs(gross)
            kind = _GROSS_OF.get(event_type, "adjustments")
            yield Entry(day, platform, currency, kind, gross, guessed, id_, text, belongs_to)
        if fee:
            kind = _FEE_OF.get(event_type, "fees")
            yield Entry(day, platform, currency, kind, -fee, 0 if exact else abs(fee), id_, text, belongs_to)


def _of_payouts(connection: Connection, profile_id: str) -> Iterator[Entry]:
    table = payouts.c
    closings = dict(
        connection.execute(
            select(closed_months.c.month, closed_months.c.closed_at).where(
                closed_months.c.profile_id == profile_id, closed_months.c.reopened_at.is_(None)
            )
        ).all()
    )
    # The gateway may read no more of a payout than this.
    names = (
        "provider",
        "payout_id",
        "amount_micros",
        "currency",
        "status",
        "state",
        "created_at",
        "balance_micros",
        "balance_currency",
        "withheld_micros",
        "released_on",
        "estimated",
        "first_seen_at",
        "ingested_at",
    )
    mine = select(*(table[name] for name in names)).where(table.profile_id == profile_id, table.state != "planned")
    rows = connection.execute(mine)
    for row in rows:
        made = _booked_on(row.created_at.astimezone(UTC).date(), row.first_seen_at, closings)
        currency = row.balance_currency or row.currency
        taken = row.amount_micros if row.balance_micros is None else row.balance_micros
        guessed = abs(taken) if row.estimated else 0
        moves = [(made, 1)]
        if row.state not in LIVE:
            moves.append((max(made, _booked_on(row.released_on or made, row.ingested_at, closings)), -1))
        for day, sign in moves:
            text = f"payout {row.status}" if sign > 0 else f"payout {row.status}: back in the balance"
            for kind, micros in (("payouts", taken), ("withheld", row.withheld_micros)):
                if micros:
                    part = guessed if kind == "payouts" else 0
                    yield Entry(day, row.provider, currency, kind, -sign * micros, part, row.payout_id, text, None)


def _booked_on(day: date, seen_at: datetime, closings: Mapping[str, datetime]) -> date:
    """The day, or the one on which it was seen where its month had been closed by then."""
    closed_at = closings.get(month_of(day))
    return day if closed_at is None or seen_at <= closed_at else seen_at.astimezone(UTC).date()


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
    for account, event_type, gross, fee, estimated, before in _ledger_sums(connection, profile_id, month):
        if before:
            opening[account] += gross - fee
        else:
            sums[account][_GROSS_OF.get(event_type, "adjustments")] += gross
            sums[account][_FEE_OF.get(event_type, "fees")] -= fee
            guessed[account] += estimated
    for entry in _of_payouts(connection, profile_id):
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
) -> Iterator[tuple[Account, str, int, int, int, bool]]:
    """(account, event type, gross, fee, what of both is estimated, whether it was before the month), to its end."""
    events = sales_events.c
    before = events.occurred_on < first_day(month) if month else false()
    guess = case((events.fee_micros != 0, func.abs(events.fee_micros)), else_=func.abs(events.gross_micros))
    wanted = (
        select(
            events.platform,
            events.currency,
            events.event_type,
            func.sum(events.gross_micros),
            func.sum(events.fee_micros),
            func.sum(case((events.fee_exact, literal(0)), else_=guess)),
            before.label("before"),
        )
        .where(events.profile_id == profile_id)
        .group_by(events.platform, events.currency, events.event_type, literal_column("before"))
    )
    if month:
        wanted = wanted.where(events.occurred_on < first_day_after(month))
    for platform, currency, event_type, gross, fee, estimated, early in connection.execute(wanted):
        # PostgreSQL sums bigints to numeric.
        yield (platform, currency), event_type, int(gross), int(fee), int(estimated), bool(early)


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
