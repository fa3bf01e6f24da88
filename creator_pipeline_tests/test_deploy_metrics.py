"""Alert rules, the dashboard and /metrics name the same series. What they compute is the drill's: ``drills.metrics``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import alert_rules, exposed_metrics
from creator_pipeline_tests.support.exposed_metrics import asked, panels, rules
from creator_pipeline_tests.support.paths import ROOT


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    warehouse = open_warehouse(f"sqlite:///{tmp_path / 'w.sqlite'}")
    found = exposed_metrics.labels(exposed_metrics.text(warehouse, monkeypatch))
    warehouse.engine.dispose()
    return found


def test_rules_and_dashboard_ask_for_nothing_but_what_is_told(told: dict[str, set[str]]) -> None:
    """Guards: a rule on a figure that was renamed: it never fires, and nobody misses it."""
    expressions = [rule["expr"] for rule in rules().values()]
    expressions += [one for each in panels().values() for one in each]
    series = [one for each in expressions for one in asked(each)]
    assert {name for name, _ in series} <= told.keys()
    assert [(name, labels - told[name]) for name, labels in series if not labels <= told[name]] == []
    # The other way round: a figure that neither of them shows is looked at by nobody.
    histogram = {"gateway_request_seconds_count", "gateway_request_seconds_sum"}
    created = {name for name in told if name.endswith("_created")}
    assert told.keys() - created - histogram - {name for name, _ in series} == set()


def test_the_names_of_an_expression_are_found() -> None:
    """Guards: a comparison that finds nothing to compare."""
    found = dict(
        asked('sum by (a, le) (rate(x_total{b!="sum(y)",c=~"d|e"}[5m])) / on (f) up > 0.01 * min(z) or vector(0)')
    )
    assert found == {"x_total": {"a", "b", "c", "f"}, "up": {"a", "f"}, "z": {"a", "f"}}


def test_labels_in_words_are_those_of_the_rule(told: dict[str, set[str]]) -> None:
    """Guards: "late: of" in the message, because the rule sums the profile away."""
    for name, rule in rules().items():
        named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = re.search(r"\bby \(([^)]*)\)", rule["expr"])
        by = {word.strip() for word in kept.group(1).split(",")} if kept else told["up"]
        assert named <= by, name
        assert rule["annotations"].keys() == {"summary", "hint"}, name
        assert rule["labels"]["severity"] in {"critical", "warning"}, name


def test_every_rule_has_its_cases_and_its_line_in_the_docs() -> None:
    """Guards: a rule that was never seen to fire, and an alarm whose name leads nowhere."""
    assert rules().keys() == alert_rules.CASES.keys()
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page.partition("## Worth an alarm")[2], flags=re.MULTILINE)
    assert set(listed) == rules().keys()


def test_the_dashboard_finds_its_datasource_and_the_scrape_its_rules() -> None:
    """Guards: twenty panels that say "datasource not found"."""
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8"))
    uids = set(re.findall(r'"uid": "(creator_pipeline[^"]*)"', exposed_metrics.DASHBOARD.read_text(encoding="utf-8")))
    assert uids == {one["uid"] for one in provisioned["datasources"]}
    scrape = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert scrape["rule_files"] == [exposed_metrics.RULES.name]
    assert [one["job_name"] for one in scrape["scrape_configs"]] == ["creator_pipeline"]
    ids = re.findall(r'^   "id": (\d+)', exposed_metrics.DASHBOARD.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(ids) == len(set(ids))
