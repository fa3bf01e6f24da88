"""The key ring of this installation, and stored tokens under its newest key."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing, key_ring
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections as table

_COLUMNS = (table.c.access_token, table.c.refresh_token)


class Rotated(NamedTuple):
    """Tokens that are under the newest key now and were not before; and whose connection has one no key fits."""

    tokens: int
    lost: list[str]


def installation_ring(config: Settings) -> KeyRing:
    """The keys of APP_SECRET_KEYS, else those of the file in the home folder; the file is made on first use.

    Raises:
        ConfigError: APP_SECRET_KEYS holds no key, or one that can't be used.
    """
    configured = config.app_secret_keys
    return _ring(configured.get_secret_value() if configured else None, config.home)


@lru_cache(maxsize=4)
def _ring(configured: str | None, home: Path) -> KeyRing:
    return key_ring(configured, home)


def rotate(warehouse: Warehouse, ring: KeyRing) -> Rotated:
    """Encrypt every stored token with the first key, while others read them and store new ones.

    A token that is replaced meanwhile is left as its writer stored it. Running again is safe.
    """
    count, lost = 0, list[str]()
    with warehouse.read() as connection:
        rows = connection.execute(select(table.c.provider, table.c.profile_id, *_COLUMNS)).all()
    for provider, profile_id, *stored in rows:
        for column, token in zip(_COLUMNS, stored, strict=True):
            if token is None:
                continue
            try:
                newer = ring.rotate(token)
            except ConfigError:
                lost.append(f"{profile_id}'s {provider}")
                continue
            if newer == token:
                continue
            this = (table.c.provider == provider, table.c.profile_id == profile_id, column == token)
            with warehouse.write() as connection:
                count += connection.execute(update(table).where(*this).values({column: newer})).rowcount
    return Rotated(count, sorted(set(lost)))
