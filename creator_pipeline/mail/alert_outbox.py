"""Sends the notices that wait for chat and on-call channels.

Mail and each channel wait for nobody but themselves. A notice that may have been taken without an answer is sent again
only to a service that can tell a repeat by its key; of any other the operators are told what it said, by mail and as a
notice of its own.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from creator_pipeline.core.budget import Budget
from creator_pipeline.core.errors import ConfigError, PipelineError
from creator_pipeline.core.windows import now, today
from creator_pipeline.mail import alert_rows, alerts, outbox
from creator_pipeline.mail.alert_rows import Claimed, Ended, Outcome
from creator_pipeline.mail.alert_sender import Service
from creator_pipeline.mail.alerts import Channel, Notice
from creator_pipeline.mail.outbox import digest, event_key
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse

LEASE_SECONDS = 60.0
"""Longer than one attempt can take."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class AlertReport:
    """What a flush did, in notices.

    Attributes:
        lost: failed for good, or may not have arrived.
        problem: why a channel can't be used; None when all can.
    """

    sent: int = 0
    retried: int = 0
    lost: int = 0
    problem: PipelineError | None = None


def flush(
    warehouse: Warehouse,
    settings: Settings,
    limit: int = 20,
    *,
    ids: Collection[str] | None = None,
    budget: Budget | None = None,
) -> AlertReport:
    """Send what is due; safe for any number of processes at once.

    Args:
        warehouse: has the notices.
        settings: name the channels.
        limit: attempts at most, of each channel.
        ids: only these notices.
        budget: no notice is begun when it is spent.

    Raises:
        TransientError: the warehouse can't be reached. What was being sent then counts as left behind.
    """
    report = AlertReport()
    with warehouse.read() as connection:
        if not alert_rows.any_due(connection, ids):
            return report
    found, time_left = alerts.channels(settings), budget or Budget(math.inf)
    with warehouse.write() as connection:
        names, keyed = [one.name for one in found], [one.name for one in found if one.keyed]
        ended = alert_rows.settle(connection, names, keyed)
        _tell_lost(connection, settings, [one for one in ended if one.channel in names])
    report.lost = len(ended)
    for one in ended:
        _log.warning("The notice %s was given up: %s", one.id, one.reason)
    for channel in found:
        try:
            _send(warehouse, settings, channel, limit, ids, report, time_left)
        except ConfigError as error:
            report.problem = error
    return report


def _send(
    warehouse: Warehouse,
    settings: Settings,
    channel: Channel,
    limit: int,
    ids: Collection[str] | None,
    report: AlertReport,
    time_left: Budget,
) -> None:
    for count in range(limit):
        with warehouse.read() as connection:
            if time_left.spent or not alert_rows.any_due_of(connection, channel.name, ids):
                return
        # All that can be done before the claim is: who dies after it leaves a notice that may have been sent.
        service = Service(channel)
        if count:
            time.sleep(service.pause)
        with warehouse.write() as connection:
            message = alert_rows.claim(connection, channel.name, LEASE_SECONDS, ids)
        if message is None:
            return
        outcome = service.send(message.payload)
        _record(warehouse, settings, message, outcome)
        if outcome.action == "sent":
            report.sent += 1
            continue
        _log.warning("The notice %s, attempt %d: %s", message.lease.id, message.lease.attempt, outcome.reason)
        if outcome.action == "retry":
            report.retried += 1
            return
        report.lost += 1


def _record(warehouse: Warehouse, settings: Settings, message: Claimed, outcome: Outcome) -> None:
    with warehouse.write() as connection:
        mine = alert_rows.record(connection, message, outcome)
        if mine and outcome.action in {"failed", "unknown"}:
            title, action = str(message.payload["title"]), outcome.action
            lost = Ended(message.lease.id, message.channel, message.kind, title, action, outcome.reason)
            _tell_lost(connection, settings, [lost])


def _tell_lost(connection: Connection, settings: Settings, ended: Sequence[Ended]) -> None:
    """Tell the operators of notices that are not sent any more: of each that may be missing, of others once a day."""
    for one in ended:
        if one.kind == alerts.TEST:
            continue  # who asked for it sees what became of it
        missing = one.status == "unknown"
        key = event_key("alert-lost", digest(one.id))
        if not missing:
            key = event_key("alert-failed", one.channel, today().isoformat())
        values = {
            "channel": one.channel,
            "title": one.title,
            "reason": one.reason,
            "missing": missing,
            "noted_at": moment_text(now()),
        }
        outbox.add_each(connection, settings, *outbox.to_ops(settings, key, "ops_alert_lost", values))
        if missing and one.kind != alerts.LOST:
            facts = [("Why", one.reason), ("Next step", "Look whether it is there; it is not sent again.")]
            title = f"A notice may not have arrived here: {one.title}"
            notice = Notice(key, alerts.LOST, title, facts, "warning")
            alerts.add(connection, settings, notice, only=[one.channel])
