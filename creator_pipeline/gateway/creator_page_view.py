"""What a creator's page shows of one profile, and what it changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import grouped, to_text
from creator_pipeline.core.windows import now, today
from creator_pipeline.gateway.creator_books import MonthBooks, read_books
from creator_pipeline.ledger.chart import MOST_CURRENCIES, PAGE, SMALL, draw, sums, words
from creator_pipeline.ledger.rollup import last_days
from creator_pipeline.mail import unsubscribe
from creator_pipeline.mail.kinds import CATEGORIES
from creator_pipeline.mail.render import one_line
from creator_pipeline.mail.wording import plain_error, short_moment
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.contract import PageLine, Platform
from creator_pipeline.platforms.oauth import OAuth
from creator_pipeline.platforms.uploads import UploadedFile
from creator_pipeline.settings import Settings
from creator_pipeline.store import accounts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source, label_of
from creator_pipeline.store.tables import platform_connections, profiles

DAYS = 90
_SPANS = (7, 30, DAYS)
AGAIN = "Must be connected again"
NOTIFY = {
    "every": "Everything: each sync that finishes, failures, a weekly digest",
    "failures": "Failures, and what you asked for yourself",
    "none": "Nothing about syncs",
}
"""Values of ``profiles.notify``, in words."""


class Line(NamedTuple):
    """A platform's line of the connections.

    Attributes:
        name: of the platform; ``label`` is the one for people.
        connect: the button's text; empty where there is none.
    """

    name: str
    label: str
    state: str
    detail: str
    good: bool
    connect: str = ""


class Sums(NamedTuple):
    """A line of the table: net amounts as text, one for each of the spans."""

    name: str
    amounts: list[str]


class UploadSection(NamedTuple):
    """The newest uploads to one platform. ``noun`` is what is uploaded, in the singular."""

    name: str
    noun: str
    files: list[UploadedFile]


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows, as text."""

    name: str
    mailbox: str
    unreachable: str
    lines: list[Line]
    last: date
    spans: Sequence[int]
    words: str
    table: list[Sums]
    left_out: bool
    books: list[MonthBooks]
    uploads: list[UploadSection]
    notify: str
    choices: Mapping[str, str]
    categories: Mapping[str, str]
    wanted: Mapping[str, bool]


def read(warehouse: Warehouse, config: Settings, profile_id: str) -> View:
    """What the page of a profile shows; the profile exists."""
    last = today()
    rows = last_days(warehouse, last - timedelta(days=DAYS - 1), last, profile_id)
    with warehouse.read() as connection:
        profile = connection.execute(select(profiles).where(profiles.c.id == profile_id)).one()
        lines = list(_lines(connection, config, profile_id))
        uploads = [
            UploadSection(platform.name, part.noun, list(part.reports(connection, config, profile_id)))
            for platform in PLATFORMS
            if platform.uploads is not None and (part := platform.uploads.get())
        ]
        why = unsubscribe.why_suppressed(connection, profile.email, "security")
        wanted = unsubscribe.wanted(connection, profile.email)
        books = read_books(connection, profile_id)
    return View(
        name=one_line(profile.display_name or profile_id),
        mailbox=unsubscribe.masked(profile.email),
        unreachable=why or "",
        lines=lines,
        last=last,
        spans=_SPANS,
        words=words(sums(rows), _sources()),
        table=_table(rows, last),
        left_out=len({currency for _, _, currency, _ in rows}) > MOST_CURRENCIES,
        books=books,
        uploads=uploads,
        notify=profile.notify,
        choices=NOTIFY,
        categories=CATEGORIES,
        wanted=wanted,
    )


def save(warehouse: Warehouse, profile_id: str, fields: Mapping[str, Sequence[str]]) -> None:
    """Store what the form asks for; an unknown word leaves ``notify`` as it is."""
    asked = fields.get("notify", [""])[0]
    with warehouse.write() as connection:
        if asked in NOTIFY:
            connection.execute(update(profiles).where(profiles.c.id == profile_id).values(notify=asked))
        address = connection.execute(select(profiles.c.email).where(profiles.c.id == profile_id)).scalar_one()
        unsubscribe.choose(connection, address, dict.fromkeys(fields.get("mail", ()), True))


def sign_out(warehouse: Warehouse, profile_id: str) -> None:
    """End every session of a profile's page that has begun."""
    with warehouse.write() as connection:
        connection.execute(update(profiles).where(profiles.c.id == profile_id).values(signed_out_at=now()))


