"""What grows with the number of profiles and days, and what breaks first: ``python benchmarks/growth.py``.

Installations of 10, 100 and 1,000 profiles whose 1,000 days have all landed (see ``growth_fill.py``), on PostgreSQL.
For each, in seconds: evaluating the nightly schedule, and the daemon's submitting of its runs; a tick of each sensor;
the queries that Dagster's asset page makes of a real ``dagster-webserver``, first and again; loading the code location.
And the sizes: Dagster's storage as filled, what a nightly run adds to it, and what a sale takes in the warehouse.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from creator_pipeline_tests.support.code_location import schedule_named

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dagster as dg
import httpx
from dagster._core.scheduler.instigation import InstigatorType, ScheduleInstigatorData
from growth_fill import DAYS, Installation

from creator_pipeline.core.windows import now
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline_tests.support import servers

SUBMIT_SECONDS = 60.0
"""The submitting of runs is watched so long; the rest is reckoned from it."""
STATUSES = """
... on TimePartitionStatuses { ranges { status startTime endTime startKey endKey } }
... on DefaultPartitionStatuses { materializedPartitions materializingPartitions failedPartitions }
"""
HEALTH = f"""query PartitionHealthQuery($assetKey: AssetKeyInput!) {{ assetNodeOrError(assetKey: $assetKey) {{
  ... on AssetNode {{ id partitionKeysByDimension {{ name type partitionKeys }} assetPartitionStatuses {{ {STATUSES}
    ... on MultiPartitionStatuses {{ primaryDimensionName ranges {{ primaryDimStartKey primaryDimEndKey
      primaryDimStartTime primaryDimEndTime secondaryDim {{ {STATUSES} }} }} }} }} }} }} }}"""
LIVE = """query AssetGraphLiveQuery($assetKeys: [AssetKeyInput!]!) {
  assetNodes(assetKeys: $assetKeys, loadMaterializations: true) { id opNames repository { id } assetKey { path }
    assetMaterializations(limit: 1) { timestamp runId stepKey } assetObservations(limit: 1) { timestamp runId stepKey }
    partitionStats { numMaterialized numMaterializing numPartitions numFailed } }
  assetsLatestInfo(assetKeys: $assetKeys) { id unstartedRunIds inProgressRunIds
    latestRun { id status startTime endTime } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "creator_pipeline") { __typename } }"""
KEY = {"path": ["gumroad", "sales"]}


def seconds(action: Callable[[], object]) -> float:
    """Of one call."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def evaluate(definition: Any, place: Installation, name: str) -> str:
    """Seconds of a tick, or what it raises."""
    from creator_pipeline.definitions import defs

    repository, resources = defs.get_repository_def(), {"warehouse": WarehouseResource()}
    if isinstance(definition, dg.ScheduleDefinition):
        context: Any = dg.build_schedule_context(
            place.instance, resources=resources, repository_def=repository, scheduled_execution_time=now()
        )
    else:
        context = dg.build_sensor_context(
            place.instance, resources=resources, repository_def=repository, sensor_name=name
        )
    began = time.monotonic()
    with context:
        try:
            definition.evaluate_tick(context)
        except Exception as error:  # noqa: BLE001 - that it fails is a result too
            return type(error).__name__
    return f"{time.monotonic() - began:.2f}"


