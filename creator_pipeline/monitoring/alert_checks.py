"""Checks of the channels of ALERT_URLS: set up, and whether what is sent to them arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

from sqlalchemy import inspect

from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.mail import alert_outbox, alert_rows, alerts
from creator_pipeline.mail.alert_rows import Standing
from creator_pipeline.mail.alert_sender import Service
from creator_pipeline.mail.alerts import Channel, Notice
from creator_pipeline.mail.outbox import event_key
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.monitoring.told_together import CHANNEL
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, connect_as_is
from creator_pipeline.store.tables import alert_messages

WAITED_MINUTES = 10
"""A notice that waits for so long is stuck."""
TEST_SECONDS = 20.0
_TEST = "creator-pipeline alerts test"


def setup(config: Settings) -> list[Check]:
    """Lines of the doctor: what is written wrong, and each channel."""
    if config.alert_urls is None:
        return [Check("alerts", lambda: [Finding("alerts", "off", "ALERT_URLS is not set: notices go by mail only.")])]
    return [
        Check("alerts", lambda: wrong(config)),
        *(Check(f"alerts {one.name}", lambda one=one: [of_channel(config, one)]) for one in alerts.channels(config)),
    ]


def wrong(config: Settings) -> Iterator[Finding]:
    """Entries of ALERT_URLS that can't be read. Their addresses are secrets, so they are named by their place."""
    for each in alerts.unreadable(config):
        hint = "Entries are separated by spaces; see docs/alerts.md."
        yield Finding("alerts", "no", f"ALERT_URLS: {each}.", hint)


def of_channel(config: Settings, channel: Channel) -> Finding:
    """Whether a channel's address can be used, and what became of what was sent there. Nothing is sent."""
    name = f"alerts {channel.name}"
    try:
        Service(channel)
    except ConfigError as error:
        return Finding(name, "no", error.message, error.hint)
    with connect_as_is(config.warehouse_url) as connection:
        there = connection is not None and inspect(connection).has_table(alert_messages.name)
        found = alert_rows.standing(connection).get(channel.name) if connection is not None and there else None
    topics = f"of {', '.join(channel.topics)}" if channel.topics else "of everything"
    if found is not None and (text := _stuck(channel.name, found)):
        return Finding(name, "no", text, f"{_TEST} {channel.name}")
    if found is None or found.sent_at is None:
        return Finding(name, "unknown", f"told {topics}; nothing was sent there yet.", f"{_TEST} {channel.name}")
    return Finding(name, "ok", f"told {topics}; the last notice was taken {moment_text(found.sent_at)}")


def delivery(warehouse: Warehouse, config: Settings) -> Iterator[Finding]:
    """Channels that take nothing, or can't be used: problems of ``pipeline_health``."""
    for place, each in enumerate(alerts.unreadable(config), 1):
        yield Finding(f"{CHANNEL}entry/{place}", "no", f"ALERT_URLS: {each}.", "See docs/alerts.md.", "ALERT_URLS")
    with warehouse.read() as connection:
        standing = alert_rows.standing(connection)
    for channel in alerts.channels(config):
        if text := _stuck(channel.name, standing.get(channel.name, Standing())):
            hint = f"{_TEST} {channel.name}; is the sensor alert_outbox on?"
            yield Finding(f"{CHANNEL}{channel.name}", "no", text, hint, f"The channel {channel.name}")


def _stuck(name: str, found: Standing) -> str:
    """What is wrong with a channel whose notices wait; empty where none waits for long."""
    if found.oldest is None or (now() - found.oldest).total_seconds() < WAITED_MINUTES * 60:
        return ""
    said = number(found.waiting, f"notice to {name} waits", f"notices to {name} wait")
    return f"{said}, the oldest since {found.oldest:%Y-%m-%d %H:%M} UTC: {found.error or 'nobody sends it.'}"


def send_test(warehouse: Warehouse, config: Settings, names: Sequence[str]) -> list[Finding]:
    """Send a notice that asks for nothing to channels, and wait until each was taken or refused.

    Args:
        warehouse: has the outbox.
        config: names the channels.
        names: of channels.
    """
    found = list[Finding]()
    for name in names:
        facts = [("When", moment_text(now())), ("", "It was asked for. Nothing is to be done.")]
        notice = Notice(event_key("test", uuid4().hex), alerts.TEST, "Notices arrive here.", facts, "info")
        with warehouse.write() as connection:
            ids = alerts.add(connection, config, notice, only=[name])
        report = alert_outbox.flush(warehouse, config, limit=1, ids=ids)
        with warehouse.read() as connection:
            status, error = next(iter(alert_rows.statuses(connection, ids).values()))
        deadline = time.monotonic() + TEST_SECONDS
        while status == "sending" and time.monotonic() < deadline:  # the sensor was first
            time.sleep(0.2)
            with warehouse.read() as connection:
                status, error = next(iter(alert_rows.statuses(connection, ids).values()))
        if status == "sent":
            found.append(Finding(f"alerts {name}", "ok", "a notice was taken"))
            continue
        said = report.problem.message if report.problem else f"It is {status}: {error}"
        hint = report.problem.hint if report.problem else "Is the address right? See docs/alerts.md."
        found.append(Finding(f"alerts {name}", "no", said, hint))
    return found
