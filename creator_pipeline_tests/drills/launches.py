"""The same assets launched in every way there is, once to succeed and once to fail: who gets which mail?

``python -m creator_pipeline_tests.drills.launches`` starts the whole system, launches by UI, schedule, sensors,
backfill and commands, waits for the sandbox's inbox, and prints a line for each; exit 1 where a mail is missing, or
one too many.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad.sandbox.pings import encode, sale_payload
from creator_pipeline.platforms.gumroad.subscriptions import post_url
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline_tests.drills.common import begin, owner_mails
from creator_pipeline_tests.faults.system import System
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import World

ASSETS = ["gumroad/sales", "sales_events/gumroad"]
SELECTION = [{"path": asset.split("/")} for asset in ASSETS]
DAYS = [today() - timedelta(days=back) for back in (2, 1, 0)]
LOCATION = {"repositoryLocationName": "creator_pipeline", "repositoryName": "__repository__"}

TOLD = ({"ingestion_completed": 1}, {"ingestion_failed": 1})
DIGEST = ({"backfill_finished": 1}, {"backfill_failed": 1})
QUIET = ({}, {"ingestion_failed": 1})

Launch = Callable[[System, str], None]


@dataclass(frozen=True)
class Way:
    """One way to launch; ``mails`` are the kinds that a success and a failure give rise to."""

    name: str
    launch: Launch | None
    mails: tuple[dict[str, int], dict[str, int]]


def keys(profile: str) -> list[str]:
    """Partitions of a profile's last days."""
    return [f"{day}|{profile}" for day in DAYS]


def graphql(system: System, query: str, **variables: Any) -> dict[str, Any]:
    """One call, as the UI's own buttons make them."""
    answer = local_http.post(
        f"http://127.0.0.1:{system.ports['webserver']}/graphql",
        json={"query": query, "variables": variables},
        timeout=60,
    ).json()
    assert "errors" not in answer, answer
    (result,) = answer["data"].values()
    assert result["__typename"] in {"LaunchRunSuccess", "LaunchBackfillSuccess", "ScheduleStateResult"}, result
    return result


RUN = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on PythonError { message } ... on PipelineNotFoundError { message } } }"""
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on PythonError { message } ... on PartitionSetNotFoundError { message } } }"""
SCHEDULE = """mutation ($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
  __typename ... on PythonError { message } } }"""


def by_button(system: System, profile: str) -> None:
    """Materialize, one partition."""
    day = str(DAYS[-1])
    tags = {
        "dagster/partition": f"{day}|{profile}",
        "dagster/partition/date": day,
        "dagster/partition/profile": profile,
    }
    graphql(
        system,
        RUN,
        params={
            "selector": {
                **LOCATION,
                "pipelineName": "__ASSET_JOB",
                "assetSelection": SELECTION,
                "assetCheckSelection": [],
            },
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        },
    )


def by_backfill(system: System, profile: str) -> None:
    """Materialize, several partitions."""
    graphql(system, BACKFILL, params={"partitionNames": keys(profile), "assetSelection": SELECTION, "tags": []})


def by_connecting(system: System, profile: str) -> None:
    """What the end of OAuth puts into the queue; the sensor ``webhook_jobs`` launches it."""
    span = {"from": str(DAYS[0]), "to": str(DAYS[-1] + timedelta(days=1))}
    JobQueue(system.warehouse, None).enqueue(profile, "gumroad", "initial_sync", span)


def by_webhook(system: System, profile: str) -> None:
    """A sale's ping."""
    part, secret = system.sandbox.world.gumroad, system.secrets["GUMROAD_WEBHOOK_SECRET"]
    body = encode(sale_payload(part[profile], part.add_sale(profile), "sale"))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    # Gumroad itself sends nothing once the scope is gone; what it sent before may arrive after.
    assert (
        local_http.post(post_url(system.gateway_url, secret, profile), content=body, headers=headers).status_code == 202
    )


def command(*words: str) -> Launch:
    """A command of a person's; ``{profile}`` and the days are filled in."""

    def launch(system: System, profile: str) -> None:
        given = {"profile": profile, "first": DAYS[0], "last": DAYS[-1], "some": ",".join(keys(profile)[:2])}
        system.run(*(word.format(**given) for word in words))

    return launch


