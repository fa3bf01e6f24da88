"""What ``/metrics`` tells, with its labels; and what rules and dashboards ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from creator_pipeline.gateway import pipeline_metrics
from creator_pipeline.gateway.metrics import Metrics
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages, health_reports, platform_connections
from creator_pipeline_tests.support.filling import fill
from creator_pipeline_tests.support.paths import ROOT

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
OF_PROMETHEUS = {"up": {"instance", "job"}}
"""Written by Prometheus itself for each target."""
OF_TARGET = {"instance", "job"}
"""Labels that every series has."""
_WORDS = frozenset(
    [
        "sum",
        "max",
        "min",
        "count",
        "topk",
        "rate",
        "absent",
        "histogram_quantile",
        "vector",
        "and",
        "or",
        "unless",
        "by",
        "on",
        "without",
        "ignoring",
        "bool",
    ]
)
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_SERIES = re.compile(r"\b([a-z_:][a-z0-9_:]*)\s*(?:\{([^}]*)\})?")


def text(warehouse: Warehouse, monkeypatch: Any) -> str:
    """``/metrics`` of a gateway that has seen something of everything.

    Args:
        warehouse: empty; gets a row of everything.
        monkeypatch: of pytest; stands in for Dagster's storage.
    """
    moment = datetime.now(UTC)
    monkeypatch.setattr(pipeline_metrics, "last_sensor_tick", lambda _: moment)
    monkeypatch.setattr(pipeline_metrics, "runs_of_a_day", lambda *_: {"SUCCESS": 3, "FAILURE": 1})
    with warehouse.write() as connection:
        fill(connection, "alice")
        ages = {"fresh_at": moment - timedelta(days=2), "expected_by": moment - timedelta(days=1)}
        connection.execute(update(platform_connections).values(ages))
        connection.execute(update(health_reports).values(resolved_at=None))
        connection.execute(update(alert_messages).values(status="queued", channel="slack", id="a"))
        row = dict.fromkeys(("kind", "payload"), "x") | {"attempts": 0, "created_at": moment, "next_attempt_at": moment}
        connection.execute(insert(alert_messages).values(row | {"id": "b", "channel": "json", "status": "sending"}))
    made = Metrics(
        lambda: {"queued": 1, "dead": 0},
        lambda: {("gumroad", "webhook"): 1.0},
        lambda: 0,
        lambda: {"customers": {"hits": 1, "misses": 1}},
        pipeline_metrics.PipelineCollector(warehouse, Settings(dagster_home=Path.cwd())),
    )
    made.request("GET", "/", 200, 0.1)
    made.delivery("whop", "stored")
    return made.text().decode()


def labels(told: str) -> dict[str, set[str]]:
    """Names of series to their labels."""
    samples = (one for family in text_string_to_metric_families(told) for one in family.samples)
    return {one.name: {*one.labels, *OF_TARGET} for one in samples} | OF_PROMETHEUS


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The series that an expression of PromQL names, each with the labels that it, or a grouping anywhere, names."""
    bare = _TEXT.sub('""', expression).replace("$__rate_interval", "5m")
    grouped = {word.strip() for group in _GROUPING.findall(bare) for word in group.split(",")} - {""}
    for name, matchers in _SERIES.findall(re.sub(r"\[[^\]]*\]", "", _GROUPING.sub(" ", bare))):
        if name not in _WORDS:
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) | (grouped - {"le"})


def rules() -> dict[str, dict[str, Any]]:
    """Alert rules by name."""
    found = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in found["groups"] for rule in group["rules"]}


def panels() -> dict[str, list[str]]:
    """Expressions of the dashboard's panels, by title."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return {one["title"]: [each["expr"] for each in one["targets"]] for one in board["panels"] if one["type"] != "row"}
