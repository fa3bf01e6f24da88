"""Seven nights with faults, and who is told what: ``python -m creator_pipeline_tests.drills.week``.

Twelve sellers on two platforms. Schedules, sensors, queue, retries and monitoring are the loops of Dagster's daemon with
the project's ``dagster.yaml``; runs really read the stand-ins and write to PostgreSQL, and mails go by the outbox to the
stand-in of Resend. Only the clock isn't real: a week is over in some minutes. What was told is read from the stand-in's
inbox; what failed, from Dagster's own table of runs. Exit 1 when a failure was told to nobody or twice, when there are
more mails than causes, or a creator heard of what is none of theirs.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import dagster as dg

from creator_pipeline.monitoring import health
from creator_pipeline.runtime.tags import PROFILE_TAG
from creator_pipeline_tests.drills.week_daemon import MINUTE, Daemon
from creator_pipeline_tests.drills.week_installation import NAMES, Installation, installation
from creator_pipeline_tests.drills.week_told import Failure, Letter, failures, told_twice, untold
from creator_pipeline_tests.support import kdp_landing, servers
from creator_pipeline_tests.support.kdp_samples import FIXTURES

BAD_REPORT = FIXTURES / "csv_missing_currency_column.csv"


@dataclass
class Week:
    """The installation and what was done to it.

    Attributes:
        begin: midnight of the first day.
        notes: for people.
        wrong: what should hold and doesn't.
    """

    place: Installation
    daemon: Daemon
    begin: datetime
    notes: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    def expect(self, holds: bool, what: str) -> None:
        """Note what should hold and doesn't."""
        if not holds:
            self.wrong.append(what)


Action = Callable[[Week], object]


@dataclass(frozen=True)
class Fault:
    """What happens in a day.

    Attributes:
        at: pairs of a time of the day and what is done then.
        operators: mails of problems that are right: one for each cause.
        creators: the same, to the sellers.
    """

    name: str
    at: tuple[tuple[str, Action], ...] = ()
    operators: int = 0
    creators: int = 0


def api(kind: str, path: str) -> Action:
    """A platform's path answers so, until :func:`api_well`."""

    def do(week: Week) -> None:
        week.place.sandbox.faults.delay = 3.0
        week.place.sandbox.faults.every(1, kind, path=path)

    return do


def api_well(week: Week) -> None:
    week.place.sandbox.faults.stop()


def kill(job: str, most: int) -> Action:
    """So many runs of a job are killed as soon as they have begun."""

    def do(week: Week) -> None:
        killed = week.daemon.launcher.killed
        week.daemon.launcher.kills = lambda run: run.job_name == job and killed.count(job) < most

    return do


def code_server(*, away: bool) -> Action:
    return lambda week: setattr(week.daemon.launcher, "away", away)


def daemon(*, up: bool) -> Action:
    return lambda week: setattr(week.daemon, "up", up)


def silence(week: Week) -> None:
    """The daemon has been down for hours: only who stands outside can tell."""
    silent = week.place.clock.now - max(week.place.heard)
    week.expect(silent > timedelta(hours=2), f"the monitor heard of the daemon {silent} ago, and it was down")
    week.notes.append(f"{week.place.clock.now:%a %H:%M} the monitor outside hears nothing since {silent}")


def database(mode: str) -> Action:
    def do(week: Week) -> None:
        if week.place.line:
            week.place.line.set_mode(mode)  # pyright: ignore[reportArgumentType]

    return do


def revoke(name: str) -> Action:
    return lambda week: week.place.sandbox.world.gumroad.revoke(name)


def reconnect(name: str) -> Action:
    return lambda week: week.place.connect(name)


def drop(name: str) -> Action:
    return lambda week: kdp_landing.drop(BAD_REPORT, week.place.folder / "kdp_inbox" / name)


def cancel_runs_of(name: str) -> Action:
    """Each run of a seller is canceled in the queue: nothing fails, and nothing is read."""

    def do(week: Week) -> None:
        def look() -> None:
            for run in week.daemon.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
                if run.tags.get(PROFILE_TAG) == name:
                    week.daemon.instance.report_run_canceled(run)

        week.daemon.before_work = look

    return do


def let_run(week: Week) -> None:
    week.daemon.before_work = lambda: None


def schedule(name: str, *, on: bool) -> Action:
    return lambda week: week.daemon.switch(name, on=on)


WEEK: tuple[Fault, ...] = (
    Fault("an endpoint is missing", (("02:00", api("404", "/v2/products")), ("07:00", api_well)), 1),
    Fault("HTTP 500 of everything, for two hours", (("02:00", api("500", "/v2/")), ("04:00", api_well)), 2),
    Fault("time-outs of one endpoint", (("02:00", api("slow", "/v2/sales")), ("04:00", api_well)), 1),
    Fault(
        "runs are killed, again and again; the code server is away",
        (("02:00", kill("gumroad_sync", 9)), ("02:19", code_server(away=True)), ("02:29", code_server(away=False))),
        1,
    ),
    Fault("the database is cut for eight minutes", (("02:09", database("cut")), ("02:17", database("through"))), 1),
    Fault(
        "a revoked token, a bad report, a silent seller, a schedule off",
        (
            ("00:10", revoke("bea")),
            ("00:20", drop("chen")),
            ("00:30", cancel_runs_of("alice")),
            ("00:40", schedule("whop_changes_nightly", on=False)),
            ("12:00", reconnect("bea")),
            ("12:00", let_run),
            ("12:00", schedule("whop_changes_nightly", on=True)),
        ),
        4,
        2,
    ),
    Fault(
        "the daemon is down for a night", (("01:10", daemon(up=False)), ("06:00", silence), ("08:00", daemon(up=True)))
    ),
    Fault("the night after"),
)
PLAN = (
    ("02:04", timedelta(hours=1)),
    ("02:08", MINUTE),
    ("02:14", MINUTE),
    ("02:19", timedelta(minutes=5)),
    ("02:24", MINUTE),
    ("02:34", timedelta(minutes=5)),
    ("02:39", MINUTE),
    ("06:08", timedelta(hours=1)),
    ("06:12", MINUTE),
    ("06:19", timedelta(minutes=7)),
    ("06:22", MINUTE),
    ("08:00", timedelta(hours=1)),
    ("08:04", MINUTE),
    ("24:00", timedelta(hours=6)),
)
"""Until which time of the day the daemon's iterations are how far apart: most minutes of a day are like each other."""


def play(week: Week, fault: Fault, midnight: datetime) -> None:
    """One day, from midnight to midnight."""
    actions = [(midnight + _time(at), act) for at, act in fault.at]
    for until, every in PLAN:
        end = midnight + _time(until)
        while actions and actions[0][0] <= end:
            moment, act = actions.pop(0)
            week.daemon.pass_to(moment, every)
            act(week)
            if not actions or actions[0][0] > moment:
                week.daemon.pass_to(week.place.clock.now + 3 * MINUTE)
        week.daemon.pass_to(end, every)


def _time(text: str) -> timedelta:
    hours, minutes = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes)


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
