"""What certificates are checked with."""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """One for all clients of a process: reading the list of authorities takes a twentieth of a second."""
    return httpx.create_ssl_context()
