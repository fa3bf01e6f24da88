"""A seller whom nothing reads any more is named, once, within two minutes of its window; and once when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.monitoring import health, lateness, platform_checks
from creator_pipeline.monitoring.lateness import Dagster, Seen
from creator_pipeline.monitoring.told_together import failed_cause
from creator_pipeline.platforms import PLATFORMS, of_name
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.store import accounts, health_reports, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.freshness import GRACE, expected_by, mark_fresh, reads_the_present
from creator_pipeline.store.tables import email_messages

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
SELLERS = 100
READ = time(3, 0)
"""When the night's runs have begun to read; they are due before."""
WITHIN = timedelta(minutes=2)
GUMROAD = of_name("gumroad")
assert GUMROAD is not None


def test_the_schedule_that_is_expected_is_the_one_that_runs() -> None:
    """Guards: a schedule that is moved, and every seller is late each day or none ever."""
    for platform in PLATFORMS:
        if platform.daily is None:
            assert not platform.dagster.get().schedules
            continue
        [line] = [one for one in platform.dagster.get().schedules if one.name == platform.daily.schedule]
        assert line.cron == f"{platform.daily.at.minute} {platform.daily.at.hour} * * *"


def test_only_what_reads_yesterday_and_today_is_fresh() -> None:
    """Incident: a backfill of an old year, and the pings of one busy shop, hid that no night had run for ten days."""
    moment, first = datetime(2026, 11, 28, 2, 10, tzinfo=UTC), date(2024, 1, 1)

    def window(start: str, end: str) -> list[DayWindow]:
        return [DayWindow(date.fromisoformat(start), date.fromisoformat(end))]

    assert reads_the_present(window("2026-11-22", "2026-11-29"), moment, first)
    assert reads_the_present(window("2026-11-27", "2026-11-29"), moment, first)
    assert not reads_the_present(window("2026-11-28", "2026-11-29"), moment, first)
    assert not reads_the_present(window("2024-01-01", "2026-11-28"), moment, first)
    assert not reads_the_present([], moment, first)
    assert reads_the_present(window("2026-11-28", "2026-11-29"), moment, date(2026, 11, 28))


def test_the_next_sync_is_expected_after_the_schedule_is_due() -> None:
    """Guards: a seller who is late because a run before midnight was the last one."""
    at = time(2, 10)
    for hour, day in ((1, 28), (2, 28), (3, 29), (23, 29)):
        moment = datetime(2026, 11, 28, hour, 0, tzinfo=UTC)
        assert expected_by(at, moment) == datetime(2026, 11, day, 2, 10, tzinfo=UTC) + GRACE


@dataclass
class Seller:
    """A seller, and what stops it between two nights."""

    number: int
    platform: Platform
    way: str
    stops: date
    returns: date
    told: list[datetime] = field(default_factory=list[datetime])
    mended: list[datetime] = field(default_factory=list[datetime])

    @property
    def name(self) -> str:
        return f"seller{self.number:03}"

    def stopped(self, night: date) -> bool:
        return self.stops <= night < self.returns


