"""The faults of the week's drill: what is broken when, and how many mails of it are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import dagster as dg

from creator_pipeline.runtime.tags import PROFILE_TAG
from creator_pipeline_tests.drills.week_daemon import MINUTE, Daemon
from creator_pipeline_tests.drills.week_installation import Installation
from creator_pipeline_tests.support import kdp_landing
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


def kill(job: str) -> Action:
    """The runs of a job are killed as soon as they have begun: of each seller one, and both further tries."""

    def do(week: Week) -> None:
        killed, most = week.daemon.launcher.killed, 3 * len(week.place.sandbox.world.gumroad)
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
    return lambda week: week.place.connect_again(name)


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
    # One when it begins, and one of those whose runs had tried for an hour and more.
    Fault("HTTP 500 of everything, for two hours", (("02:00", api("500", "/v2/")), ("04:00", api_well)), 2),
    Fault("time-outs of one endpoint", (("02:00", api("slow", "/v2/sales")), ("04:00", api_well)), 1),
    Fault(
        "runs are killed, again and again; the code server is away",
        (("02:00", kill("gumroad_sync")), ("02:19", code_server(away=True)), ("02:29", code_server(away=False))),
        # And one of those whose third try had to wait for the code server: on a slow machine there are some.
        2,
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
        # A file, a connection that is refused, and the load that is waited for once it is connected again.
        3,
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
    ("06:34", timedelta(minutes=12)),
    ("06:38", MINUTE),
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
