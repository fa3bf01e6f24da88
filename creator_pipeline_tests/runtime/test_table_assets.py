"""What every declared table has by itself, whatever its platform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from creator_pipeline.definitions import defs
from creator_pipeline.platforms import declared, of_name, personal
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline_tests.support.declared import served
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer

STREAMS = declared()


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


ONE_MORE = """
from creator_pipeline.platforms.gumroad import tables
from creator_pipeline.store.table_streams import Parents, TableStream, of_parent, text, whole

tables.STREAMS += (
    TableStream(
        platform="gumroad",
        name="files",
        about="A file of a product.",
        path="/v2/products/{product_id}/files",
        list_key="files",
        parents=Parents(tables._products(), ("product_id",), "gumroad/products"),
        scope="view_sales",
        fields=(text("id", "Gumroad's id of the file"), of_parent("product_id", "Of the product"), whole("size", "Bytes")),
    ),
)
"""
APPEARS = """
from datetime import date
from creator_pipeline import definitions, settings
from creator_pipeline.monitoring.installation_checks import flags
from creator_pipeline.platforms import personal
from creator_pipeline_tests.support.declared import served
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.tools import dictionary, tables_page

defs, (*_, stream) = definitions.build(), tables.STREAMS
(spec,) = [one for one in defs.resolve_all_asset_specs() if one.key.to_user_string() == "gumroad/files"]
assert (spec.group_name, bool(spec.owners), bool(spec.freshness_policy)) == ("gumroad", True, True)
assert [one.name for one in spec.metadata["dagster/column_schema"].columns][:4] == ["profile_id", "id", "product_id", "size"]
assert spec.partitions_def.name == "gumroad_profiles"
assert spec.key in defs.resolve_job_def("gumroad_tables").asset_layer.selected_asset_keys
assert [one for one in defs.resolve_asset_graph().asset_check_keys if one.asset_key == spec.key]
assert "| `gumroad/files` | `gumroad_files` | A file of a product. |" in tables_page.text()
assert "## gumroad_files" in dictionary.text()
line = {one.name: one for one in flags(settings.load())}["flag STREAMS"]
assert "gumroad/files" in line.detail, line
assert stream.table in personal()["gumroad"].deleted
with SandboxServer(World.invented(today=date(2026, 9, 20), sizes={"alice": 1}, whop_sizes={"alice": 1})) as server:
    assert not served(server, stream, stream.path).endswith("/files")
print("all of it")
"""


def test_ten_lines_are_a_table_and_the_rest_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a table that was declared in one place and forgotten in nine."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("STREAMS", "gumroad/reviews")
    # In a process of its own: a declaration is part of the warehouse's tables from then on.
    line = [sys.executable, "-W", "ignore", "-c", ONE_MORE + APPEARS]
    done = subprocess.run(line, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("all of it\n"), done.stderr
    assert len(ONE_MORE.strip().splitlines()) <= 15