MODULE = ("-m", "creator_pipeline.definitions")
WORKSPACE = ("-w", "workspace.yaml", "-l", "creator_pipeline")
RANGE = ("--partition-range", "{first}|{profile}...{last}|{profile}")
CLI = ("creator-pipeline", "backfill", "gumroad", "--profile", "{profile}", "--from", "{first}", "--to", "{last}")
WAYS = [
    Way("schedule gumroad_nightly", None, TOLD),
    Way("UI, Materialize one partition", by_button, TOLD),
    Way("UI, Materialize several (backfill)", by_backfill, DIGEST),
    Way("sensor webhook_jobs, first sync", by_connecting, TOLD),
    Way("sensor webhook_jobs, a ping", by_webhook, QUIET),
    Way("creator-pipeline backfill", command(*CLI), DIGEST),
    Way("creator-pipeline backfill --submit", command(*CLI, "--submit"), DIGEST),
    Way(
        "dagster asset materialize",
        command("dagster", "asset", "materialize", *MODULE, "--select", ",".join(ASSETS), *RANGE),
        TOLD,
    ),
    Way("dg launch", command("dg", "launch", *MODULE, "--assets", ",".join(ASSETS), *RANGE), TOLD),
    Way(
        "dagster job backfill, two partitions",
        command("dagster", "job", "backfill", *WORKSPACE, "-j", "gumroad_sync", "--noprompt", "--partitions", "{some}"),
        DIGEST,
    ),
    Way(
        "dagster job launch",
        command(
            "dagster",
            "job",
            "launch",
            *WORKSPACE,
            "-j",
            "gumroad_sync",
            "--tags",
            '{{"dagster/partition": "{last}|{profile}"}}',
        ),
        TOLD,
    ),
]


def names(way: int) -> tuple[str, str]:
    """The profiles of a way: of its success, and of its failure."""
    return f"good{way}", f"bad{way}"


def connect(system: System, *profiles: str) -> None:
    """Profiles that want every mail; those that fail lack a scope."""
    system.add_profiles(*profiles)
    for profile in profiles:
        run_sql(system, f"UPDATE profiles SET notify = 'every', email = '{profile}@example.com' WHERE id = '{profile}'")
        if profile.startswith("bad"):
            system.sandbox.world.gumroad.drop_scope(profile, "view_sales")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("gumroad_profiles", list(profiles))


def run_sql(system: System, statement: str) -> None:
    """A change of the warehouse."""
    with system.warehouse.write() as connection:
        connection.exec_driver_sql(statement)


def nightly(system: System) -> None:
    """Switch the schedule on as the UI does, a day ago: the daemon finds the night's tick missed and makes it good."""
    system.stop("daemon")
    graphql(system, SCHEDULE, selector={**LOCATION, "scheduleName": "gumroad_nightly"})
    with dg.DagsterInstance.get() as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.instigator_name == "gumroad_nightly"]
        data = state.instigator_data
        assert isinstance(data, ScheduleInstigatorData)
        instance.update_instigator_state(
            state.with_data(ScheduleInstigatorData(data.cron_schedule, start_timestamp=time.time() - 86_400))
        )
    system.start("daemon")
    deadline = time.monotonic() + 90
    while not system.ask("SELECT 1 FROM runs WHERE pipeline_name = 'gumroad_sync'", "dagster"):
        assert time.monotonic() < deadline, "The schedule did not tick."
        time.sleep(0.5)


def main() -> int:
    """Everything; returns the exit code."""
    sizes = {name: 6 for way in range(len(WAYS)) for name in names(way)}
    with System(World.invented(7, today=today(), sizes=sizes, days=3)) as system:
        os.environ |= system.environment()
        begin(system)
        connect(system, *names(0))
        nightly(system)
        system.wait_until_quiet(180)
        connect(system, *(name for way in range(1, len(WAYS)) for name in names(way)))
        for number, way in enumerate(WAYS):
            for profile in names(number) if way.launch else ():
                assert way.launch is not None
                way.launch(system, profile)
        # The run sensors look every five seconds; a mail too many would come within two of their looks.
        system.wait_until_quiet(400, steady=15)
        return show(system)


def show(system: System) -> int:
    """The table; returns the exit code."""
    wrong = 0
    mails = owner_mails(system)
    print(f"\n{'launched by':38}{'outcome':9}{'mails':60}as expected")
    for number, way in enumerate(WAYS):
        for profile, outcome, expected in zip(names(number), ("success", "failure"), way.mails, strict=True):
            found = mails.get(profile, Counter())
            wrong += found != expected
            text = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in sorted(found.items()))
            print(f"{way.name:38}{outcome:9}{text or 'none':60}{'yes' if found == expected else f'NO: {expected}'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
