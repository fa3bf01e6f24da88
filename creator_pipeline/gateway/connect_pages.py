"""What the pages about connecting say of a profile, before and after."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from creator_pipeline.mail.render import one_line
from creator_pipeline.store import accounts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles


class Shown(NamedTuple):
    """A profile for people: ``Alice Example (alice)``, and its account at the platform; empty where none is known."""

    name: str
    account: str


def profile(warehouse: Warehouse, provider: str, profile_id: str) -> Shown:
    """What is said of a profile.

    Args:
        warehouse: has it.
        provider: the platform, as ``platform_connections`` calls it.
        profile_id: whose pages they are.
    """
    with warehouse.read() as connection:
        name = connection.execute(select(profiles.c.display_name).where(profiles.c.id == profile_id)).scalar()
        account = accounts.known(connection, provider, profile_id)
    return Shown(f"{one_line(name)} ({profile_id})" if name else profile_id, str(account or ""))
