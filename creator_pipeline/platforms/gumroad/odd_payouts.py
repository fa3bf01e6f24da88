"""Payouts of Gumroad that can't be used, listed and planned: they are kept as such, and their neighbours go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.odd_objects import kept_text, key_of
from creator_pipeline.platforms.gumroad import PLATFORM, payout_catalog
from creator_pipeline.platforms.gumroad.answers import without_processor
from creator_pipeline.store import unreadable as store
from creator_pipeline.store.unreadable import Unreadable

LISTED, READ, PLANNED = "payouts", "payout readings", "upcoming"
"""Parts: payouts as the list tells them, with their lines as they are read by their ids, and planned ones."""
_HINT = (
    "Look at it in Gumroad's dashboard. It counts as soon as it can be read: the whole list is read each night until it"
    " can, or until the list doesn't show it any more."
)
_READ_HINT = "Its amount is known, and what went back of its sales is estimated. It is asked for again each night."
_PLANNED_HINT = "It is left out of what is planned. It goes from here with the next list of planned payouts."
_HINTS = {LISTED: _HINT, READ: _READ_HINT, PLANNED: _PLANNED_HINT}
_LISTS = frozenset({"sales", "refunded_sales", "disputed_sales", "transactions"})


class OddPayouts:
    """What one reading found that can't be used, and what it could.

    Attributes:
        found: what can't be used.
        read: (part, id) of what could.
        whole: parts whose whole list was read.
    """

    def __init__(self) -> None:
        self.found: list[Unreadable] = []
        self.read: set[tuple[str, str]] = set()
        self.whole: set[str] = set()

    def add(self, part: str, item: Json, error: PipelineError) -> None:
        """Remember a payout that can't be used.

        Args:
            part: of the parts above.
            item: as the API tells it; where it tells nothing, its id.
            error: what reading it raised.
        """
        lacks = f"an answer that can't be used: {error.message}"
        if isinstance(error, DataError):
            lacks = f"no usable {error.column}; expected {error.expected}" if error.column else error.message
        told = f"; its created_at is {item['created_at'][:40]}" if isinstance(item.get("created_at"), str) else ""
        shown = {key: value for key, value in item.items() if key not in _LISTS}
        raw = kept_text(without_processor(shown, payout_catalog.PAYOUT_KEYS), payout_catalog.PAYOUT_PERSONAL)
        self.found.append(Unreadable(part, key_of(item), f"{lacks}{told}", _HINTS[part], raw=raw))

    def lines(self) -> list[str]:
        """Each in a line."""
        return [f"{one.object_id}: {one.detail}" for one in self.found]


def is_kept(connection: Connection, profile_id: str) -> bool:
    """Whether a listed payout couldn't be used by the last readings."""
    kept = store.unreadable_of(connection, PLATFORM.in_ledger, profile_id)
    return any(one.part == LISTED and one.object_id for one in kept)


def keep(connection: Connection, profile_id: str, odd: OddPayouts, moment: datetime) -> None:
    """Keep payouts that can't be used, and drop those that can again, or that their list doesn't show any more.

    Args:
        connection: of the transaction.
        profile_id: whose payouts.
        odd: of one reading.
        moment: of the reading.
    """
    provider, keys = PLATFORM.in_ledger, {(one.part, one.object_id) for one in odd.found}
    kept = store.unreadable_of(connection, provider, profile_id)
    gone = {(one.part, one.object_id) for one in kept if one.object_id and one.part in odd.whole}
    store.forget(connection, provider, profile_id, (odd.read | gone) - keys)
    store.remember(connection, provider, profile_id, odd.found, moment)
