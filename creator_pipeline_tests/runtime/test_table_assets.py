"""What every declared table has by itself, whatever its platform."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from starlette.routing import Match

from creator_pipeline.definitions import defs
from creator_pipeline.platforms import declared, of_name, personal
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline_tests.support.sandbox import SandboxServer

STREAMS = declared()


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


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.asset)
def test_a_stand_in_serves_each_declared_list(sandbox: SandboxServer, stream: TableStream) -> None:
    """Incident: a table that was declared, and whose list no test had ever read."""
    # A route that takes the rest of a path for an id answers for a list that isn't served.
    assert served(sandbox, stream, stream.path).endswith(f"/{stream.path.rpartition('/')[2]}")
    if stream.single:
        assert served(sandbox, stream, stream.single.path)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.asset)
def test_a_declaration_brings_all_that_a_table_needs(stream: TableStream) -> None:
    """Incident: a table with an asset and without an erasure."""
    spec = next(one for one in defs.resolve_all_asset_specs() if one.key.to_user_string() == stream.asset)
    assert stream.about in (spec.description or "")
    platform = of_name(stream.platform)
    assert platform
    known = personal()[platform.in_ledger]
    assert stream.table in known.deleted
    assert not stream.address or stream.table in [one.table for one in known.buyers]
    keys = {
        one.to_user_string()
        for one in defs.resolve_job_def(f"{stream.platform}_tables").asset_layer.selected_asset_keys
    }
    assert stream.asset in keys
    # What names a person is named as such, and so reaches no column.
    assert not {one.key for one in stream.fields if one.kind != "address"} & set(stream.personal)
