"""One iteration of the worker: what the sensors ask for is put into a folder, and a forked process does each run."""

from __future__ import annotations

import importlib
import os
import traceback
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import orjson

from creator_pipeline import settings
from creator_pipeline.definitions import defs
from creator_pipeline.mail import outbox
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.kdp.sensor import kdp_inbox
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.profiles import connected
from creator_pipeline_tests.support import quick_instances
from creator_pipeline_tests.support.code_location import sensor_named

JOBS = ("gumroad_refresh", "gumroad_sync", "whop_refresh", "whop_sync", "whop_changes", "kdp_ingest", "ledger")
"""What a system runs."""
RETRIES = 2
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="nothing")])
def nothing():
    """Lands, and has a check."""
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


def warm_up() -> None:
    """Do a run in this process: what Dagster imports and compiles in it, each fork would import and compile."""
    for name in ("cryptography.fernet", "css_inline", "itsdangerous", "pycurl", "upath.implementations.local"):
        importlib.import_module(name)
    for name in JOBS:
        defs.resolve_job_def(name)
    dg.materialize([nothing], instance=instance(), run_config=_QUIET)


@cache
def instance() -> dg.DagsterInstance:
    """Of this process and its forks: in memory."""
    quick_instances.make_cheaper()
    return ExitStack().enter_context(dg.DagsterInstance.ephemeral())


def work_once(instance: dg.DagsterInstance) -> None:
    """Look once, and do what there is to do."""
    folder = Path("requests")
    folder.mkdir(exist_ok=True)
    _ask(instance, folder, sensor_named("webhook_jobs"), "")
    cursor = Path("kdp_cursor")
    _ask(instance, folder, kdp_inbox, cursor.read_text() if cursor.exists() else "", cursor)
    for file in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
        _do(instance, file)
    config = settings.load()
    outbox.flush(open_warehouse(config.warehouse_url), config, limit=20)


def _ask(instance: dg.DagsterInstance, folder: Path, sensor: Any, cursor: str, keep: Path | None = None) -> None:
    context = dg.build_sensor_context(instance=instance, cursor=cursor or None, definitions=defs)
    found: Any = sensor(context, warehouse=WarehouseResource())
    for request in found.run_requests or []:
        name = f"{sensor.name}-{uuid4().hex}.json"
        wish = {
            "job": request.job_name or "kdp_ingest",
            "partition": request.partition_key,
            "tags": dict(request.tags),
            "config": dict(request.run_config or {}),
            "tries": 0,
        }
        _write(folder / name, orjson.dumps(wish))
    if keep is not None:
        # After the requests, as the sensor daemon does it: killed in between, they are made once more.
        _write(keep, (found.cursor or "").encode())


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def _do(instance: dg.DagsterInstance, file: Path) -> None:
    wish = orjson.loads(file.read_bytes())
    if wish["partition"]:
        instance.add_dynamic_partitions("kdp_uploads", [wish["partition"]])
    warehouse = open_warehouse(settings.load().warehouse_url)
    for platform in PLATFORMS:
        if platform.connects:
            instance.add_dynamic_partitions(platform.partitions, connected(warehouse, platform.in_ledger))
    pid = os.fork()
    if pid == 0:
        _be_run(instance, wish)
    _, status = os.waitpid(pid, 0)
    # A run that failed is over, and what it was handed is given back; one that was killed is run again.
    if not os.WIFSIGNALED(status) or wish["tries"] == RETRIES:
        file.unlink()
    else:
        _write(file, orjson.dumps({**wish, "tries": wish["tries"] + 1}))


def _be_run(instance: dg.DagsterInstance, wish: dict[str, Any]) -> None:
    code = 1
    try:
        # Connections belong to the parent.
        open_warehouse(settings.load().warehouse_url).engine.dispose(close=False)
        result = defs.resolve_job_def(wish["job"]).execute_in_process(
            instance=instance,
            tags=wish["tags"],
            run_config={**_QUIET, **wish["config"]},
            partition_key=wish["partition"],
            raise_on_error=False,
        )
        code = 0 if result.success else 3
    except BaseException:  # noqa: BLE001 - this process must not go on as a second worker
        traceback.print_exc()
    finally:
        os._exit(code)
