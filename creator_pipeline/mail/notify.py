"""Who is told what of the pipeline's events. Hooks, sensors and nets call these; one mail results from all of them.

Each ``notify_…`` writes to the outbox in one transaction and returns the ids of the mails that tell of the event,
whoever wrote them. What was told before is read from the outbox itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from creator_pipeline.core.windows import now
from creator_pipeline.mail import history, outbox, page_link
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.owner_words import (
    ACCESS,
    Trigger,
    in_words,
    partitions_text,
    step_of,
    wants_failure,
    wants_success,
)
from creator_pipeline.mail.values import completed_key, completed_values, failed_key, failed_values
from creator_pipeline.mail.wording import moment_text, plain_error
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.source import Source
from creator_pipeline.store.tables import platform_connections

REPEAT_AFTER = timedelta(hours=20)
"""The same failure is told again after this: a nightly job that starts an hour early still tells each night."""

RECOVERED = "ingestion_recovered"


def notify_success(
    warehouse: Warehouse,
    settings: Settings,
    *,
    profile_id: str,
    event_id: str,
    source: Source,
    trigger: Trigger,
    events_count: int,
    partitions: Sequence[str] = (),
    unit: str = "",
) -> list[str]:
    """An ingestion came to its end. Where its failure was told before, the mail tells of the recovery.

    Args:
        event_id: the queue's job id, else the id of the root run: the same from every teller.
        partitions: partitions or the file's name, for people.
        unit: what fails and recovers by itself within the source: a file's id; empty for a whole source.
    """
    return _succeeded(
        warehouse,
        settings,
        _Success(profile_id, event_id, source, unit, partitions, events_count),
        trigger,
    )


def notify_failure(
    warehouse: Warehouse,
    settings: Settings,
    *,
    profile_id: str,
    event_id: str,
    source: Source,
    trigger: Trigger,
    error_message: str,
    error_code: str = "",
    partitions: Sequence[str] = (),
    unit: str = "",
    next_step: str = "",
    will_retry: bool = False,
    killed: bool = False,
) -> list[str]:
    """An ingestion failed: its owner is told where it concerns them; the same failure at most daily, until it is over.

    Operators are told by ``pipeline_health``, of all that has one cause together.

    Args:
        warehouse: has the outbox.
        settings: of this installation.
        profile_id: whose ingestion.
        source: the platform that was read.
        trigger: who started it.
        error_message: cleaned here of stack trace and secrets.
        event_id, partitions, unit: as for :func:`notify_success`.
        error_code: ``PipelineError.code``, where known: with source and unit it is what makes two failures the same.
        next_step: what the owner can do, a sentence; by the kind of failure where not given.
        will_retry: it is tried again: nothing is told.
        killed: its process ended without a word, which is no concern of the owner's.
    """
    if will_retry or killed or trigger == "backfill":
        return []
    what = in_words(source, partitions, unit)
    step = next_step or step_of(source, error_code, unit)
    values = failed_values(settings, event_id, error_message, source=source.label, what=what, next_step=step)
    tags = history.tags_for(source.name, unit) | {"failure": digest(profile_id, source.name, unit, error_code)}
    with warehouse.write() as connection:
        history.lock_notifications(connection, profile_id, source.name)
        owner = history.owner_of(connection, profile_id)
        if owner is None or not wants_failure(owner.notify, trigger, error_code, unit):
            return []
        if error_code in ACCESS and _status(connection, source, profile_id) == "revoked":
            return []  # notify_revoked tells of the cause
        key = failed_key(event_id, owner.email)
        mail = Mail(key, "ingestion_failed", owner.email, values, profile_id, tags)
        return [mail.id] if _tell(connection, settings, mail) else []


def _status(connection: Connection, source: Source, profile_id: str) -> str | None:
    table = platform_connections.c
    mine = (table.provider == source.provider, table.profile_id == profile_id)
    return connection.execute(select(table.status).where(*mine)).scalar()


def notify_backfill(
    warehouse: Warehouse,
    settings: Settings,
    *,
    profile_id: str,
    backfill_id: str,
    source: Source,
    partitions: int,
    failed: int,
    failed_partitions: Sequence[str] = (),
    events_count: int | None = None,
    next_step: str = "Run the same backfill again: it does only what is left.",
) -> list[str]:
    """A backfill ended: one digest for each profile in it; one when it was resumed and nothing is left to do.

    Without failures only for who asked for every success, or was told of failures before.

    Args:
        warehouse: has the outbox.
        settings: of this installation.
        profile_id: whose partitions.
        backfill_id: the same from every teller.
        source: the platform that was read.
        partitions: number of partitions that were to be loaded.
        failed: number of those that did not land.
        failed_partitions: keys of those that did not land.
        events_count: number of ledger events; None where it is not known.
        next_step: what to do about failures, a sentence.
    """
    values = {
        "backfill_id": backfill_id,
        "source": source.label,
        "partitions": partitions,
        "failed": failed,
        "failed_partitions": partitions_text(failed_partitions),
        "event_count": events_count,
        "next_step": next_step,
        "finished_at": moment_text(now()),
    }
    mails: list[Mail] = []
    with warehouse.write() as connection:
        owner = history.owner_of(connection, profile_id)
        bad, good = (event_key(word, backfill_id, source.name, profile_id) for word in ("backfill-failed", "backfill"))
        wanted = owner is not None and (failed or owner.notify == "every" or history.known(connection, bad))
        if owner is not None and owner.notify != "none" and wanted:
            key = bad if failed else good
            kind = "backfill_failed" if failed else "backfill_finished"
            mails.append(Mail(key, kind, owner.email, values, profile_id, {"source": source.name}))
        return outbox.add_each(connection, settings, *mails)


def notify_revoked(
    warehouse: Warehouse,
    settings: Settings,
    *,
    profile_id: str,
    source: Source,
    reason: str,
    reconnect_url: str | None = None,
) -> list[str]:
    """A platform refuses the connection's token: the owner is told once, until the connection has worked again.

    Args:
        warehouse: has the connection and the outbox.
        settings: of this installation.
        profile_id: whose connection.
        source: the platform that refuses.
        reason: the error's message; cleaned here of stack trace and secrets.
        reconnect_url: where the owner connects again; None for their own page.
    """
    table = platform_connections
    with warehouse.write() as connection:
        owner = history.owner_of(connection, profile_id)
        if owner is None or owner.notify == "none":
            return []
        worked = connection.execute(
            select(table.c.last_synced_at).where(table.c.provider == source.provider, table.c.profile_id == profile_id)
        ).scalar()
        key = event_key("revoked", source.provider, profile_id, worked.isoformat() if worked else "never")
        values = {
            "platform": source.label,
            "profile_id": profile_id,
            "reason": plain_error(reason, settings),
            "url": reconnect_url or page_link.url(settings, profile_id, owner.email),
            "next_step": f"Press Connect again beside {source.label} on your page. If there is no such button, ask "
            "whoever runs this pipeline. What was sold in between is read then.",
        }
        return outbox.add_each(connection, settings, Mail(key, "connection_revoked", owner.email, values, profile_id))


@dataclass(frozen=True, slots=True)
class _Success:
    profile_id: str
    event_id: str
    source: Source
    unit: str
    partitions: Sequence[str]
    events_count: int


def _succeeded(warehouse: Warehouse, settings: Settings, success: _Success, trigger: Trigger) -> list[str]:
    """One mail under the success's key: of the recovery where a failure is open, else of the success if wanted."""
    profile_id, source = success.profile_id, success.source
    with warehouse.write() as connection:
        owner = history.owner_of(connection, profile_id)
        if owner is None:
            return []
        history.lock_notifications(connection, profile_id, source.name)
        key = completed_key(success.event_id, owner.email)
        if history.known(connection, key):
            return [key]
        failure = history.open_failure(connection, owner, source.name, success.unit)
        if failure is not None:
            kind, values = RECOVERED, _recovered_values(success, failure)
        elif wants_success(owner.notify, trigger):
            kind = "ingestion_completed"
            values = completed_values(
                success.event_id, success.events_count, source=source.label, what=partitions_text(success.partitions)
            )
        else:
            return []
        tags = history.tags_for(source.name, success.unit)
        return outbox.add_each(connection, settings, Mail(key, kind, owner.email, values, profile_id, tags))


def _recovered_values(success: _Success, failure: history.Told) -> dict[str, Any]:
    return {
        "source": success.source.label,
        "what": in_words(success.source, success.partitions, success.unit),
        "event_count": success.events_count,
        "failed_since": moment_text(failure.created_at),
        "finished_at": moment_text(now()),
    }


def _tell(connection: Connection, settings: Settings, mail: Mail) -> bool:
    """Store a failure's mail; False where the same failure was told within the day, and is not over since."""
    if history.known(connection, mail.id):
        return True
    unit = {name: mail.tags[name] for name in ("source", "unit")}
    for told in history.told_to(connection, mail.to, [mail.kind, RECOVERED], now() - REPEAT_AFTER):
        if told.kind == RECOVERED and unit.items() <= told.tags.items():
            break
        if told.tags.get("failure") == mail.tags["failure"]:
            return False
    return bool(outbox.add_each(connection, settings, mail))