@contextmanager
def process(place: Installation, *words: str) -> Iterator[None]:
    """One of Dagster's."""
    with (place.home / f"{words[0].strip('.')}.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=place.home, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)


def wait_for_webserver(ui: httpx.Client, url: str) -> None:
    """Return once Dagster's webserver answers."""
    while True:
        try:
            ui.get(f"{url}/server_info")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


def page(place: Installation, when: str) -> dict[str, str]:
    """The asset page's queries to a webserver of its own: first, again, and how large the answer is.

    Args:
        place: whose page.
        when: of the look, for the names of the figures.
    """
    port, found = servers.free_port(), dict[str, str]()
    began = time.monotonic()
    words = ["-p", str(port), "-w", "workspace.yaml", "--db-statement-timeout", str(place.statement_ms)]
    with process(place, "dagster_webserver", *words), httpx.Client(timeout=600) as ui:
        url = f"http://127.0.0.1:{port}"
        wait_for_webserver(ui, url)
        found[f"webserver with code location up{when}"] = f"{time.monotonic() - began:.1f}"

        def ask(query: str, variables: dict[str, Any]) -> int:
            answer = ui.post(f"{url}/graphql", json={"query": query, "variables": variables})
            if "errors" in answer.json():
                raise LookupError("timeout" if "statement timeout" in answer.text else answer.text[:2000])
            return len(answer.content)

        for name, query, variables in (
            (f"page{when}: partition health", HEALTH, {"assetKey": KEY}),
            (f"page{when}: live data", LIVE, {"assetKeys": [KEY]}),
        ):
            size = 0
            for turn in ("first", "again"):
                began = time.monotonic()
                try:
                    size = ask(query, variables)
                    found[f"{name}, {turn}"] = f"{time.monotonic() - began:.2f}"
                except LookupError as error:
                    found[f"{name}, {turn}"] = str(error)
            found[f"{name}, kB"] = f"{size / 1000:.0f}"
        found[f"reload of the code location{when}"] = f"{seconds(lambda: ask(RELOAD, {})):.1f}"
    return found


def statuses(place: Installation) -> None:
    """What the job ``retention`` reads of the assets' partitions."""
    from creator_pipeline.orchestration.asset_pages import read_statuses
    from creator_pipeline.platforms import PLATFORMS

    read_statuses(place.instance, (asset for one in PLATFORMS for asset in one.dagster.get().assets))


def submit(place: Installation) -> str:
    """Seconds from the daemon's tick to the last run in the queue."""
    switch = [sys.executable, "-m", "dagster", "schedule", "start", "gumroad_nightly", "-w", "workspace.yaml"]
    subprocess.run(switch, cwd=place.home, check=True, capture_output=True)
    for state in place.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name == "gumroad_nightly" and state.instigator_data:
            since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
            cron = state.instigator_data.cron_schedule
            place.instance.update_instigator_state(state.with_data(ScheduleInstigatorData(cron, since)))
    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags={"creator_pipeline/trigger": "nightly"})
    with process(place, "dagster._daemon", "run", "-w", "workspace.yaml"):
        while not (first := place.instance.get_runs_count(queued)):
            time.sleep(0.1)
        began = time.monotonic()
        while (count := place.instance.get_runs_count(queued)) < len(place.names):
            if time.monotonic() - began > SUBMIT_SECONDS:
                break
            time.sleep(0.1)
        each = (time.monotonic() - began) / max(1, count - first)
    return f"{each * len(place.names):.0f}" + ("" if count == len(place.names) else f" (of {count})")


def measure(folder: Path, count: int, statement_ms: int) -> dict[str, str]:
    """All figures of one size, in the order of the table."""
    from creator_pipeline.definitions import defs
    from creator_pipeline.monitoring import health, health_sensor

    began = time.monotonic()
    place = Installation(folder, count)
    place.statement_ms = statement_ms
    try:
        found = {
            "partitions of gumroad/sales": f"{count * DAYS:,}",
            "filling it (by SQL)": f"{time.monotonic() - began:.0f}",
            "rows of the event log": f"{place.rows():,}",
            "Dagster's storage, MB": f"{place.size('dagster') / 1e6:,.0f}",
            "a profile's night adds, kB": f"{place.bytes_of_night / 1e3:.0f}",
            "a sale in the warehouse, kB": f"{place.bytes_of_sale / 1e3:.1f}",
            "nightly schedule, evaluated": evaluate(schedule_named("gumroad_nightly"), place, ""),
        }
        for sensor in sorted(defs.get_repository_def().sensor_defs, key=lambda one: one.name):
            found[f"sensor {sensor.name}"] = evaluate(sensor, place, sensor.name)
        # What is fast must still be true: the one day that was left failed is found.
        problems = {str(row["id"]) for row in health.open_problems(place.warehouse)}
        assert f"partitions/gumroad/{place.names[-1]}" in problems, problems
        found["sensor pipeline_health, again"] = evaluate(health_sensor.pipeline_health, place, "pipeline_health")
        found |= page(place, ", never seen")
        # As the job `retention` leaves it, after what it has kept is gone once more.
        place.forget_statuses()
        found["statuses read at night, the first time"] = f"{seconds(lambda: statuses(place)):.1f}"
        found["statuses read at night, again"] = f"{seconds(lambda: statuses(place)):.1f}"
        found |= page(place, ", after a night")
        found["nightly runs submitted"] = submit(place)
        return found
    finally:
        place.close()


def main() -> None:
    """One column for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 profiles")
    parser.add_argument("--profiles", type=int, nargs="*", default=[10, 100, 1_000])
    parser.add_argument(
        "--statement-ms", type=int, default=15_000, help="the webserver's limit; 15,000 is Dagster's own"
    )
    options = parser.parse_args()
    sizes = [20] if options.quick else options.profiles
    logging.disable(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="growth_"))
    try:
        columns: list[dict[str, str]] = []
        for count in sizes:
            columns.append(measure(folder, count, options.statement_ms))
            for name, value in columns[-1].items():
                print(f"  {name:<44}{value:>14}", file=sys.stderr)
            print(f"{count} profiles measured, load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        print(f"{'seconds, where no unit is named':<44}" + "".join(f"{count:>14,}" for count in sizes))
        for name in columns[-1]:
            print(f"{name:<44}" + "".join(f"{column.get(name, ''):>14}" for column in columns))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