class Month:
    """A hundred sellers on a real warehouse, and Dagster as it would say it. Time is given."""

    def __init__(self, warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warehouse, self.ring, self.config = warehouse, ring, settings.load()
        self.moment = BEGIN
        for module in (health, profiles, accounts):
            monkeypatch.setattr(module, "now", lambda: self.moment)
        ways, platforms = list(WAYS), [one for one in PLATFORMS if one.daily]
        self.sellers = [
            Seller(
                number,
                platforms[number % len(platforms)],
                ways[number % len(ways)],
                stops=(stops := (BEGIN + timedelta(days=2 + number * 7 % 22)).date()),
                returns=stops + timedelta(days=1 + number % 5),
            )
            for number in range(SELLERS)
        ]
        self.by_name = {one.name: one for one in self.sellers}
        self.partitions = {one.partitions: {each.name for each in self.sellers} for one in platforms}
        self.schedules = dict.fromkeys((one.daily.schedule for one in platforms if one.daily), True)
        self.runs: dict[tuple[str, str], Seen] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.failing = set[tuple[str, str]]()
        self.ended: list[tuple[Seller, Sequence[DayWindow]]] = []
        with warehouse.write() as connection:
            for one in self.sellers:
                profiles.add_profile(connection, one.name, f"{one.name}@example.com")
                profiles.connect(connection, ring, one.platform.in_ledger, one.name, f"token-{one.name}")

    def read(self, seller: Seller, *windows: DayWindow) -> None:
        """A run ended well."""
        self.ended.append((seller, windows))

    def note(self) -> None:
        """What the runs that ended note, in one transaction for all."""
        with self.warehouse.write() as connection:
            for seller, windows in self.ended:
                profiles.mark_synced(connection, seller.platform.in_ledger, seller.name, self.moment)
                if reads_the_present(windows, self.moment, self.config.pipeline_start_date):
                    mark_fresh(connection, seller.platform.source, seller.name, self.moment)
        self.ended.clear()

    def night(self, back: int) -> DayWindow:
        return DayWindow(self.moment.date() - timedelta(days=back), self.moment.date() + timedelta(days=1))

    def tick(self) -> None:
        """``pipeline_health``, as far as it looks at accounts; and who was told what by it."""
        dagster = Dagster(
            self.partitions, self.schedules, lambda platform, name: self.runs.get((platform.name, name), Seen())
        )
        if self.ended:
            self.note()
        checks = [
            Check("partitions/", self.partitions_left),
            Check("late/", lambda: lateness.late(self.warehouse, self.config, dagster, self.moment)),
            Check("connection/", lambda: platform_checks.connections(self.warehouse)),
        ]
        health.run(checks, self.warehouse, self.config)
        before = self.seen
        self.seen = {row["id"]: row for row in self._rows()}
        for row in self.seen.values():
            former: dict[str, Any] = before.get(row["id"], {})
            seller = self.by_name[row["profile_id"]]
            if row["told_at"] is not None and row["told_at"] != former.get("told_at"):
                seller.told.append(self.moment)
            ended = row["mended_told_at"] is not None and row["told_at"] is not None
            if ended and row["mended_told_at"] != former.get("mended_told_at"):
                seller.mended.append(self.moment)

    def partitions_left(self) -> Iterator[Finding]:
        """What the check of failed partitions would find."""
        for platform, name in sorted(self.failing):
            cause = failed_cause(platform, name, "config: the key of the token is gone.")
            yield Finding(f"partitions/{platform}/{name}", "no", "7 failed.", "Read them.", "Days", name, cause=cause)

    def _rows(self) -> list[dict[str, Any]]:
        with self.warehouse.read() as connection:
            return [dict(row) for row in connection.execute(select(health_reports.health_reports)).mappings()]


def test_who_is_late_by_a_failure_that_was_told_is_not_told_again_while_the_next_run_waits(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a night failed and was told; at the next one's begin a second mail named the same sellers as late."""
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    month = Month(sqlite_warehouse, ring, monkeypatch)
    seller = next(one for one in month.sellers if one.platform is GUMROAD)
    for day in range(2):
        month.moment = BEGIN + timedelta(days=day, hours=3)
        for one in month.sellers:
            if day == 0 or one is not seller:
                month.read(one, month.night(6))
        month.tick()
    month.failing.add(("gumroad", seller.name))
    for seen in (Seen(failed="0123"), Seen(queued_since=month.moment, failed="0123"), Seen(), Seen(failed="0123")):
        month.runs["gumroad", seller.name] = seen
        for _ in range(3):
            month.moment += timedelta(hours=1)
            month.tick()
    late = month.seen[f"late/gumroad/{seller.name}"]
    assert (late["resolved_at"], late["told_at"]) == (None, None)
    assert month.seen[f"partitions/gumroad/{seller.name}"]["told_at"] is not None


Stop = Callable[[Month, Seller], object]


def revoke(month: Month, seller: Seller) -> None:
    with month.warehouse.write() as connection:
        profiles.mark_revoked(connection, seller.platform.in_ledger, seller.name, "The token is refused.")


def hold(month: Month, seller: Seller) -> None:
    with month.warehouse.write() as connection:
        accounts.note_hold(connection, seller.platform.in_ledger, seller.name, "It is of another account.")


def backfill_only(month: Month, seller: Seller) -> None:
    month.read(seller, DayWindow(date(2024, 1, 1), date(2026, 9, 1)))


def ping_only(month: Month, seller: Seller) -> None:
    month.read(seller, month.night(0))


def yesterday_only(month: Month, seller: Seller) -> None:
    month.read(seller, DayWindow(month.moment.date() - timedelta(days=7), month.moment.date()))


def no_partition(month: Month, seller: Seller) -> None:
    month.partitions[seller.platform.partitions].discard(seller.name)


def fails(month: Month, seller: Seller) -> None:
    month.failing.add((seller.platform.name, seller.name))
    runs(failed="4567")(month, seller)


def runs(**seen: Any) -> Stop:
    return lambda month, seller: month.runs.__setitem__((seller.platform.name, seller.name), Seen(**seen))


WAYS: dict[str, Stop] = {
    "the platform refuses the token": revoke,
    "the token is of another account": hold,
    "no run is asked for": lambda _month, _seller: None,
    "only old days are read by backfills": backfill_only,
    "only pings are read": ping_only,
    "the night reads all but the present": yesterday_only,
    "there is no partition of it": no_partition,
    "its run waits in the queue": runs(queued_since=BEGIN),
    "its run hangs": runs(at_work_since=BEGIN - timedelta(days=3)),
    "its run failed and nobody told": runs(failed="0123"),
    "its run ended well and read nothing": lambda month, seller: month.read(seller),
    "its run failed, and that was told": fails,
}


REFUSED = set(list(WAYS)[:2])


def back(month: Month, seller: Seller) -> None:
    month.runs.pop((seller.platform.name, seller.name), None)
    month.failing.discard((seller.platform.name, seller.name))
    month.partitions[seller.platform.partitions].add(seller.name)
    if seller.way in REFUSED:
        with month.warehouse.write() as connection:
            provider, token = seller.platform.in_ledger, f"token-{seller.name}"
            profiles.connect(connection, month.ring, provider, seller.name, token)


def moments() -> list[datetime]:
    """When somebody does something in a day, and each minute around the windows' ends; the rest is quiet."""
    ends = {expected_by(one.daily.at, BEGIN) - BEGIN for one in PLATFORMS if one.daily}
    spans = [timedelta(hours=3, minutes=minute) for minute in range(2)]
    spans += [end + timedelta(minutes=minute) for end in ends for minute in (0, 1, 2)]
    spans += [timedelta(hours=hour) for hour in (12,)]
    return sorted(BEGIN + timedelta(days=day) + span for day in range(DAYS) for span in spans)


def test_a_hundred_sellers_in_thirty_days_are_each_named_once(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a seller who hadn't been read for ten days was green everywhere."""
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    month = Month(sqlite_warehouse, ring, monkeypatch)
    for moment in moments():
        month.moment = moment
        night = month.moment.date()
        if month.moment.time() == READ:
            for seller in month.sellers:
                if seller.stopped(night):
                    WAYS[seller.way](month, seller)
                    continue
                if seller.returns == night:
                    back(month, seller)
                month.read(seller, month.night(6))
        if month.moment.hour == 12 and month.moment.day % 3 == 0:
            for seller in month.sellers[::4]:
                # Backfills, also of who is stopped: they change nothing. A refused token reads nothing.
                if seller.way not in REFUSED or not seller.stopped(night):
                    month.read(seller, DayWindow(date(2025, 1, 1), date(2025, 2, 1)))
        month.tick()
    missed = [one for one in month.sellers if not one.told]
    twice = [one for one in month.sellers if len(one.told) > 1 or len(one.mended) > 1]
    false = [one for one in month.sellers for when in one.told if when.date() < one.stops]
    assert (missed, false, twice) == ([], [], [])
    for one in month.sellers:
        assert len(one.mended) == 1, one
        due = expected_by(one.platform.source.daily_at or READ, datetime.combine(one.stops, time(0), UTC))
        assert one.told[0] <= due + WITHIN, one
        assert one.mended[0].date() == one.returns, one
    assert set(Counter(one.way for one in month.sellers)) == set(WAYS)
    with sqlite_warehouse.read() as connection:
        count = len(connection.execute(select(email_messages.c.id)).all())
        assert not connection.execute(
            text("SELECT count(late_since) FROM sync_status WHERE late_since > '2027'")
        ).scalar()
    assert count <= 2 * SELLERS
