"""What a creator's page shows of one profile, and what it changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import today
from creator_pipeline.ledger.chart import MOST_CURRENCIES, NAMES, PAGE, SMALL, draw, sums, words
from creator_pipeline.ledger.rollup import last_days
from creator_pipeline.mail import unsubscribe
from creator_pipeline.mail.kinds import CATEGORIES
from creator_pipeline.mail.render import one_line
from creator_pipeline.mail.wording import plain_error, short_moment
from creator_pipeline.platforms.gumroad import oauth
from creator_pipeline.platforms.kdp import page as kdp_page
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
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


class Platform(NamedTuple):
    """A line of the connections. ``connect`` is the button's text; empty where there is none."""

    name: str
    state: str
    detail: str
    good: bool
    connect: str = ""


class Sums(NamedTuple):
    """A line of the table: net amounts as text, one for each of the spans."""

    name: str
    amounts: list[str]


@dataclass(frozen=True, slots=True)
class View:
    """Everything the page shows, as text."""

    name: str
    mailbox: str
    unreachable: str
    platforms: list[Platform]
    last: date
    spans: Sequence[int]
    words: str
    table: list[Sums]
    left_out: bool
    uploads: list[kdp_page.UploadedReport]
    notify: str
    choices: Mapping[str, str]
    categories: Mapping[str, str]
    wanted: Mapping[str, bool]


def look(warehouse: Warehouse, config: Settings, profile_id: str) -> View:
    """The page of a profile that exists."""
    last = today()
    rows = last_days(warehouse, last - timedelta(days=DAYS - 1), last, profile_id)
    with warehouse.read() as connection:
        profile = connection.execute(select(profiles).where(profiles.c.id == profile_id)).one()
        platforms = list(_platforms(connection, config, profile_id))
        uploads = list(kdp_page.uploaded_reports(connection, config, profile_id))
        why = unsubscribe.why_suppressed(connection, profile.email, "security")
        wanted = unsubscribe.wanted(connection, profile.email)
    return View(
        name=one_line(profile.display_name or profile_id),
        mailbox=unsubscribe.masked(profile.email),
        unreachable=why or "",
        platforms=platforms,
        last=last,
        spans=_SPANS,
        words=words(sums(rows)),
        table=_table(rows, last),
        left_out=len({currency for _, _, currency, _ in rows}) > MOST_CURRENCIES,
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
        return draw(rows, last, DAYS, PAGE if wide else SMALL)


def _table(rows: Sequence[tuple[date, str, str, int]], last: date) -> list[Sums]:
    since = [sums(row for row in rows if row[0] > last - timedelta(days=days)) for days in _SPANS]
    return [
        Sums(f"{NAMES[platform]} {currency}", [to_text(span.get((platform, currency), 0), currency) for span in since])
        for platform, currency in since[-1]
    ]


def _platforms(connection: Connection, config: Settings, profile_id: str) -> Iterator[Platform]:
    table = platform_connections
    # A buyer's Whop user is a connection without a token. Not asked by the token: the gateway's role may not read it.
    account = func.coalesce(table.c.external_account_id, "")
    found = connection.execute(
        select(table.c.provider, table.c.status, table.c.last_error, table.c.last_synced_at).where(
            table.c.profile_id == profile_id, ~account.startswith("user_", autoescape=True)
        )
    ).all()
    known = {row.provider: row for row in found}
    for provider, name in NAMES.items():
        if not config.enabled("kdp" if provider == "amazon_kdp" else provider):
            yield Platform(name, "Switched off", "Nothing is read at the moment; what arrives is kept.", good=False)
        elif provider == "amazon_kdp":
            yield Platform(name, *kdp_page.page_line(connection, profile_id))
        else:
            yield _platform(config, provider, name, known.get(provider))


def _platform(config: Settings, provider: str, name: str, row: Any) -> Platform:
    can_connect = provider == "gumroad" and _has_app(config)
    ask = "" if can_connect else "Whoever runs this pipeline connects it for you."
    if row is None:
        return Platform(name, "Not connected", ask, good=False, connect="Connect" if can_connect else "")
    synced = f"Synced {short_moment(row.last_synced_at)}" if row.last_synced_at else ""
    if row.status == "active":
        return Platform(name, synced or "Connected", "" if synced else "The first sync is under way.", good=True)
    reason = plain_error(row.last_error or "It was refused.", config)
    detail = " ".join(filter(None, (reason, ask, f"{synced}." if synced else "")))
    return Platform(name, AGAIN, detail, good=False, connect="Connect again" if can_connect else "")


def _has_app(config: Settings) -> bool:
    try:
        oauth.oauth_app(config)
    except ConfigError:
        return False
    return True
