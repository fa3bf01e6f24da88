"""Whose upload a partition is."""

from __future__ import annotations

from sqlalchemy import select

from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_uploads


def owner_of_partition(warehouse: Warehouse, key: str) -> str | None:
    """The profile of the upload whose content a partition's key names; None where the upload isn't stored."""
    columns = kdp_uploads.c
    with warehouse.read() as connection:
        return connection.execute(
            select(columns.profile_id).where(columns.id.startswith(key, autoescape=True))
        ).scalar()
