"""Declared tables and the stand-ins that serve their lists."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.routing import Match

from creator_pipeline.platforms import of_name
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline_tests.support.sandbox import SandboxServer


def served(server: SandboxServer, stream: TableStream, path: str) -> str:
    """The path of the route that answers, as the stand-in declares it; empty where none does."""
    platform = of_name(stream.platform)
    assert platform
    assert platform.stand_in
    told = platform.stand_in.get().environment(server.url)
    prefix = urlsplit(told.get(f"{stream.platform.upper()}_API_URL", "")).path
    asked = {"type": "http", "method": "GET", "path": prefix + re.sub(r"\{\w+\}", "x", path), "headers": []}
    routes = server.services[stream.platform].routes()
    return next((route.path for route in routes if route.matches(asked)[0] is Match.FULL), "")
