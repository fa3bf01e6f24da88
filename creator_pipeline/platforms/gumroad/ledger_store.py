"""The ledger's rows of Gumroad, made from the tables: sales, lines of payouts, and what was first seen when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, not_, select, update

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.ledger.closing import note_first_seen
from creator_pipeline.ledger.replace import note_changes, replace_sales
from creator_pipeline.platforms.gumroad import payout_catalog
from creator_pipeline.platforms.gumroad.ledger import SaleLedger, sale_ledger
from creator_pipeline.platforms.gumroad.payouts import PAID_ELSEWHERE
from creator_pipeline.platforms.gumroad.sale_history import (
    NOTHING,
    Flags,
    History,
    Seen,
    first_ids,
    history_of,
    news,
    next_ids,
)
from creator_pipeline.platforms.gumroad.sale_lines import Place, SaleLine
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale, gone_back
from creator_pipeline.store.load import Change
from creator_pipeline.store.tables import gumroad_sales, ledger_first_seen, payout_lines, payouts

PLATFORM = "gumroad"
LIVE = ("paid", "on_the_way")
AT_ONCE = 500
_SALES, _LINES = gumroad_sales.c, payout_lines.c


class StoredPayout(NamedTuple):
    """What the ledger needs of a payout."""

    payout_id: str
    state: str
    created_at: datetime
    read_at: datetime | None
    kept: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether its money is not in the balance any more."""
        return self.state in LIVE


