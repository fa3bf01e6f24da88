"""Files put into a folder and ingested, and what the tables say then."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.files import File, digest
from creator_pipeline.platforms.kdp.ingest import Ingested, ingest
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads, sales_events

MADE_AT = 1_776_000_000
"""Seconds; the time of every file whose test doesn't say another."""


def add_profiles(warehouse: Warehouse, *names: str) -> None:
    with warehouse.write() as connection:
        for name in names or ("alice",):
            profiles.add_profile(connection, name, f"{name}@example.com")


def taken(path: Path, profile_id: str = "alice", at: int = MADE_AT) -> File:
    """A file as the inbox hands it over."""
    return File(str(path), profile_id, path.stat().st_size, at * 10**9, "settled", digest(str(path)), None)


def land(warehouse: Warehouse, path: Path, profile_id: str = "alice", at: int = MADE_AT, **options: Any) -> Ingested:
    return ingest(warehouse, taken(path, profile_id, at), **options)


def drop(source: Path, folder: Path, name: str | None = None) -> Path:
    """A copy of a file, renamed in, with a time of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (name or source.name)
    shutil.copyfile(source, folder / ".incoming")
    (folder / ".incoming").replace(target)
    return target


def ledger(warehouse: Warehouse, profile_id: str = "alice") -> list[tuple[Any, ...]]:
    """Every row of the ledger, without the moments of loading."""
    columns = [column for column in sales_events.c if column.name not in {"ingested_at", "first_seen_at"}]
    with warehouse.read() as connection:
        rows = connection.execute(
            select(*columns).where(sales_events.c.profile_id == profile_id).order_by(sales_events.c.id)
        )
        return [tuple(row) for row in rows]


def everything(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Ledger, rows and uploads, without the moments of loading."""
    with warehouse.read() as connection:
        royalties = connection.execute(select(kdp_royalties).order_by(*kdp_royalties.primary_key)).all()
        uploads = connection.execute(
            select(*(column for column in kdp_uploads.c if column.name != "uploaded_at")).order_by(kdp_uploads.c.id)
        ).all()
    return {"ledger": ledger(warehouse), "rows": [tuple(r) for r in royalties], "uploads": [tuple(u) for u in uploads]}


def royalties(warehouse: Warehouse, event_type: str = "royalty") -> dict[str, str]:
    """Money of the ledger per currency, as the manifest writes it; currencies of nothing are left out."""
    events = sales_events.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(events.currency, func.sum(events.net_micros))
            .where(events.event_type == event_type)
            .group_by(events.currency)
        )
        return {code: to_text(int(micros), code) for code, micros in rows if micros}


def quantity(warehouse: Warehouse, event_type: str = "royalty") -> int:
    """Net units, or pages."""
    events = sales_events.c
    with warehouse.read() as connection:
        return int(
            connection.execute(
                select(func.coalesce(func.sum(events.quantity), 0)).where(events.event_type == event_type)
            ).scalar_one()
        )


def upload(warehouse: Warehouse, upload_id: str) -> dict[str, Any]:
    with warehouse.read() as connection:
        return dict(connection.execute(select(kdp_uploads).where(kdp_uploads.c.id == upload_id)).mappings().one())


def statuses(warehouse: Warehouse) -> dict[str, str]:
    """File name -> status."""
    with warehouse.read() as connection:
        return dict(connection.execute(select(kdp_uploads.c.file_name, kdp_uploads.c.status)).all())
