"""What a client has used: requests, waits, bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """What a client has used so far."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0
    received_bytes: int = 0
    cache_hits: int = 0
    cache_misses: int = 0

    def metadata(self) -> dict[str, int | float]:
        """The figures as a materialization shows them; those of the cache only where it was asked."""
        lookups = self.cache_hits + self.cache_misses
        return ({"cache_hits": self.cache_hits, "cache_misses": self.cache_misses} if lookups else {}) | {
            "api_requests": self.requests,
            "api_retries": self.retries,
            "api_throttled": self.throttled,
            "api_waited_seconds": round(self.waited_seconds, 3),
        }
