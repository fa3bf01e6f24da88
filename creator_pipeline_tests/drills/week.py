"""Seven nights with faults, and who is told what: ``python -m creator_pipeline_tests.drills.week``.

Twelve sellers on two platforms. Schedules, sensors, queue, retries and monitoring are the loops of Dagster's daemon with
the project's ``dagster.yaml``; runs really read the stand-ins and write to PostgreSQL, and mails go by the outbox to the
stand-in of Resend. A run that is killed is one that has begun in a process that is gone; processes are killed by
:mod:`.kills`. Only the clock isn't real: a week is over in some minutes. What was told is read from the stand-in's
inbox; what failed, from Dagster's own table of runs. Exit 1 when a failure was told to nobody or twice, when there are
more mails than causes, or a creator heard of what is none of theirs.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from creator_pipeline.monitoring import health
from creator_pipeline_tests.drills.week_daemon import Daemon
from creator_pipeline_tests.drills.week_faults import WEEK, Fault, Week, play
from creator_pipeline_tests.drills.week_installation import NAMES, Installation, installation
from creator_pipeline_tests.drills.week_told import Failure, Letter, failures, told_twice, untold
from creator_pipeline_tests.support import servers


@dataclass
class Day:
    """What came of a day."""

    fault: Fault
    mails: list[Letter]
    failed: list[Failure]
    untold: list[Failure]

    def count(self, reader: str, *, mended: bool = False) -> int:
        """Mails to a reader, of problems or of mends."""
        ends = ("mended", "recovered")
        return sum(one.reader == reader and one.kind.endswith(ends) == mended for one in self.mails)


def judge(week: Week, faults: Sequence[Fault]) -> list[Day]:
    """Each day with its mails and failed runs."""
    begin = week.begin
    mails, failed = week.place.mails(), failures(week.daemon.instance)
    left = {one.run_id for one in untold(failed, mails)}
    found = list[Day]()
    for number, fault in enumerate(faults):
        first = begin + timedelta(days=number)
        days_mails = [one for one in mails if first <= one.at < first + timedelta(days=1)]
        days_failed = [one for one in failed if first <= one.at < first + timedelta(days=1)]
        found.append(Day(fault, days_mails, days_failed, [one for one in days_failed if one.run_id in left]))
    return found


def table(days: Sequence[Day], twice: Sequence[str]) -> str:
    """For people."""
    lines = [f"{'night':66}{'failed runs':>12}{'operators':>11}{'mended':>8}{'creators':>10}{'untold':>8}"]
    for one in days:
        figures = (one.count("operator"), one.count("operator", mended=True), one.count("creator"))
        lines.append(
            f"{one.fault.name:66}{len(one.failed):12}{figures[0]:11}{figures[1]:8}{figures[2]:10}{len(one.untold):8}"
        )
    lines.append(
        f"{'all':66}{sum(len(one.failed) for one in days):12}"
        f"{sum(one.count('operator') for one in days):11}{sum(one.count('operator', mended=True) for one in days):8}"
        f"{sum(one.count('creator') for one in days):10}{sum(len(one.untold) for one in days):8}"
    )
    return "\n".join([*lines, f"told twice: {len(twice)}"])


def main() -> int:
    """Exit 1 where somebody wasn't told, or was told what they shouldn't be."""
    parser = argparse.ArgumentParser(prog="creator_pipeline_tests.drills.week", description=__doc__)
    parser.add_argument("--profiles", type=int, default=12)
    parser.add_argument("--nights", help="numbers of the nights, as 0,2,5; all by default")
    parser.add_argument("--verbose", action="store_true", help="each mail")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    faults = [WEEK[int(one)] for one in asked.nights.split(",")] if asked.nights else list(WEEK)
    server = servers.postgres()
    url = server.fresh_database()
    try:
        with installation(NAMES[: asked.profiles], len(faults), url) as (place, loops):
            week = run(place, loops, faults, lambda line: print(line, flush=True), verbose=asked.verbose)
            days, mails = judge(week, faults), place.mails()
            still = [f"open in the end: {row['id']} {row['text']}" for row in health.open_problems(place.warehouse)]
    finally:
        server.drop(url)
    twice = told_twice(mails)
    print(table(days, twice), *twice, *week.notes, *week.wrong, *still, *wrong_of(days), sep="\n")
    return 1 if twice or week.wrong or wrong_of(days) else 0


def run(
    place: Installation,
    loops: Daemon,
    faults: Sequence[Fault],
    say: Callable[[str], object] = lambda _line: None,
    *,
    verbose: bool = False,
) -> Week:
    """A day for each fault.

    Args:
        place, loops: of :func:`installation`, at the midnight before.
        faults: one for each day.
        say: is given a line for each day.
        verbose: and one for each kind of mail.
    """
    week = Week(place, loops, place.clock.now.replace(hour=0, minute=0, second=0, microsecond=0))
    for number, fault in enumerate(faults):
        before = len(place.mails())
        play(week, fault, week.begin + timedelta(days=number))
        mails = place.mails()[before:]
        say(f"{place.clock.now:%a %H:%M} {fault.name}: {len(mails)} mails")
        for line in described(mails) if verbose else ():
            say(line)
    return week


def wrong_of(days: Sequence[Day]) -> list[str]:
    """What was told to nobody, and who got more mails than there are causes."""
    found = list[str]()
    for day in days:
        found += [
            f"untold, {one.at:%a %H:%M}: {one.job} of {one.owner or 'the pipeline'}, run {one.run_id}"
            for one in day.untold
        ]
        for reader, right in (("operator", day.fault.operators), ("creator", day.fault.creators)):
            if day.count(reader) > right:
                found.append(f"{day.fault.name}: {day.count(reader)} mails to a {reader}, and {right} causes")
    return found


def described(mails: Sequence[Letter]) -> list[str]:
    """Each kind of these mails."""
    counted = Counter((f"{one.at:%a %H:%M}", one.reader, one.kind, one.subject) for one in mails)
    return [f"   {count} x {' '.join(what)}" for what, count in counted.items()]


if __name__ == "__main__":
    sys.exit(main())
