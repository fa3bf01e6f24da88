"""Personal data: taking a profile's out, erasing a profile or one buyer. The money of the ledger stays right.

A table that is in none of the lists below and of no platform's fails a test: whoever adds one says what an erasure
does with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Table, and_, case, delete, func, not_, or_, select, tuple_, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import now
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.personal import Personal
from creator_pipeline.store.tables import (
    alert_messages,
    balance_movements,
    closed_ledger,
    closed_months,
    daily_revenue,
    email_messages,
    email_suppressions,
    erased_buyers,
    fx_rates,
    health_reports,
    ingestion_jobs,
    ledger_changes,
    ledger_first_seen,
    metadata,
    payout_lines,
    payouts,
    platform_accounts,
    platform_balances,
    platform_connections,
    platform_totals,
    products,
    profiles,
    sales_events,
    stream_reads,
    subscriptions_daily,
    unexplained,
    unreadable,
    webhook_events,
)
from creator_pipeline.store.upserts import insert_into

SECRET_COLUMNS = frozenset({"access_token", "refresh_token", "upload_key_hash"})
"""Never part of an export."""

DELETED = (
    platform_totals,
    platform_balances,
    balance_movements,
    payouts,
    payout_lines,
    unexplained,
    unreadable,
    stream_reads,
    subscriptions_daily,
    products,
    closed_months,
    closed_ledger,
    ledger_first_seen,
    ingestion_jobs,
    webhook_events,
    platform_connections,
    platform_accounts,
    email_messages,
    alert_messages,
    email_suppressions,
    health_reports,
)
"""Rows of a profile that go with it, beside those of the platforms."""
RENAMED = (sales_events, daily_revenue, ledger_changes)
"""Money, which stays: under a pseudonym, and without names."""
OTHERS = (profiles, erased_buyers, fx_rates)
"""The profile itself; buyers, who are nobody's; rates of exchange, which are nobody's either."""

Platforms = Mapping[str, Personal]
"""Provider to what its platform says of its tables."""


def export_profile(warehouse: Warehouse, profile_id: str, platforms: Platforms) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row) of everything stored of a profile, without tokens and keys."""
    with warehouse.read() as connection:
        address = _address(connection, profile_id)
        own = [table for personal in platforms.values() for table in personal.deleted]
        for table in dict.fromkeys([*metadata.sorted_tables, *own]):
            mine = _of_profile(table, profile_id, address, platforms)
            if mine is None:
                continue
            names = [name for name in table.c.keys() if name not in SECRET_COLUMNS]  # noqa: SIM118 - not a dict
            for row in connection.execute(select(*(table.c[name] for name in names)).where(mine)):
                yield table.name, dict(zip(names, row, strict=True))


def pseudonym(profile_id: str) -> str:
    """The name an erased profile's ledger rows go by; the same for the same profile, and tells nothing of it."""
    return f"erased-{hashlib.sha256(profile_id.encode()).hexdigest()[:16]}"


def erase_profile(warehouse: Warehouse, profile_id: str, platforms: Platforms) -> dict[str, int]:
    """Delete a profile and everything read of it; its ledger rows stay, under a pseudonym and without names.

    A run that is at work for the profile either commits before, and what it wrote goes too, or finds it gone and
    writes nothing (see :func:`creator_pipeline.store.locks.lock_profile`).

    Returns:
        rows that were deleted or changed, by table.
    """
    counts = dict[str, int]()
    with warehouse.write() as connection:
        address = _address(connection, profile_id)
        shared = address is not None and _holders(connection, address, but=profile_id)
        # Before all others: loads of this profile wait for its row, or this waits for theirs.
        counts[profiles.name] = connection.execute(delete(profiles).where(profiles.c.id == profile_id)).rowcount
        counts |= _rename(connection, profile_id, platforms)
        deleted = [*(table for personal in platforms.values() for table in personal.deleted), *DELETED]
        for personal in platforms.values():
            for table, values in personal.released.items():
                # What another account's row says of this profile is no longer known; the row is that account's.
                for column in personal.owners[table][1:]:
                    connection.execute(update(table).where(column == profile_id).values(values))
        for table in deleted:
            mine = _of_profile(table, profile_id, None if shared else address, platforms)
            counts[table.name] = 0 if mine is None else connection.execute(delete(table).where(mine)).rowcount
    return counts


