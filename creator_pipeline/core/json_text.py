"""JSON as it is stored."""

from __future__ import annotations

from typing import Any

import orjson

from creator_pipeline.core.errors import DataError


def dumps(value: Any, *, ordered: bool = False) -> str:
    """Text of a JSON value that a platform sent; ``ordered`` by its keys.

    Raises:
        DataError: it is nested deeper than can be written.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else None).decode()
    except orjson.JSONEncodeError as error:
        raise DataError(f"An object of an answer can't be stored: {error}.", hint="Nothing was written.") from None
