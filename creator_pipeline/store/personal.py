"""Personal data: taking a profile's out, erasing a profile or one buyer. The money of the ledger stays right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, delete, func, or_, select, update

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import (
    daily_revenue,
    email_messages,
    email_suppressions,
    gumroad_products,
    gumroad_sales,
    ingestion_jobs,
    kdp_royalties,
    kdp_uploads,
    ledger_changes,
    metadata,
    platform_connections,
    platform_totals,
    profiles,
    sales_events,
    webhook_events,
    whop_payments,
    whop_subscriptions,
)

SECRET_COLUMNS = frozenset({"access_token", "refresh_token", "upload_key_hash"})
"""Never part of an export."""

_GONE = (
    gumroad_products,
    gumroad_sales,
    whop_payments,
    kdp_royalties,
    kdp_uploads,
    platform_totals,
    ingestion_jobs,
    webhook_events,
    platform_connections,
)
_KEPT = (sales_events, daily_revenue, ledger_changes)


def export_profile(warehouse: Warehouse, profile_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row) of everything stored of a profile, without tokens and keys."""
    with warehouse.read() as connection:
        for table in metadata.sorted_tables:
            owner = table.c.id if table is profiles else table.c.get("profile_id")
            if owner is None:
                continue
            names = [name for name in table.c.keys() if name not in SECRET_COLUMNS]  # noqa: SIM118 - not a dict
            for row in connection.execute(select(*(table.c[name] for name in names)).where(owner == profile_id)):
                yield table.name, dict(zip(names, row, strict=True))


def pseudonym(profile_id: str) -> str:
    """The name an erased profile's ledger rows go by; the same for the same profile, and tells nothing of it."""
    return f"erased-{hashlib.sha256(profile_id.encode()).hexdigest()[:16]}"


def erase_profile(warehouse: Warehouse, profile_id: str) -> dict[str, int]:
    """Delete a profile and everything read of it; its ledger rows stay, under a pseudonym and without names.

    Returns:
        rows that were deleted or changed, by table.
    """
    name, counts = pseudonym(profile_id), dict[str, int]()
    with warehouse.write() as connection:
        address = connection.execute(select(profiles.c.email).where(profiles.c.id == profile_id)).scalar()
        for table in _KEPT:
            values: dict[str, Any] = {"profile_id": name}
            if table is sales_events:
                # The old ids and sources carry the profile's own.
                values |= {
                    "id": func.replace(sales_events.c.id, f":{profile_id}:", f":{name}:"),
                    "product_name": None,
                    "product_id": None,
                    "source": "erased",
                }
            counts[table.name] = connection.execute(
                update(table).where(table.c.profile_id == profile_id).values(values)
            ).rowcount
        for table in _GONE:
            counts[table.name] = connection.execute(delete(table).where(table.c.profile_id == profile_id)).rowcount
        subscriptions = whop_subscriptions.c
        counts[whop_subscriptions.name] = connection.execute(
            delete(whop_subscriptions).where(subscriptions.account_profile_id == profile_id)
        ).rowcount
        connection.execute(
            update(whop_subscriptions)
            .where(subscriptions.profile_id == profile_id)
            .values(profile_id=None, matched_by=None)
        )
        mails = or_(email_messages.c.profile_id == profile_id, email_messages.c.to == address)
        counts[email_messages.name] = connection.execute(delete(email_messages).where(mails)).rowcount
        counts[email_suppressions.name] = connection.execute(
            delete(email_suppressions).where(email_suppressions.c.email == address)
        ).rowcount
        counts[profiles.name] = connection.execute(delete(profiles).where(profiles.c.id == profile_id)).rowcount
    return counts


def erase_buyer(warehouse: Warehouse, address_hash: str) -> int:
    """Forget one buyer: their keyed hash, the country, and the stored JSON of their sales. Amounts stay.

    Reading those days again would bring the hash back, as long as the platform still has the buyer.
    """
    with warehouse.write() as connection:
        return sum(
            connection.execute(update(table).where(column == address_hash).values(values)).rowcount
            for table, column, values in _buyer_columns()
        )


def _buyer_columns() -> list[tuple[Table, Any, dict[str, Any]]]:
    return [
        (gumroad_sales, gumroad_sales.c.buyer_hash, {"buyer_hash": None, "country": None, "raw": "{}"}),
        (whop_subscriptions, whop_subscriptions.c.holder_hash, {"holder_hash": None, "raw": "{}"}),
    ]
