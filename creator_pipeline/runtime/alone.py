"""One process of this machine at a time does a thing. What a killed process held is free at once."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Generator
from contextlib import contextmanager

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.runtime.home import ensure_home


@contextmanager
def alone(what: str, *parts: object) -> Generator[None]:
    """Keep others from doing the same until the end of the block.

    Args:
        what: is said of it: ``The same backfill of alice``.
        parts: name it.

    Raises:
        ConfigError: another process is at it.
    """
    said = "\n".join([settings.load().warehouse_url, *map(str, parts)])
    folder = ensure_home() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / hashlib.sha256(said.encode()).hexdigest()[:24]).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{what} is under way in another process.", hint="Wait for it to end.") from None
        yield
