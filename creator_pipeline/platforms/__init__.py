"""The platforms, a folder each. :mod:`.contract` says what a platform is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.gumroad import PLATFORM as GUMROAD
from creator_pipeline.platforms.kdp import PLATFORM as KDP
from creator_pipeline.platforms.whop import PLATFORM as WHOP
from creator_pipeline.store.source import Source

if TYPE_CHECKING:
    from creator_pipeline.store.personal import Personal
    from creator_pipeline.store.table_streams import TableStream
    from creator_pipeline.store.table_views import TableView

PLATFORMS: list[Platform] = [GUMROAD, WHOP, KDP]
"""The one list. Everything that differs by platform loops over it."""


def of_name(name: str) -> Platform | None:
    """The platform of a name; None where there is none."""
    return next((platform for platform in PLATFORMS if platform.name == name), None)


def of_provider(provider: str) -> Platform | None:
    """The platform that ``platform_connections`` and the ledger call ``provider``; None where there is none."""
    return next((platform for platform in PLATFORMS if platform.in_ledger == provider), None)


def personal() -> dict[str, Personal]:
    """Provider to what its platform says of the personal data in its tables."""
    return {platform.in_ledger: platform.personal.get() for platform in PLATFORMS}


def declared() -> list[TableStream]:
    """The tables that are declared. From here on they are in the warehouse's metadata too."""
    return [stream for platform in PLATFORMS if platform.tables for stream in platform.tables.get()]


def declared_views() -> list[TableView]:
    """The views that are declared."""
    return [view for platform in PLATFORMS if platform.views for view in platform.views.get()]


def sources() -> list[Source]:
    """The platforms as the lower rooms know them."""
    return [platform.source for platform in PLATFORMS]
