"""Files of a profile that came together: which run reads them, and the one mail about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import select, update

from creator_pipeline.core.windows import now
from creator_pipeline.mail.files_told import FileTold, write_files_told
from creator_pipeline.platforms.kdp import PLATFORM
from creator_pipeline.platforms.kdp.files import File
from creator_pipeline.platforms.kdp.inbox import Scan, given_name
from creator_pipeline.platforms.kdp.page import first_problem
from creator_pipeline.runtime.hooks import will_be_retried
from creator_pipeline.runtime.tags import FILES_TAG, RANGE_END, RANGE_START
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_files, kdp_uploads

_RUNNING_AGAIN = "dagster/auto_retry_run_id"
_PATIENCE_SECONDS = 60.0
"""A file that doesn't stop growing keeps the mail about the others waiting for so long after their last run."""


@dataclass
class Together:
    """The files that are ready, by what is to be done with them.

    Attributes:
        ready: complete files, of each profile the oldest.
        partitions: key to its place in the order of Dagster's partitions.
        last: the newest run over many files of each profile that has untold files.
        waiting: profiles that have untold files.
        at_work: those for which such a run is queued, at work, or will be started again.
    """

    ready: list[File]
    partitions: dict[str, int]
    last: dict[str, dg.RunRecord]
    waiting: set[str]
    at_work: set[str]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, found: Scan) -> Together:
        """Ask Dagster about the profiles whose files came together."""
        last = dict[str, dg.RunRecord]()
        for profile_id in found.together:
            records = instance.get_run_records(dg.RunsFilter(tags={FILES_TAG: profile_id}), limit=1)
            if records:
                last[profile_id] = records[0]
        keys = instance.get_dynamic_partitions(PLATFORM.partitions_name) if found.together else ()
        at_work = {profile_id for profile_id, record in last.items() if _is_open(record.dagster_run)}
        places = {key: place for place, key in enumerate(keys)}
        return cls(found.ready, places, last, found.together, at_work)

    def last_run_id(self, profile_id: str) -> str:
        """Of the run over many files before; empty where there was none."""
        record = self.last.get(profile_id)
        return record.dagster_run.run_id if record else ""

    def alone(self) -> list[File]:
        """Files that get a run of their own: single ones, and the first that a run over many has left behind.

        That one may be what ended the run. The others are read together again.
        """
        return [file for file in self.ready if file.profile_id not in self.waiting] + self._suspects()

    def batches(self) -> Iterator[list[File]]:
        """For each profile that has no run over many files the next files whose partitions follow each other."""
        files_of: defaultdict[str, list[File]] = defaultdict(list)
        suspects = {file.location for file in self._suspects()}
        for file in self.ready:
            if file.profile_id in self.waiting - self.at_work and file.location not in suspects:
                files_of[file.profile_id].append(file)
        for files in files_of.values():
            yield self._following(files)

    def _suspects(self) -> list[File]:
        first = dict[str, File]()
        for file in self.ready:
            if file.profile_id in self.waiting - self.at_work and self._left_behind(file):
                first.setdefault(file.profile_id, file)
        return list(first.values())

    def ended(self, growing: Collection[str]) -> list[str]:
        """Profiles of whose files none is left to be read; a file that grows for ever doesn't count."""
        open_ = self.at_work | {file.profile_id for file in self.ready}
        return sorted(
            profile_id
            for profile_id in self.waiting - open_
            if profile_id not in growing or self._seconds_since(profile_id) > _PATIENCE_SECONDS
        )

    def _seconds_since(self, profile_id: str) -> float:
        record = self.last.get(profile_id)
        return now().timestamp() - (record.end_time or 0) if record else 0.0

    def _left_behind(self, file: File) -> bool:
        """Whether a run over many files ended for good without having read this one: it may harm whoever reads it."""
        record = self.last.get(file.profile_id)
        if record is None or record.dagster_run.status == dg.DagsterRunStatus.SUCCESS:
            return False
        ends = [self.partitions.get(record.dagster_run.tags[tag], -1) for tag in (RANGE_START, RANGE_END)]
        return ends[0] <= self.partitions.get(file.partition, -2) <= ends[1]

    def _following(self, files: Sequence[File]) -> list[File]:
        # New partitions are added behind all others, in the order of the request.
        end = len(self.partitions)
        ordered = sorted(enumerate(files), key=lambda each: self.partitions.get(each[1].partition, end + each[0]))
        new = [file for _, file in ordered if file.partition not in self.partitions]
        known = [file for _, file in ordered if file.partition in self.partitions]
        if not known:
            return new
        first = self.partitions[known[0].partition]
        return [file for place, file in enumerate(known) if self.partitions[file.partition] == first + place]


def _is_open(run: dg.DagsterRun) -> bool:
    return not run.is_finished or (will_be_retried(run) and _RUNNING_AGAIN not in run.tags)


def tell_of_drop(warehouse: Warehouse, config: Settings, profile_id: str) -> None:
    """Write the one mail about the untold files of a profile, and note that they are told, in one transaction."""
    files, uploads = kdp_files.c, kdp_uploads.c
    untold = (files.profile_id == profile_id) & files.untold
    with warehouse.write() as connection:
        rows = connection.execute(
            select(kdp_files, uploads.status, uploads.error)
            .select_from(kdp_files.outerjoin(kdp_uploads, uploads.id == files.upload_id))
            .where(untold)
            .order_by(files.location)
        ).all()
        told = [_told(File(*row[:-2]), row.status, row.error, config) for row in rows]
        connection.execute(update(kdp_files).where(untold).values(untold=False))
        if told:
            write_files_told(connection, config, profile_id=profile_id, source=PLATFORM.source, files=told)


_VERDICTS = {
    "accepted": "taken",
    "superseded": "taken; better reports cover all of it",
    "quarantined": "held back",
    "rejected": "refused",
}


def _told(file: File, status: str | None, error: str | None, config: Settings) -> FileTold:
    name, at = given_name(file), f"{file.upload_id}:{file.modified_ns}:{file.location}"
    if file.state == "copy":
        return FileTold(name, "the same as another file: counted once", "", at, good=True)
    if file.state == "refused":
        return FileTold(name, "refused", file.problem or "", at, good=False)
    good = status in {"accepted", "superseded"}
    verdict = _VERDICTS.get(status or "", "not read yet")
    return FileTold(name, verdict, "" if good else first_problem(config, error), at, good=good)
