"""Payments from the API to the tables: window, fetch, store. Running anything again is safe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_in
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import unknown_keys
from creator_pipeline.core.windows import DayWindow, now, partition_key
from creator_pipeline.ledger.closing import Scope
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import replace_events
from creator_pipeline.platforms.whop import catalog, fetch
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.fetch import Payments
from creator_pipeline.platforms.whop.fetch_changes import changed_payments
from creator_pipeline.platforms.whop.ledger_store import (
    PLATFORM,
    events_of_payments,
    ledger_of_payments,
    lock_ledger,
    payments_in,
    rewrite_owners,
)
from creator_pipeline.platforms.whop.models import PaymentRow
from creator_pipeline.platforms.whop.read_payments import (
    ReadPayments,
    odd_payments,
    read_payments,
    remember,
    with_stored,
)
from creator_pipeline.platforms.whop.stored_payments import stored_payments
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.tables import sales_events, whop_payments
from creator_pipeline.store.unreadable import Unreadable


@dataclass(frozen=True)
class LoadedPayments:
    """Payments and their ledger rows, committed.

    Attributes:
        missing: ids that were asked for and that the account doesn't have; what is stored of them stays.
        new_keys: keys of payments this code doesn't know.
        disputes_listed: whether the server has a list of disputes, as far as it was asked.
        odd: what could not be read; what was stored of it before stays.
        rounded: amounts that are finer than a millionth.
        alerts_refused: why the list of dispute alerts can't be read; empty where it can.
    """

    payments: Sequence[PaymentRow]
    events: Sequence[LedgerEvent]
    payments_change: Change
    ledger_change: Change
    missing: Sequence[str] = ()
    new_keys: frozenset[str] = frozenset()
    disputes_listed: bool = True
    odd: Sequence[Unreadable] = ()
    rounded: Sequence[str] = ()
    alerts_refused: str = ""


def quarters(window: DayWindow) -> list[DayWindow]:
    """The parts of a window by calendar quarter, oldest first: what one request list and one transaction hold."""
    parts: list[DayWindow] = []
    start = window.start
    while start < window.end:
        year, month = divmod(start.year * 12 + (start.month - 1) // 3 * 3 + 3, 12)
        end = min(window.end, date(year, month + 1, 1))
        parts.append(DayWindow(start, end))
        start = end
    return parts


def load_payments(
    warehouse: Warehouse,
    client: WhopClient,
    profile_id: str,
    account_id: str | None,
    window: DayWindow,
    *,
    allow_shrink: bool = False,
) -> LoadedPayments:
    """Make the stored payments created in ``window``, and their ledger rows, equal to the API's.

    Args:
        warehouse: where the tables are.
        client: of the account.
        profile_id: whose payments.
        account_id: ``biz_…``; None for the account of the key.
        window: half-open UTC days.
        allow_shrink: accept that most rows, or all, go away.

    Raises:
        DataError: far fewer payments than are stored, or none where some are: for Whop a wrong account is empty.
    """
    found = fetch.payments_of_window(client, account_id, window)
    scope = payments_in(profile_id, window)
    ledger_scope = ledger_of_payments(profile_id, window)
    what = f"whop/payments {window.start} to {window.end} of {profile_id}"
    return _store_payments(warehouse, client, profile_id, found, scope, ledger_scope, what, allow_shrink=allow_shrink)


def rebuild_ledger(
    warehouse: Warehouse, profile_id: str, window: DayWindow, *, allow_shrink: bool = False
) -> LoadedPayments:
    """Make the ledger rows of the payments created in ``window`` equal to what is stored; the API isn't asked.

    Args:
        warehouse: where the tables are.
        profile_id: whose ledger.
        window: half-open UTC days.
        allow_shrink: accept that most rows go away.
    """
    scope, what = payments_in(profile_id, window), f"whop/payments {window.start} to {window.end} of {profile_id}"
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        rows = [PaymentRow(*row) for row in connection.execute(select(whop_payments).where(scope))]
        events = events_of_payments(connection, profile_id, scope, now())
        change = replace_events(
            connection,
            PLATFORM,
            profile_id,
            ledger_of_payments(profile_id, window),
            events,
            what=f"ledger of {what}",
            allow_shrink=allow_shrink,
        )
    return LoadedPayments(rows, events, Change(), change)


def stored_days(warehouse: Warehouse, profile_id: str, days: Iterable[date]) -> LoadedPayments:
    """The payments made on these days and their ledger rows, as stored."""
    whole = sorted(set(days))
    sources = [partition_key(day, profile_id) for day in whole]
    payments, ledger = whop_payments.c, sales_events.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(whop_payments)
            .where(payments.profile_id == profile_id, payments.partition_day.in_(whole))
            .order_by(payments.created_at, payments.id)
        )
        events = connection.execute(
            select(sales_events)
            .where(ledger.profile_id == profile_id, ledger.platform == PLATFORM, ledger.source.in_(sources))
            .order_by(ledger.occurred_at, ledger.id)
        )
        return LoadedPayments(
            [PaymentRow(*row) for row in rows], [LedgerEvent(*row) for row in events], Change(), Change()
        )


def refresh_payments(
    warehouse: Warehouse,
    client: WhopClient,
    profile_id: str,
    account_id: str | None,
    ids: Iterable[str],
    *,
    alerted: Collection[str] = (),
) -> LoadedPayments:
    """Make the named payments, and their ledger rows, equal to the API's.

    Args:
        warehouse: where the tables are.
        client: of the account.
        profile_id: whose payments.
        account_id: ``biz_…``; None for the account of the key.
        ids: ``pay_…``.
        alerted: those of them that have dispute alerts, whatever they say themselves.
    """
    found = fetch.payments_named(client, account_id, ids, alerted=alerted)
    named = list(found.payments)
    scope = and_(whop_payments.c.profile_id == profile_id, whop_payments.c.id.in_(named))
    what = f"whop/payments of {profile_id}"
    return _store_payments(
        warehouse, client, profile_id, found, scope, lambda columns: columns.external_id.in_(named), what
    )


def refresh_changed_payments(
    warehouse: Warehouse, client: WhopClient, profile_id: str, account_id: str | None, since: datetime
) -> LoadedPayments:
    """Find the stored payments that changed since ``since`` and read those again.

    Args:
        warehouse: where the tables are.
        client: of the account.
        profile_id: whose payments.
        account_id: ``biz_…``; None for the account of the key.
        since: with its zone; the start of the oldest dispute that is still open counts where it is earlier.
    """
    stored, first_open = stored_payments(warehouse, profile_id)
    since = min(since, first_open) if first_open else since
    with warehouse.read() as connection:
        again = odd_payments(connection, profile_id)
    changed = changed_payments(client, account_id, stored, since)
    ids = changed.ids | again
    loaded = refresh_payments(warehouse, client, profile_id, account_id, ids, alerted=changed.alerted)
    seen = changed.seen
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        remember(connection, profile_id, ReadPayments(odd=seen.odd), (), now())
    return replace_in(
        loaded,
        disputes_listed=loaded.disputes_listed and seen.disputes_listed,
        odd=[*loaded.odd, *seen.odd],
        alerts_refused=loaded.alerts_refused or seen.alerts_refused,
    )


def _store_payments(
    warehouse: Warehouse,
    client: WhopClient,
    profile_id: str,
    found: Payments,
    scope: ColumnElement[bool],
    ledger_scope: Scope,
    what: str,
    *,
    allow_shrink: bool = False,
) -> LoadedPayments:
    moment = now()
    made = read_payments(profile_id, found, moment)
    made.listed = client.take_listed()
    with warehouse.write() as connection:
        lock_ledger(connection, profile_id)
        rows = with_stored(connection, profile_id, made, scope)
        if not rows and not made.listed.has("payments") and not allow_shrink:
            refuse_nothing(connection, select(whop_payments.c.id).where(scope).limit(1), what)
        before = set(connection.execute(select(whop_payments.c.id).where(scope)).scalars())
        change = replace(connection, whop_payments, rows, scope, what=what, allow_shrink=allow_shrink)
        events = events_of_payments(connection, profile_id, scope, moment)
        ledger_change = replace_events(
            connection,
            PLATFORM,
            profile_id,
            ledger_scope,
            events,
            what=f"ledger of {what}",
            allow_shrink=allow_shrink,
        )
        # Lines of the feed stay, whatever became of their payment.
        ledger_change += rewrite_owners(connection, profile_id, before - found.payments.keys(), moment)
        remember(connection, profile_id, made, found.missing, moment)
    new = unknown_keys(found.payments.values(), catalog.PAYMENT_KEYS)
    return LoadedPayments(
        rows,
        events,
        change,
        ledger_change,
        tuple(found.missing),
        new,
        found.disputes_listed,
        [*made.odd, *made.listed.odd],
        made.rounded,
        found.alerts_refused,
    )


def refuse_nothing(connection: Connection, stored: Select[tuple[str]], what: str) -> None:
    """Refuse to replace what ``stored`` finds by nothing.

    Raises:
        DataError: something is stored.
    """
    if connection.execute(stored).first() is not None:
        raise DataError(
            f"{what}: Whop says there is nothing, but some are stored; nothing was written.",
            hint="Whop answers a wrong account with an empty list: check the account (biz_…) and the key. "
            "If they really are gone, run again with the run tag creator_pipeline/allow_shrink: true.",
        )
