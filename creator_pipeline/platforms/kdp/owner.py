"""Whose an upload is, and what its owner calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creator_pipeline.store.engine import Warehouse


def owner_of_partition(warehouse: Warehouse, key: str) -> str | None:
    """The profile of the upload whose digest begins with a partition's key; None where there is none."""
    # The process that reads a report imports this module and needs no database.
    from sqlalchemy import select

    from creator_pipeline.store.tables import kdp_uploads

    with warehouse.read() as connection:
        found = select(kdp_uploads.c.profile_id).where(kdp_uploads.c.id.startswith(key, autoescape=True))
        return connection.execute(found).scalar()


def file_name_of_partition(warehouse: Warehouse, key: str) -> str:
    """The name of the file as its owner gave it; the key where no such upload is stored."""
    from sqlalchemy import select

    from creator_pipeline.store.tables import kdp_uploads

    with warehouse.read() as connection:
        found = select(kdp_uploads.c.file_name).where(kdp_uploads.c.id.startswith(key, autoescape=True))
        return connection.execute(found).scalar() or key