def is_over(warehouse: Warehouse, profile_id: str, since: float) -> bool:
    """Whether a session was ended by a sign-out.

    Args:
        warehouse: has the profile.
        profile_id: whose page.
        since: when the session began, seconds since 1970.
    """
    with warehouse.read() as connection:
        ended = connection.execute(select(profiles.c.signed_out_at).where(profiles.c.id == profile_id)).scalar()
    return ended is not None and since <= ended.timestamp()


def picture(warehouse: Warehouse, profile_id: str, *, wide: bool) -> bytes:
    """PNG of the net revenue of :data:`DAYS` days."""
    last = today()
    rows = last_days(warehouse, last - timedelta(days=DAYS - 1), last, profile_id)
    return _drawn(tuple(sorted(rows)), last, wide)


_drawing = threading.Lock()


@lru_cache(maxsize=64)
def _drawn(rows: tuple[tuple[date, str, str, int], ...], last: date, wide: bool) -> bytes:  # noqa: FBT001 - a cache's key
    # One at a time: it is all processor, and deliveries wait for the same one.
    with _drawing:
        return draw(rows, last, _sources(), DAYS, PAGE if wide else SMALL)


def _table(rows: Sequence[tuple[date, str, str, int]], last: date) -> list[Sums]:
    since = [sums(row for row in rows if row[0] > last - timedelta(days=days)) for days in _SPANS]
    return [
        Sums(
            f"{label_of(_sources(), platform)} {currency}",
            [grouped(to_text(span.get((platform, currency), 0), currency)) for span in since],
        )
        for platform, currency in since[-1]
    ]


def _sources() -> list[Source]:
    return [platform.source for platform in PLATFORMS]


def _lines(connection: Connection, config: Settings, profile_id: str) -> Iterator[Line]:
    table = platform_connections.c
    asked = select(table.provider, table.external_account_id, table.status, table.last_error, table.last_synced_at)
    found = connection.execute(asked.where(table.profile_id == profile_id)).all()
    for platform in PLATFORMS:
        if not config.enabled(platform.name):
            told = PageLine("Switched off", "Nothing is read at the moment; what arrives is kept.", good=False)
            yield Line(platform.name, platform.label, *told)
        elif platform.connects:
            own = (row for row in found if row.provider == platform.in_ledger and not _of_buyer(platform, row))
            account = accounts.known(connection, platform.in_ledger, profile_id)
            closed = _closed_parts(connection, platform, profile_id)
            yield _connection(config, platform, next(own, None), str(account or ""), closed)
        elif platform.page_line is not None:
            yield Line(platform.name, platform.label, *platform.page_line.get()(connection, profile_id))


def _of_buyer(platform: Platform, row: Any) -> bool:
    # Told by the account: the gateway's role may not read whether there is a token.
    return bool(platform.buyer_accounts) and (row.external_account_id or "").startswith(platform.buyer_accounts)


def _closed_parts(connection: Connection, platform: Platform, profile_id: str) -> list[NotReadable]:
    """What connecting again would let be read."""
    if platform.books is None:
        return []
    return [one for one in platform.books.get().not_readable(connection, profile_id) if one.brings]


def _connection(
    config: Settings, platform: Platform, row: Any, account: str, closed: Sequence[NotReadable] = ()
) -> Line:
    """A line of the connections.

    Args:
        config: says whether accounts can be connected here.
        platform: of the line.
        row: of the connection; None without one.
        account: its name.
        closed: what connecting again would let be read.
    """
    name, label = platform.name, platform.label
    can_connect = platform.oauth is not None and _is_set_up(platform.oauth.get(), config)
    ask = "" if can_connect else "Whoever runs this pipeline connects it for you."
    if row is None:
        return Line(name, label, "Not connected", ask, good=False, connect="Connect" if can_connect else "")
    synced = f"Synced {short_moment(row.last_synced_at)}" if row.last_synced_at else ""
    if row.status == "active":
        detail = "" if synced else "The first sync is under way."
        named = f"Account {account}." if account else ""
        told = [f"Connect once more to see {one.yours}: {one.brings}" for one in closed]
        again = "Connect again" if closed and can_connect else ""
        text = " ".join(filter(None, (named, detail, *told, ask if closed else "")))
        return Line(name, label, synced or "Connected", text, good=True, connect=again)
    reason = plain_error(row.last_error or "It was refused.", config)
    detail = " ".join(filter(None, (reason, ask, f"{synced}." if synced else "")))
    return Line(name, label, AGAIN, detail, good=False, connect="Connect again" if can_connect else "")


def _is_set_up(oauth: OAuth, config: Settings) -> bool:
    try:
        oauth.check(config)
    except ConfigError:
        return False
    return True