def erase_buyer(warehouse: Warehouse, address: str, hashes: Sequence[str], platforms: Platforms) -> int:
    """Forget one buyer in every profile: their keyed hash, country, ids, the stored JSON, and mails to them.

    Amounts stay. The hash is remembered, so that reading the same sales again doesn't bring the buyer back.

    Args:
        warehouse: holds every profile's rows.
        address: of the buyer, as typed.
        platforms: whose tables tell who bought.
        hashes: of the address, by each key there is (:meth:`creator_pipeline.core.secrets.KeyRing.hashes_of`).

    Returns:
        rows that know them no more.

    Raises:
        ConfigError: it is the address of a profile, whose plan follows from what it bought.
    """
    with warehouse.write() as connection:
        if holders := _holders(connection, address):
            raise ConfigError(
                f"This is the address of the profile {', '.join(holders)}.",
                hint="Its plan follows from what it bought. Erase the profile, or change its address, before.",
            )
        known = [{"address_hash": one, "erased_at": now()} for one in hashes]
        connection.execute(insert_into(connection, erased_buyers).values(known).on_conflict_do_nothing())
        rows = forget_again(connection, platforms)
        for table, column in ((email_messages, email_messages.c.to), (email_suppressions, email_suppressions.c.email)):
            rows += connection.execute(delete(table).where(_is(column, address))).rowcount
    return rows


def forget_again(connection: Connection, platforms: Platforms) -> int:
    """Forget again whom an erasure forgot: a load that had begun before it can have brought them back."""
    hashes = select(erased_buyers.c.address_hash)
    count = 0
    for buyers in (buyers for personal in platforms.values() for buyers in personal.buyers):
        these: list[ColumnElement[bool]] = [buyers.address_hash.in_(hashes)]
        if buyers.kept is not None:
            these.append(not_(buyers.kept))
        count += connection.execute(update(buyers.table).where(*these).values(dict(buyers.blank))).rowcount
    return count


def forgotten(connection: Connection) -> frozenset[str]:
    """Keyed hashes of the buyers that a load must leave out."""
    return frozenset(connection.execute(select(erased_buyers.c.address_hash)).scalars())


def _address(connection: Connection, profile_id: str) -> str | None:
    return connection.execute(select(profiles.c.email).where(profiles.c.id == profile_id)).scalar()


def _holders(connection: Connection, address: str, but: str = "") -> list[str]:
    same = select(profiles.c.id).where(_is(profiles.c.email, address), profiles.c.id != but)
    return list(connection.execute(same.order_by(profiles.c.id)).scalars())


def _is(column: ColumnElement[str], address: str) -> ColumnElement[bool]:
    return func.lower(column) == address.strip().lower()


def _of_profile(table: Table, profile_id: str, address: str | None, platforms: Platforms) -> ColumnElement[bool] | None:
    """Which rows of a table are a profile's, or name it; None where none can be."""
    columns = table.c
    if table is profiles:
        return columns.id == profile_id
    if table is health_reports:
        return columns.id.endswith(f"/{profile_id}", autoescape=True)
    if table is email_suppressions:
        return None if address is None else _is(columns.email, address)
    if table is email_messages and address is not None:
        return or_(columns.profile_id == profile_id, and_(columns.profile_id.is_(None), _is(columns.to, address)))
    for personal in platforms.values():
        if table in personal.owners:
            return or_(*(column == profile_id for column in personal.owners[table]))
    return columns.profile_id == profile_id if "profile_id" in columns else None


def _rename(connection: Connection, profile_id: str, platforms: Platforms) -> dict[str, int]:
    """Rows of the ledger, under the pseudonym. Those of an erasure before, of a profile that came back, give way."""
    name, events, counts = pseudonym(profile_id), sales_events.c, dict[str, int]()
    named = [provider for provider, personal in platforms.items() if personal.ids_name_things]
    new_id = func.replace(events.id, f":{profile_id}:", f":{name}:")
    before = connection.execute(
        select(events.occurred_on, events.platform).where(events.profile_id == name).distinct()
    ).all()
    connection.execute(delete(sales_events).where(events.id.in_(select(new_id).where(events.profile_id == profile_id))))
    for table in (daily_revenue, ledger_changes) if before else ():
        # A day that both have is rolled up again: see below.
        both = tuple_(table.c.occurred_on, table.c.platform).in_([tuple(row) for row in before])
        connection.execute(delete(table).where(table.c.profile_id == profile_id, both))
    for table in RENAMED:
        values: dict[str, Any] = {"profile_id": name}
        if table is sales_events:
            values |= {
                # The old ids and sources carry the profile's own.
                "id": new_id,
                "external_id": case((events.platform.in_(named), "erased"), else_=events.external_id),
                "product_name": None,
                "product_id": None,
                "source": "erased",
            }
        mine = table.c.profile_id == profile_id
        counts[table.name] = connection.execute(update(table).where(mine).values(values)).rowcount
    if before:
        changed = [
            {
                "occurred_on": day,
                "profile_id": name,
                "platform": platform,
                "change_id": uuid4().hex,
                "changed_at": now(),
            }
            for day, platform in before
        ]
        insert = insert_into(connection, ledger_changes)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=list(ledger_changes.primary_key), set_={"change_id": insert.excluded.change_id}
            ),
            changed,
        )
    return counts