def stored_payouts(connection: Connection, profile_id: str) -> dict[str, StoredPayout]:
    """Every payout of a profile, by id."""
    head = payouts.c
    rows = connection.execute(
        select(head.payout_id, head.state, head.created_at, head.lines_read_at, head.raw).where(
            head.provider == PLATFORM, head.profile_id == profile_id
        )
    )
    return {
        payout_id: StoredPayout(payout_id, state, made, read_at, orjson.loads(raw))
        for payout_id, state, made, read_at, raw in rows
    }


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Few enough for one statement, each id once, in order."""
    every = sorted(set(ids))
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))


def _mine(profile_id: str):
    return and_(_LINES.provider == PLATFORM, _LINES.profile_id == profile_id)


def about_sales():
    """Lines that tell of one sale, and are no pieces of a line that sums up several."""
    return and_(_LINES.sale_id.is_not(None), _LINES.type.not_in(sorted(payout_catalog.PIECED_TYPES)))


def _lines_of(
    connection: Connection, profile_id: str, sale_ids: Sequence[str], heads: Mapping[str, StoredPayout]
) -> dict[str, list[SaleLine]]:
    columns = [
        _LINES[name]
        for name in ("sale_id", "payout_id", "line", "type", "occurred_on", "gross_micros", "fee_micros", "net_micros")
    ]
    found: dict[str, list[SaleLine]] = {}
    rows = connection.execute(select(*columns).where(_mine(profile_id), about_sales(), _LINES.sale_id.in_(sale_ids)))
    for row in rows:
        head = heads[row.payout_id]
        elsewhere = row.sale_id in head.kept.get(PAID_ELSEWHERE, ())
        amounts = (row.gross_micros, row.fee_micros, row.net_micros)
        line = SaleLine(
            row.payout_id,
            row.line,
            head.live,
            head.created_at,
            row.type,
            row.occurred_on,
            *amounts,
            elsewhere,
            head.read_at,
        )
        found.setdefault(row.sale_id, []).append(line)
    return found


def _stored_sales(connection: Connection, profile_id: str, sale_ids: Sequence[str]) -> dict[str, GumroadSale]:
    told = _SALES.raw.like('%"gumroad_fee":%') & _SALES.raw.not_like('%"gumroad_fee":null%')
    fee_told = (_SALES.fee_micros != 0) | (_SALES.price_micros == 0) | told
    columns = [_SALES[name] for name in GumroadSale._fields if name != "fee_told"] + [fee_told.label("fee_told")]
    rows = connection.execute(select(*columns).where(_SALES.profile_id == profile_id, _SALES.id.in_(sale_ids)))
    return {sale.id: sale for sale in (GumroadSale(*row) for row in rows)}


def _flags(sale: GumroadSale) -> Flags:
    partly = sale.refunded_micros is None
    won = sale.dispute_won and not sale.chargedback
    return Flags(sale.refunded_micros, partly, sale.chargedback or sale.dispute_won, won)


def _seen_before(connection: Connection, ids: Iterable[str]) -> dict[str, Seen]:
    columns, known = ledger_first_seen.c, dict[str, Seen]()
    for some in chunks(ids):
        rows = connection.execute(
            select(columns.id, columns.gross_micros, columns.first_seen_at).where(columns.id.in_(some))
        )
        known |= {id_: Seen(gross, at) for id_, gross, at in rows}
    return known


def _histories(
    connection: Connection, profile_id: str, sales: Iterable[GumroadSale], moment: datetime
) -> dict[str, History]:
    """When what went back of these sales was first seen, of those of which something went back, by their ids.

    What wasn't seen before is seen now.
    """
    flags = {sale.id: _flags(sale) for sale in sales if sale.kind == "sale" and gone_back(sale)}
    known = dict[str, Seen]()
    ids, left, number = [id_ for sale_id in flags for id_ in first_ids(profile_id, sale_id)], set(flags), 0
    while ids:
        known |= _seen_before(connection, ids)
        number += 1
        following = next_ids(profile_id, left, number, known)
        ids, left = list(following), set(following.values())
    new: dict[str, int | None] = {}
    for sale_id, one in flags.items():
        new |= news(profile_id, sale_id, one, history_of(profile_id, sale_id, known))
    note_first_seen(connection, PLATFORM, profile_id, new, moment)
    known |= {id_: Seen(gross, moment) for id_, gross in new.items()}
    return {sale_id: history_of(profile_id, sale_id, known) for sale_id in flags}


def ledgers_of(
    connection: Connection,
    profile_id: str,
    sale_ids: Iterable[str],
    moment: datetime,
    *,
    heads: Mapping[str, StoredPayout] | None = None,
    written: Mapping[str, GumroadSale] | None = None,
) -> dict[str, tuple[GumroadSale | None, SaleLedger]]:
    """Everything that is known of these sales, and the rows that follow; ids of which nothing is known are left out.

    Args:
        connection: of the transaction.
        profile_id: whose sales.
        sale_ids: Gumroad's ids.
        moment: when the rows are made.
        heads: of :func:`stored_payouts`, where they are at hand.
        written: sales by id that this transaction has just stored, as they are stored: they are not read again.
    """
    paid = stored_payouts(connection, profile_id) if heads is None else heads
    ids = sorted(set(sale_ids))
    sales = {sale_id: written[sale_id] for sale_id in ids if sale_id in written} if written else {}
    for some in chunks(sale_id for sale_id in ids if sale_id not in sales):
        sales |= _stored_sales(connection, profile_id, some)
    lines: dict[str, list[SaleLine]] = {}
    for some in chunks(ids) if paid else ():
        lines |= _lines_of(connection, profile_id, some, paid)
    histories = _histories(connection, profile_id, sales.values(), moment)
    found: dict[str, tuple[GumroadSale | None, SaleLedger]] = {}
    for sale_id in ids:
        sale, told = sales.get(sale_id), lines.get(sale_id, ())
        if sale is not None or told:
            history = histories.get(sale_id, NOTHING)
            found[sale_id] = sale, sale_ledger(profile_id, sale_id, sale, told, history, moment)
    return found


def known_by_lines(connection: Connection, profile_id: str, window: DayWindow | None = None) -> set[str]:
    """Sales that only lines of payouts tell of, on days of a window or on any."""
    stored = exists(select(1).where(_SALES.profile_id == profile_id, _SALES.id == _LINES.sale_id))
    when = [] if window is None else [_LINES.occurred_on >= window.start, _LINES.occurred_on < window.end]
    rows = connection.execute(
        select(_LINES.sale_id).where(_mine(profile_id), about_sales(), not_(stored), *when).distinct()
    )
    return {sale_id for (sale_id,) in rows if sale_id}


def settle_lines(connection: Connection, profile_id: str, ledgers: Iterable[SaleLedger]) -> int:
    """Make the lines of payouts name the rows that they settle; returns how many changed.

    Args:
        connection: of the transaction.
        profile_id: whose lines.
        ledgers: of the sales that the lines are about.
    """
    wanted: dict[Place, tuple[str | None, str | None]] = {}
    for ledger in ledgers:
        wanted |= {place: (None, None) for row in ledger.rows for place in row.places} | ledger.settles
    stored: dict[Place, tuple[str | None, str | None]] = {}
    for some in chunks(payout_id for payout_id, _ in wanted):
        rows = connection.execute(
            select(_LINES.payout_id, _LINES.line, _LINES.ledger_id, _LINES.reason).where(
                _mine(profile_id), _LINES.payout_id.in_(some), about_sales()
            )
        )
        stored |= {(payout_id, line): (ledger_id, reason) for payout_id, line, ledger_id, reason in rows}
    off = [
        {"p": place[0], "n": place[1], "new_id": told[0], "new_reason": told[1]}
        for place, told in sorted(wanted.items())
        if stored.get(place, told) != told
    ]
    if off:
        which = and_(_mine(profile_id), _LINES.payout_id == bindparam("p"), _LINES.line == bindparam("n"))
        values = {"ledger_id": bindparam("new_id"), "reason": bindparam("new_reason")}
        connection.execute(update(payout_lines).where(which).values(**values), off)
    return len(off)


def rewrite_sales(
    connection: Connection,
    profile_id: str,
    sale_ids: Iterable[str],
    moment: datetime,
    *,
    heads: Mapping[str, StoredPayout] | None = None,
) -> tuple[Change, dict[str, tuple[GumroadSale | None, SaleLedger]]]:
    """Make the ledger rows of these sales what everything that is stored says, and their lines name them.

    Args:
        connection: of the transaction.
        profile_id: whose sales.
        sale_ids: Gumroad's ids.
        moment: when the rows are made.
        heads: of :func:`stored_payouts`, where they are at hand.
    """
    ids = set(sale_ids)
    ledgers = ledgers_of(connection, profile_id, ids, moment, heads=heads)
    change = Change()
    for some in chunks(ids):
        events = [event for sale_id in some if sale_id in ledgers for event in ledgers[sale_id][1].events]
        change += replace_sales(connection, PLATFORM, profile_id, some, events)
    settle_lines(connection, profile_id, (ledger for _, ledger in ledgers.values()))
    return change, ledgers


def note_moved(connection: Connection, profile_id: str, ledgers: Iterable[SaleLedger]) -> None:
    """Remember days that sales may have left: those of the lines that told of them before the sales were read."""
    days = {event.settled_on for ledger in ledgers for event in ledger.events if event.settled_on}
    if days:
        note_changes(connection, PLATFORM, profile_id, days)
