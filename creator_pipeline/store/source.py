"""A platform as the rooms below the platforms know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from creator_pipeline.store.engine import Warehouse


def last_dimension(_warehouse: Warehouse, key: str) -> str | None:
    """Whose a partition is: its second dimension, or the key itself."""
    return key.rpartition("|")[2]


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from.

    Attributes:
        name: in jobs of the queue, runs, tags, flags and logs.
        label: for people.
        provider: in ``platform_connections`` and the ledger.
        colour: of its bars in the chart, as ``#rrggbb``.
        owner_of_partition: (warehouse, partition key) to the profile whose it is.
        named_unit: whether a partition is a thing of its own in mails (a file), and not a day of the source.
        unit_name: (warehouse, partition key) to what people call that thing; None where the key is its name.
        daily_at: when its days are read, UTC; None where no schedule reads them.
        external: whether what it is read from is an asset, outside of the pipeline.
        page: of the folder ``docs``; empty where there is none.
    """

    name: str
    label: str
    provider: str
    colour: str = "#888888"
    owner_of_partition: Callable[[Warehouse, str], str | None] = last_dimension
    named_unit: bool = False
    unit_name: Callable[[Warehouse, str], str] | None = None
    daily_at: time | None = None
    external: bool = False
    page: str = ""


def label_of(sources: Iterable[Source], provider: str) -> str:
    """The label of a provider; its own word where no platform has it any more."""
    return next((source.label for source in sources if source.provider == provider), provider)
