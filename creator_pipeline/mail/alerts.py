"""Notices for chat and on-call channels: which channels there are, what each is told, and the rows of it.

A notice is written in the transaction that writes the event's mail, under the same key: one row for each channel that
wants its topic. :mod:`.alert_outbox` sends them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection

from creator_pipeline.core.secrets import redact, without_addresses
from creator_pipeline.core.windows import now
from creator_pipeline.mail.outbox import digest
from creator_pipeline.mail.render import one_line
from creator_pipeline.settings import Settings
from creator_pipeline.store.leases import database_time
from creator_pipeline.store.tables import alert_messages
from creator_pipeline.store.upserts import insert_new

TOPICS = {
    "failure": "a problem that pipeline_health found",
    "mended": "such a problem is over",
    "backfill": "a backfill ended",
    "files": "uploaded files were read or refused",
}
"""First words of topics, and what is told under them. ``failure/books`` is a part of ``failure``."""
KEYED = frozenset({"form", "forms", "json", "jsons", "pagerduty", "xml", "xmls"})
"""Services that get the event's key with each attempt, so that they can tell a repeat."""
LOST, TEST = "lost", "test"
"""Kinds of notices that are no topic: about another notice, and one that was asked for."""
SHOWN = 5
"""Most problems that a notice lists."""

_MOST_TITLE, _MOST_BODY = 200, 1_500
# Discord takes 2,000 characters; what is longer would be several messages, or none.
_ENTRY = re.compile(r"(?:([a-z_/]+(?:,[a-z_/]+)*)=)?([a-z][a-z0-9]*)://\S+")


@dataclass(frozen=True, slots=True)
class Channel:
    """One entry of ``ALERT_URLS``.

    Attributes:
        name: its service, with a number from the second of the same on: ``slack``, ``slack-2``.
        url: Apprise's address of it; a secret.
        topics: what it wants; everything where none is given.
    """

    name: str
    url: str
    topics: tuple[str, ...] = ()

    @property
    def keyed(self) -> bool:
        """Whether a repeat can be told by its key."""
        return self.url.partition("://")[0] in KEYED

    def wants(self, topic: str) -> bool:
        """Whether it is told of a topic, as ``failure/books``."""
        return not self.topics or any(topic == each or topic.startswith(f"{each}/") for each in self.topics)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of one event.

    Attributes:
        key: of the event, as its mail has it.
        topic: a word of :data:`TOPICS`, with a part after a slash; or :data:`LOST` or :data:`TEST`.
        title: what happened, in a line.
        facts: name and value of each line below it; those without a value are left out.
        kind: ``failure``, ``warning``, ``success`` or ``info``: the colour.
        profile_id: whose event; None for several or the installation's.
        never_to: names of channels that it is not for.
    """

    key: str
    topic: str
    title: str
    facts: Sequence[tuple[str, object]] = ()
    kind: str = "failure"
    profile_id: str | None = None
    never_to: frozenset[str] = frozenset()


def channels(settings: Settings) -> list[Channel]:
    """The entries of ``ALERT_URLS`` that can be read; the doctor names the others by their place."""
    return [] if settings.alert_urls is None else _read(settings.alert_urls.get_secret_value())[0]


def unreadable(settings: Settings) -> list[str]:
    """What is wrong with the other entries of ``ALERT_URLS``, without the addresses."""
    return [] if settings.alert_urls is None else _read(settings.alert_urls.get_secret_value())[1]


@lru_cache(maxsize=4)
def _read(text: str) -> tuple[list[Channel], list[str]]:
    found, wrong, count = list[Channel](), list[str](), dict[str, int]()
    for place, entry in enumerate(text.split(), 1):
        fits = _ENTRY.fullmatch(entry)
        if fits is None:
            wrong.append(f"entry {place} is no address: slack://…, or failure,mended=slack://…")
            continue
        topics, service = tuple(filter(None, (fits[1] or "").split(","))), fits[2]
        if unknown := [one for one in topics if one.partition("/")[0] not in TOPICS]:
            wrong.append(f"entry {place} names {', '.join(unknown)}, which is none of {', '.join(TOPICS)}")
            continue
        count[service] = count.get(service, 0) + 1
        name = service if count[service] == 1 else f"{service}-{count[service]}"
        found.append(Channel(name, entry.removeprefix(f"{fits[1]}=") if fits[1] else entry, topics))
    return found, wrong


def wanted(settings: Settings, topic: str) -> bool:
    """Whether any channel is told of a topic."""
    return any(one.wants(topic) for one in channels(settings))


def add(connection: Connection, settings: Settings, notice: Notice, *, only: Iterable[str] | None = None) -> list[str]:
    """Write a notice for each channel that wants it, within the caller's transaction; a known key changes nothing.

    Args:
        connection: a write transaction.
        settings: name the channels.
        notice: the event.
        only: names of channels, which get it whatever they want.

    Returns:
        ids of the rows, new ones and old ones.
    """
    if only is None:
        mine = [one for one in channels(settings) if one.wants(notice.topic)]
    else:
        mine = [one for one in channels(settings) if one.name in set(only)]
    payload = orjson.dumps(_words(settings, notice)).decode()
    ids = list[str]()
    for channel in mine:
        if channel.name in notice.never_to:
            continue
        key = row_id(notice.key, channel.name)
        row = {
            "id": key,
            "channel": channel.name,
            "kind": notice.topic,
            "profile_id": notice.profile_id,
            "payload": payload,
            "status": "queued",
            "attempts": 0,
            "created_at": now(),
            "next_attempt_at": database_time(connection),
        }
        insert_new(connection, alert_messages, row)
        ids.append(key)
    return ids


def row_id(key: str, channel: str) -> str:
    """The id of an event's notice to a channel."""
    return f"{key if len(key) <= 200 else digest(key)}@{channel}"


def run_url(settings: Settings, run_id: str | None) -> str:
    """The page of a run in the Dagster UI; empty where there is no run."""
    return f"{settings.dagster_url}/runs/{run_id}" if run_id else ""


def _words(settings: Settings, notice: Notice) -> dict[str, Any]:
    """What is sent: bounded, without secrets, and without anybody's address."""
    secrets = settings.secret_values()
    said = ((name, one_line(str(value))) for name, value in notice.facts if value)
    lines = [f"{name}: {value}" if name else value for name, value in said]
    title, body = (
        without_addresses(redact(text, secrets)) for text in (one_line(notice.title), "\n".join(lines) or " ")
    )
    return {"title": _cut(title, _MOST_TITLE), "body": _cut(body, _MOST_BODY), "kind": notice.kind, "key": notice.key}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
