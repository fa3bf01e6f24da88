"""Jobs for one profile without partitions: what webhooks name, and what is looked for in the past."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime import step_checks
from creator_pipeline.runtime.keys import own_tags
from creator_pipeline.runtime.outcome import RETRY, Outcome
from creator_pipeline.runtime.queue_jobs import ClaimedJobs, process_jobs
from creator_pipeline.runtime.refused_tokens import noting_refusals
from creator_pipeline.runtime.resources import PlatformResource, opened
from creator_pipeline.runtime.step_checks import Tally
from creator_pipeline.runtime.streams import DailyStream, Landed, Snapshot, SnapshotStream, Usage, some_days
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change
from creator_pipeline.store.source import Source


class ProfileConfig(dg.Config):
    """Whose account."""

    profile_id: str = Field(description="Whose account is read, as in creator-pipeline profiles list.")


@dataclass(frozen=True, slots=True)
class Work:
    """What a job of one profile works with.

    Attributes:
        resource: the platform's.
        outcome: logs partitions as they land.
    """

    context: dg.OpExecutionContext
    warehouse: Warehouse
    resource: Any
    profile_id: str
    outcome: Outcome

    @contextmanager
    def landing(self, stream: DailyStream[Any]) -> Generator["Landing"]:
        """What logs days of a stream as its own assets do; the results of its checks follow at the end."""
        tally = stream.tally()
        try:
            yield Landing(self, stream, tally)
        finally:
            step_checks.log(self.context, stream.checks, tally.verdicts())

    def land_snapshot(self, stream: SnapshotStream[Any], read: Snapshot) -> None:
        """Log what was read of a stream as its own asset does, with the results of its checks.

        Args:
            stream: which one.
            read: what was committed.
        """
        tally, touched = stream.tally(), stream.touches.tally() if stream.touches else None
        if read.part is not None:
            tally.add(read.part)
        for kind, names in read.new_names.items():
            report_unknown(self.context, self.warehouse, stream.source.name, kind, names)
        stream.report(self.outcome, self.warehouse, self.profile_id, read, touched)
        step_checks.log(self.context, stream.checks, tally.verdicts())
        if stream.touches and touched:
            step_checks.log(self.context, stream.touches.ledger_checks(), touched.verdicts())


@dataclass(frozen=True, slots=True)
class Landing:
    """Logs days that a job read, as the assets of their stream do."""

    work: Work
    stream: DailyStream[Any]
    tally: Tally

    def part(self, landed: Landed) -> None:
        """Log a committed part.

        Args:
            landed: with what the checks count.
        """
        self._new_names(landed.new_names)
        if landed.part is not None:
            self.tally.add(landed.part)
        self.stream.report(self.work.outcome, self.work.profile_id, landed)
        self._touched(landed.ledger_change, landed.days)

    def stored(
        self, days: Iterable[date], change: Change, usage: Usage, new_names: Mapping[str, AbstractSet[str]]
    ) -> None:
        """Log days of which some rows were read, as they are stored now.

        Args:
            days: UTC days that hold the rows.
            change: of the ledger.
            usage: running totals of the client.
            new_names: as of :class:`.streams.Landed`.
        """
        work, stream, logged = self.work, self.stream, list(days)
        self._new_names(new_names)
        for some in some_days(logged):
            for part in stream.stored(work.warehouse, work.profile_id, some):
                self.tally.add(part.part)
                stream.report(work.outcome, work.profile_id, part)
        work.outcome.spent(stream.key, work.profile_id, usage)
        work.outcome.changed(stream.ledger, change)
        self._touched(change, logged)

    def _touched(self, change: Change, days: Iterable[date]) -> None:
        work = self.work
        self.stream.report_touched(
            work.outcome, work.warehouse, work.profile_id, change, by=self.stream.key, known=days
        )

    def _new_names(self, names: Mapping[str, AbstractSet[str]]) -> None:
        for kind, found in names.items():
            report_unknown(self.work.context, self.work.warehouse, self.stream.source.name, kind, found)


@dataclass(frozen=True, slots=True)
class ProfileJob:
    """A job, and the run config that it takes."""

    job: dg.JobDefinition
    op_name: str

    def config(self, profile_id: str) -> dict[str, Any]:
        """Run config for one profile."""
        return {"ops": {self.op_name: {"config": {"profile_id": profile_id}}}}

    def refresh_config(self, profile_id: str, leases: list[str]) -> dict[str, Any]:
        """Run config for a batch of the queue's jobs, as ``id:attempt``."""
        return {"ops": {self.op_name: {"config": {"profile_id": profile_id, "leases": leases}}}}


def refresh_job(
    source: Source,
    op_name: str,
    named: Callable[[Sequence[Job]], Any],
    read: Callable[[Work, Any], int],
) -> ProfileJob:
    """The job ``PLATFORM_refresh``: one run for all waiting jobs of a profile.

    Args:
        source: the platform.
        op_name: of the one step.
        named: what jobs of the queue name; a false value where they name nothing.
        read: reads that again from the API, stores it and logs every partition that it touched; returns the number of
            ledger rows that it brought.
    """

    @dg.op(
        name=op_name,
        pool=f"{source.name}_api",
        description="Re-reads what the jobs name; logs each partition.",
        required_resource_keys={"warehouse", source.name},
    )
    def body(context: dg.OpExecutionContext, config: ClaimedJobs) -> None:
        """Work off the jobs of one profile."""
        warehouse, resource = opened(context), _resource(context, source)
        with process_jobs(warehouse, config, context.run.run_id) as claimed:
            resource.require_enabled()
            wanted = named(claimed.jobs)
            if not wanted:
                return
            with noting_refusals(warehouse, source, config.profile_id):
                tools = Work(context, warehouse, resource, config.profile_id, Outcome(context))
                try:
                    claimed.events_count = read(tools, wanted)
                finally:
                    tools.outcome.tell_totals()

    @dg.job(
        name=f"{source.name}_refresh",
        description="Re-reads from the API what webhooks named: one run for all waiting deliveries of a profile.",
        executor_def=dg.in_process_executor,
        tags=own_tags(),
    )
    def job() -> None:
        body()

    return ProfileJob(job, op_name)


def profile_job(
    source: Source, name: str, op_name: str, description: Mapping[str, str], read: Callable[[Work], None]
) -> ProfileJob:
    """A job that looks for something in the account of one profile.

    Args:
        source: the platform.
        name: of the job.
        op_name: of its one step.
        description: of ``job`` and of ``op``.
        read: the work; a PipelineError that it raises ends the run as failed and names the profile.
    """

    @dg.op(
        name=op_name,
        pool=f"{source.name}_api",
        retry_policy=RETRY,
        description=description["op"],
        required_resource_keys={"warehouse", source.name},
    )
    def body(context: dg.OpExecutionContext, config: ProfileConfig) -> None:
        """Do the work for one profile."""
        warehouse, outcome, resource = opened(context), Outcome(context), _resource(context, source)
        with outcome.isolate([config.profile_id], set()), noting_refusals(warehouse, source, config.profile_id):
            resource.require_enabled()
            read(Work(context, warehouse, resource, config.profile_id, outcome))
        outcome.raise_if_failed()

    @dg.job(name=name, description=description["job"], executor_def=dg.in_process_executor, tags=own_tags())
    def job() -> None:
        body()

    return ProfileJob(job, op_name)


def _resource(context: dg.OpExecutionContext, source: Source) -> PlatformResource:
    return getattr(context.resources, source.name)
