"""Objects of Whop that can't be read: they are kept as such, and their neighbours go on."""

from __future__ import annotations

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.store.unreadable import Unreadable

HINT = "Look at it in Whop's dashboard. It is read again each night, and counts as soon as it can be read."


def unreadable(part: str, item: Json, error: DataError) -> Unreadable:
    """An object with what is missing.

    Args:
        part: its list, as ``refunds``.
        item: as the API tells it.
        error: what reading it raised.
    """
    lacks = f"no usable {error.column}" if error.column else error.message
    wanted = f"; expected {error.expected}" if error.expected else ""
    return Unreadable(part, str(item.get("id")), f"{lacks}{wanted}", HINT)
