"""Objects of an answer that can't be read: a key for one that has no id, and the text of one as it is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from typing import Any, cast

from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.secrets import without_addresses

NO_ID = "no-id-"
"""Begins the key of an object that has no id of its own."""
_NO_OBJECT = "not an object"
_PERSONAL = re.compile(
    r"e?mail|phone|address|street|postal|zip|iban|card|bank|birth|passport|(^|_)ip($|_)"
    r"|(^|_)(user|buyer|customer|member|payer|recipient|full|first|last|given|family)_?name|^(name|user|buyer|customer)$",
    re.IGNORECASE,
)


def as_object(item: Any) -> Json:
    """The object; what is none becomes one that lacks everything but what was told."""
    return cast("Json", item) if isinstance(item, dict) else {_NO_OBJECT: item}


def has_id(item: Json) -> bool:
    """Whether it can be told from others by its id."""
    return isinstance(item.get("id"), str) and bool(item["id"])


def key_of(item: Json) -> str:
    """The id; of an object without one a digest of what it holds, so that reading it twice keeps it once."""
    if has_id(item):
        return item["id"]
    text = json.dumps(item, sort_keys=True, default=str)
    return NO_ID + hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]


def kept_text(item: Json, dropped: Collection[str] = ()) -> str:
    """The JSON of an object without what is personal.

    Args:
        item: as the API tells it.
        dropped: keys of the platform's objects that are personal, beside those that any platform calls so.
    """
    try:
        return json.dumps(_cleaned(item, dropped), ensure_ascii=False, sort_keys=True)
    except RecursionError:
        return json.dumps({"left out": "nested too deep"})


def _cleaned(value: Any, dropped: Collection[str]) -> Any:
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, list):
        return [_cleaned(each, dropped) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            without_addresses(key): _cleaned(each, dropped)
            for key, each in cast("Json", value).items()
            if key not in dropped and not _PERSONAL.search(key)
        }
    return value
