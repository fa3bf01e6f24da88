"""What leaves a run and a gateway that fail: to Sentry, and as JSON lines; neither a secret nor a buyer is in it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from creator_pipeline_tests.support.paths import ROOT

SCRIPT = """
import dagster as dg
from starlette.testclient import TestClient

from creator_pipeline import settings
from creator_pipeline.core.errors import DataError
from creator_pipeline.definitions import defs
from creator_pipeline.gateway.app import create_app


@dg.op
def foreign(context):
    context.log.info("reading of buyer@example.com with token=hunter2secret")
    raise ValueError("Key (email)=(buyer@example.com), hunter2secret")


@dg.op
def own():
    raise DataError("A sale has no usable price.")


@dg.asset(key=["gumroad", "sales"])
def sales():
    return dg.MaterializeResult(metadata={"api_requests": 3, "dagster/partition_row_count": 7})


@dg.job
def gumroad_broken():
    foreign(), own()


with dg.DagsterInstance.get() as instance:
    gumroad_broken.execute_in_process(
        instance=instance, raise_on_error=False, tags={"creator_pipeline/profile": "alice"}
    )
    dg.materialize([sales], instance=instance)


def bad():
    raise RuntimeError("hunter2secret of buyer@example.com")


app = create_app(settings.load())
app.add_api_route("/bad/{secret}", bad)
TestClient(app, raise_server_exceptions=False).get("/bad/hunter2secret?email=buyer@example.com")
"""


class Sentry(BaseHTTPRequestHandler):
    """Takes envelopes."""

    taken: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((gzip.decompress(body) if self.headers.get("Content-Encoding") else body).decode())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[str]]]:
    taken = list[str]()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("_", (Sentry,), {"taken": taken})) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", taken
        server.shutdown()
        thread.join()


def test_what_fails_is_told_once_with_its_place_and_without_what_it_held(
    sentry: tuple[str, list[str]], tmp_path: Path
) -> None:
    """Guards: reports that were switched on and never came, came four times each, or brought a buyer's address along."""
    dsn, taken = sentry
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"SENTRY_DSN": dsn, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    events = [json.loads(line) for envelope in taken for line in envelope.splitlines() if '"level":' in line]
    told = [(event["message"], event["exception"]["values"][-1]) for event in events]
    assert [(message, error["type"], error["value"]) for message, error in told] == [
        ('Execution of step "foreign" failed.', "ValueError", ""),
        ('Execution of step "own" failed.', "DataError", "A sale has no usable price."),
        ("A request failed", "RuntimeError", ""),
    ]
    assert [error["stacktrace"]["frames"][-1]["function"] for _, error in told] == ["foreign", "own", "bad"]
    assert {name: events[0]["tags"][name] for name in ("job_name", "profile")} == {
        "job_name": "gumroad_broken",
        "profile": "alice",
    }
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(line["job"], line.get("source"), line.get("profile")) for line in lines if "event" in line} == {
        ("gumroad_broken", "gumroad", "alice"),
        ("__ephemeral_asset_job__", "gumroad", None),
        ("__ephemeral_asset_job__", None, None),
    }
    assert all(line["run_id"] for line in lines)
    [landed] = [line for line in lines if line.get("event") == "ASSET_MATERIALIZATION"]
    assert (landed["asset"], landed["rows"], landed["api_requests"]) == ("gumroad/sales", 7, 3)
    assert "reading of [address] with token=***" in {line.get("message") for line in lines}
    for secret in ("hunter2secret", "buyer@"):
        assert secret not in done.stdout
        assert secret not in "".join(taken)
