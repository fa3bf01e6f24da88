"""The rate at which KDP paid a month's royalties of a marketplace: what the bank got for the net earnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, select

from creator_pipeline.platforms.kdp.ledger import PLATFORM
from creator_pipeline.store.tables import payout_lines, payouts

_ROYALTIES = "royalties of "


def own_rates(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, tuple[str, int, int, date, str]]:
    """Id of a row of the ledger to (payout currency, micros, for so many micros of the row's currency, day, source).

    Net earnings are what the payment took from the balance. Only payments that were paid count. Where several paid a
    month of a marketplace, they count together; where to several currencies, the later one counts.
    """
    paid = dict[tuple[str, str, str, str], dict[str, tuple[int, int, date]]]()
    for profile_id, month, payout in _paid_months(connection):
        shop = str(orjson.loads(payout.raw).get("marketplace", "")).casefold()
        of_month = paid.setdefault((profile_id, month, shop, payout.balance_currency), {})
        got, net, on = of_month.get(payout.currency, (0, 0, date.min))
        at = max(on, payout.created_at.date())
        of_month[payout.currency] = (got + payout.amount_micros, net + payout.balance_micros, at)
    found = dict[str, tuple[str, int, int, date, str]]()
    for row in rows:
        parts = row.external_id.split("|")
        shop = parts[3].casefold() if len(parts) > 3 else ""
        of_month = paid.get((row.profile_id, f"{row.occurred_on:%Y-%m}", shop, row.currency), {})
        told = [(on, target, got, net) for target, (got, net, on) in of_month.items() if got > 0 and net > 0]
        if told:
            on, target, got, net = max(told)
            found[row.id] = (target, got, net, on, "KDP payment")
    return found


def _paid_months(connection: Connection) -> list[tuple[str, str, Row[Any]]]:
    """(profile, month, payout) of each month that a paid payment in another currency pays royalties of, once."""
    one, line = payouts.c, payout_lines.c
    same = and_(*(one[name] == line[name] for name in ("provider", "profile_id", "payout_id")))
    statement = (
        select(payouts, line.occurred_on)
        .join(payout_lines, same)
        .where(
            one.provider == PLATFORM,
            one.state == "paid",
            one.currency != one.balance_currency,
            one.balance_micros.is_not(None),
            line.reason.startswith(_ROYALTIES),
        )
    )
    months = {(row.profile_id, row.payout_id, f"{row.occurred_on:%Y-%m}"): row for row in connection.execute(statement)}
    ordered = sorted(months.items(), key=lambda item: item[0])
    return [(profile_id, month, row) for (profile_id, _, month), row in ordered]
