"""The asset ``fx/rates``: off until an address is named; a server that fails changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
from sqlalchemy import func, select

from creator_pipeline.core.errors import DataError, RejectedError, TransientError
from creator_pipeline.definitions import defs
from creator_pipeline.fx.fetch import fetch
from creator_pipeline.orchestration import fx
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import fx_rates
from creator_pipeline_tests.support import paths

FILE = paths.FIXTURES / "fx" / "eurofxref-hist.zip"


class Bank(BaseHTTPRequestHandler):
    """Serves the file, and what servers say instead of it."""

    def do_GET(self) -> None:
        answers = {"/rates.zip": (200, FILE.read_bytes()), "/page": (200, b"<html>"), "/busy": (503, b"")}
        status, body = answers.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
        """Say nothing."""


@pytest.fixture
def bank() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Bank) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def count(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return connection.execute(select(func.count()).select_from(fx_rates)).scalar_one()


def test_rates_are_fetched_where_an_address_is_named(
    sqlite_warehouse: Warehouse, instance: dg.DagsterInstance, bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a green box that had fetched nothing."""
    job = defs.resolve_job_def("fx_rates")
    assert not job.execute_in_process(instance=instance).get_asset_materialization_events()
    assert count(sqlite_warehouse) == 0
    with dg.build_schedule_context(instance=instance) as context:
        assert isinstance(fx.fx_nightly(context), dg.SkipReason)
    monkeypatch.setenv("FX_URL", f"{bank}/rates.zip")
    (event,) = job.execute_in_process(instance=instance).get_asset_materialization_events()
    told = event.step_materialization_data.materialization.metadata
    assert told["newest"].value == "2026-10-30"
    assert count(sqlite_warehouse) == told["rates"].value > 80


def test_what_a_server_says_instead_is_named(bank: str) -> None:
    """Guards: a page of maintenance, taken for a day without rates."""
    with pytest.raises(TransientError, match="503"):
        fetch(f"{bank}/busy")
    with pytest.raises(RejectedError, match="404"):
        fetch(f"{bank}/gone")
    with pytest.raises(DataError, match="begin with Date"):
        fetch(f"{bank}/page")
    with pytest.raises(TransientError, match="can't be reached"):
        fetch("http://127.0.0.1:9/rates.zip")
