"""What was told in a drill that plays days, read from the mails alone, beside what Dagster's own table of runs says."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import dagster as dg

OPS = "ops@example.com"
WITHIN = timedelta(minutes=20)
"""From the end of a run that failed to the mail of it: a cause is told a quarter of an hour after its beginning at most,
and the sensor comes each minute."""
JOINED = timedelta(hours=2)
"""The same where its cause was told shortly before: who joins it is told with all others an hour after, and the drill's
iterations are an hour apart then."""
PROBLEMS = {
    "gumroad_sync": "partitions/gumroad/{owner}",
    "gumroad_catalogue": "partitions/gumroad/products/{owner}",
}
"""Job to the name of the problem that its failure is; other names hold the job's."""
_PROBLEM = re.compile(
    r"^(?P<whose>[^\n:]+): (?P<what>[^\n]*)\n(?:(?!Problem:)[^\n]+\n)*Problem: (?P<id>.+)$", re.MULTILINE
)
_DIFFERS = re.compile(r"\S*\d\S*")
_PARTS = ("dagster/partition", "dagster/asset_partition_range_end")


class Said(NamedTuple):
    """A problem in a mail to operators."""

    at: datetime
    mended: bool
    id: str
    whose: str
    what: str
    subject: str


@dataclass
class Letter:
    """A mail."""

    at: datetime
    to: str
    kind: str
    subject: str
    text: str

    @property
    def reader(self) -> str:
        """``operator`` or ``creator``."""
        return "operator" if self.to == OPS else "creator"


def letters(inbox: Iterable[Any]) -> list[Letter]:
    """The mails of the stand-in's inbox, in order."""
    return [
        Letter(
            mail.created_at,
            mail.payload["to"][0],
            next(tag["value"] for tag in mail.payload["tags"] if tag["name"] == "kind"),
            mail.payload["subject"],
            mail.payload["text"],
        )
        for mail in inbox
    ]


def said(mails: Iterable[Letter]) -> Iterator[Said]:
    """Each problem of each mail to operators."""
    for mail in mails:
        if mail.kind in ("ops_failure", "ops_mended"):
            for found in _PROBLEM.finditer(mail.text):
                yield Said(mail.at, mail.kind == "ops_mended", found["id"], found["whose"], found["what"], mail.subject)


def told_twice(mails: Sequence[Letter]) -> list[str]:
    """Problems that were told again though they were not over, and said the same; and a mail that came twice."""
    found, open_ = list[str](), dict[str, str]()
    for one in said(mails):
        words = _DIFFERS.sub("#", one.what)
        if one.mended:
            open_.pop(one.id, None)
        elif open_.get(one.id) == words:
            found.append(f"{one.at:%a %H:%M} {one.id}: {one.what}")
        else:
            open_[one.id] = words
    again = Counter((mail.to, mail.subject, mail.text) for mail in mails)
    return found + [f"{count} times to {to}: {subject}" for (to, subject, _), count in again.items() if count > 1]


@dataclass
class Failure:
    """A run that failed for good, as Dagster's table has it."""

    at: datetime
    run_id: str
    job: str
    owner: str
    told: list[str] = field(default_factory=list[str])


def failures(instance: dg.DagsterInstance) -> list[Failure]:
    """Runs that failed and were not tried again by Dagster."""
    records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    again = {run.parent_run_id for run in instance.get_runs() if run.parent_run_id}
    found = list[Failure]()
    for record in records:
        run = record.dagster_run
        if run.run_id not in again:
            keys = [run.tags[name] for name in _PARTS if name in run.tags]
            owner = run.tags.get("creator_pipeline/profile") or (keys[0].rpartition("|")[2] if keys else "")
            found.append(Failure(datetime.fromtimestamp(record.end_time or 0.0, UTC), run.run_id, run.job_name, owner))
    return sorted(found, key=lambda one: one.at)


def untold(failed: Sequence[Failure], mails: Sequence[Letter]) -> list[Failure]:
    """Failed runs of which nobody heard: no mail names their profile soon after, and none that did is still open."""
    by_owner = defaultdict[str, list[Said]](list)
    for one in said(mails):
        by_owner[one.whose].append(one)
    left, everything = list[Failure](), list(said(mails))
    for one in failed:
        told = [each for each in by_owner[one.owner or "the pipeline"] if _tells_of(one, each)]
        before = [each for each in told if each.at <= one.at + _limit(one, told, everything)]
        still_open = bool(before) and (not before[-1].mended or before[-1].at >= one.at)
        to_owner = any(
            mail.to.partition("@")[0] == one.owner and one.at - timedelta(minutes=2) <= mail.at <= one.at + WITHIN
            for mail in mails
        )
        one.told = [each.id for each in before[-1:]]
        if not still_open and not to_owner:
            left.append(one)
    return left


def _limit(failure: Failure, told: Sequence[Said], everything: Sequence[Said]) -> timedelta:
    known = {_reason(one) for one in everything if not one.mended and failure.at - JOINED < one.at <= failure.at}
    joins = any(_reason(one) in known for one in told if one.at > failure.at)
    return JOINED if joins else WITHIN


def _reason(one: Said) -> str:
    return _DIFFERS.sub("#", one.what.partition(". ")[2])


def _tells_of(failure: Failure, one: Said) -> bool:
    """Whether a problem is that this job failed, or why."""
    if one.id == f"connection/{failure.job.partition('_')[0]}/{failure.owner}":
        return True
    name = PROBLEMS.get(failure.job, failure.job).format(owner=failure.owner)
    return one.id == name if "/" in name else name in one.id
