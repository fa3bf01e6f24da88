"""What is stored of payments, as far as it tells whether they have changed."""

from __future__ import annotations

from datetime import datetime

import orjson
from sqlalchemy import not_, or_, select

from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.fetch_changes import StoredPayment
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import whop_payments


def stored_payments(warehouse: Warehouse, profile_id: str) -> tuple[list[StoredPayment], datetime | None]:
    """What is known of a profile's payments, and when the first dispute began that is still open."""
    columns = whop_payments.c
    has_more = or_(columns.refunds != "[]", columns.disputes != "[]", columns.alerts != "[]")
    with warehouse.read() as connection:
        rows = connection.execute(
            select(columns.id, columns.status, columns.refunds, columns.disputes, columns.alerts).where(
                columns.profile_id == profile_id, or_(columns.final.is_(False), has_more)
            )
        ).all()
        final = connection.execute(
            select(columns.id, columns.status).where(
                columns.profile_id == profile_id, columns.final.is_(True), not_(has_more)
            )
        ).all()
    stored = [StoredPayment(key, status, frozenset(), frozenset()) for key, status in final]
    begun: list[datetime] = []
    for key, status, refunds, disputes, alerts in rows:
        taken = orjson.loads(disputes)
        begun += [
            datetime.fromisoformat(entry["at"]) for entry in taken if entry["status"] not in catalog.DISPUTE_CLOSED
        ]
        stored.append(
            StoredPayment(
                key,
                status,
                frozenset(entry["id"] for entry in orjson.loads(refunds)),
                frozenset((entry["id"], entry["status"]) for entry in taken),
                frozenset((entry["id"], entry["fee_micros"]) for entry in orjson.loads(alerts)),
            )
        )
    return stored, min(begun, default=None)
