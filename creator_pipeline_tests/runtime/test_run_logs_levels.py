"""Lines of runs say how bad it is."""

import json
from pathlib import Path

import dagster as dg
import pytest

from creator_pipeline.runtime import run_logs


@dg.asset(
    check_specs=[
        dg.AssetCheckSpec("fine", asset="rows"),
        *(dg.AssetCheckSpec(one, asset="rows") for one in ("odd", "bad")),
    ]
)
def rows(context: dg.AssetExecutionContext):
    """An asset with a check of each kind."""
    context.log.warning("look out")
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=True, check_name="fine")
    yield dg.AssetCheckResult(passed=False, check_name="odd", severity=dg.AssetCheckSeverity.WARN)
    yield dg.AssetCheckResult(passed=False, check_name="bad")


@dg.asset(deps=[rows])
def broken() -> None:
    """An asset that fails."""
    raise ValueError("no")


def test_a_failed_check_is_no_debug_line_and_the_stream_is_json_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: an alert on `error` that never rang, as each failed check and each failed run was `debug`."""
    monkeypatch.setattr(run_logs.RunLines, "muted", False)
    config = {
        "python_logs": {
            "dagster_handler_config": {
                "handlers": {"runs": {"class": f"{run_logs.__name__}.RunLines", "level": "DEBUG"}}
            }
        }
    }
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=config) as instance:
        defs = dg.Definitions([rows, broken])
        job = defs.resolve_implicit_global_asset_job_def()
        assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    levels = {line.get("check") or line.get("event") or line["message"]: line["level"] for line in lines}
    assert levels == {
        "PIPELINE_START": "info",
        "look out": "warning",
        "ASSET_MATERIALIZATION": "info",
        "odd": "warning",
        "bad": "error",
        "STEP_FAILURE": "error",
        "PIPELINE_FAILURE": "error",
    }
