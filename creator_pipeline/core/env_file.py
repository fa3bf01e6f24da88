"""The file ``.env`` of the working directory."""

from __future__ import annotations

from functools import lru_cache
from io import StringIO
from pathlib import Path

import dotenv

Values = frozenset[tuple[str, str | None]]


def read() -> Values:
    """Its variables as they are now; none where there is no file.

    Raises:
        UnicodeDecodeError: it isn't UTF-8.
    """
    try:
        text = Path(".env").read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return frozenset()
    # What names other variables depends on more than the file.
    return _parse(text) if "$" in text else _parse_once(text)


def _parse(text: str) -> Values:
    return frozenset(dotenv.dotenv_values(stream=StringIO(text)).items())


# A millisecond each time, and a request, a tick and a run ask several times.
_parse_once = lru_cache(maxsize=4)(_parse)
