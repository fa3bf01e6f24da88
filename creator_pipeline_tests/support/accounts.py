"""A row of the ledger, for what asks whether a profile has sales of an account."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.ledger_samples import event


def book(connection: Connection, profile_id: str, platform: str, external_id: str) -> None:
    """Write one sale of seven dollars.

    Args:
        connection: of a write transaction.
        profile_id: whose sale.
        platform: as the ledger calls it.
        external_id: the platform's id of the sale.
    """
    row = event(1)._replace(
        id=f"{platform}:{profile_id}:{external_id}:sale",
        profile_id=profile_id,
        platform=platform,
        external_id=external_id,
    )
    connection.execute(insert(sales_events).values(row._asdict()))
