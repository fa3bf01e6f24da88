"""Cases of deploy/prometheus/rules.yml: figures at which each rule must fire, and alone; and the nearest at which none may.

``promtool test rules`` computes them; ``promtool_file`` writes its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LONGEST = {"ProblemsOpen": 1_500}
"""Minutes that a case needs until its rule fires; of the others two hours are enough."""
UP, NO_UP = 'up{job="creator_pipeline",instance="a:8088"}', 'up{job="another",instance="b:1"}'
HEALTHY: dict[str, str] = {
    UP: "1",
    "pipeline_open_problems_all{%}": "0",
    "pipeline_sensor_tick_age_seconds{%}": "30",
    'pipeline_runs{%,status="success"}': "100",
    'pipeline_sync_late_seconds{%,platform="gumroad",profile="alice"}': "0",
    "pipeline_oldest_webhook_seconds{%}": "0",
    'pipeline_outbox_age_seconds{%,status="queued"}': "0",
    'pipeline_connections{%,platform="gumroad",status="active"}': "3",
    'ingestion_jobs{%,status="dead"}': "0",
    "pipeline_disk_free_bytes{%}": "50",
    "pipeline_disk_bytes{%}": "100",
    "gateway_deliveries_waiting{%}": "0",
    'gateway_requests_total{%,route="/x",status="200"}': "0+1000x",
}
Figures = dict[str, str | None]
"""Series to its value, or to ``start+step``; None for a series that isn't there."""

_TICK, _PROBLEMS = "pipeline_sensor_tick_age_seconds{%}", "pipeline_open_problems_all{%}"
_FAILURE, _ERRORS = 'pipeline_runs{%,status="failure"}', 'gateway_requests_total{%,route="/x",status="503"}'
_DEAD, _WAITING = 'ingestion_jobs{%,status="dead"}', "gateway_deliveries_waiting{%}"
_LATE = 'pipeline_sync_late_seconds{%,platform="gumroad",profile="alice"}'
_JOB = 'ingestion_job_age_seconds{%,source="whop",kind="webhook"}'
_MAIL, _NOTICE = 'pipeline_outbox_age_seconds{%,status="queued"}', 'pipeline_alerts_age_seconds{%,channel="slack"}'
_REVOKED = 'pipeline_connections{%,platform="gumroad",status="revoked"}'
_FAILED = 'gateway_deliveries_total{%,provider="whop",outcome="failed"}'
CASES: dict[str, tuple[Figures, Figures]] = {
    # What of the gateway is gone when it is down is no second alarm.
    "GatewayDown": (dict.fromkeys(HEALTHY) | {UP: "0"}, {}),
    "NoGateway": (dict.fromkeys(HEALTHY) | {NO_UP: "1"}, {NO_UP: "0"}),
    "WarehouseDown": ({_PROBLEMS: None}, {}),
    "DaemonDown": ({_TICK: "601"}, {_TICK: "599"}),
    "DaemonNeverSeen": ({_TICK: None}, {}),
    "RunsFail": ({_FAILURE: "6"}, {_FAILURE: "5"}),
    "ProfileLate": ({_LATE: "1"}, {_LATE: "0"}),
    "WebhooksWait": (
        {"pipeline_oldest_webhook_seconds{%}": "901"},
        {"pipeline_oldest_webhook_seconds{%}": "899"},
    ),
    "JobsWait": ({_JOB: "7201"}, {_JOB: "7199"}),
    "JobsDead": ({_DEAD: "1"}, {_DEAD: "0"}),
    "MailsWait": ({_MAIL: "3601"}, {_MAIL: "3599"}),
    "NoticesWait": ({_NOTICE: "3601"}, {_NOTICE: "3599"}),
    "ConnectionRefused": ({_REVOKED: "1"}, {_REVOKED: "0"}),
    "ProblemsOpen": ({_PROBLEMS: "1"}, {_PROBLEMS: "0"}),
    "DeliveriesLost": ({_FAILED: "0+1x"}, {_FAILED: "7"}),
    "DeliveriesPile": ({_WAITING: "1001"}, {_WAITING: "1000"}),
    "GatewayErrors": ({_ERRORS: "0+11x"}, {_ERRORS: "0+9x"}),
    "DiskNearlyFull": ({"pipeline_disk_free_bytes{%}": "9"}, {"pipeline_disk_free_bytes{%}": "10"}),
}


def promtool_file(rules: Path) -> str:
    """The file of ``promtool test rules`` with all cases.

    Args:
        rules: the rules' path, as promtool shall find it.
    """
    tests: list[dict[str, Any]] = []
    for name, (fires, quiet) in CASES.items():
        minutes = LONGEST.get(name, 120)
        tests += [_case(f"{name} fires", fires, [name], minutes), _case(f"{name} is quiet", quiet, [], minutes)]
    return yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests})


def _case(title: str, figures: Figures, fired: list[str], minutes: int) -> dict[str, Any]:
    series = {name: value for name, value in (HEALTHY | figures).items() if value is not None}
    return {
        "name": title,
        "interval": "1m",
        "input_series": [
            {
                "series": name.replace("%", 'job="creator_pipeline",instance="a:8088"'),
                "values": f"{value}{minutes}" if value.endswith("x") else f"{value}+0x{minutes}",
            }
            for name, value in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minutes - 10}m",
                "exp_samples": [{"labels": f'{{alertname="{one}"}}', "value": 1} for one in fired],
            }
        ],
    }
