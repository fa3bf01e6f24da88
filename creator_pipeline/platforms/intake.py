"""What becomes of a delivery: whose it is, its row in ``webhook_events``, and the jobs that follow from it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, tuple_, update

from creator_pipeline.core.windows import now
from creator_pipeline.platforms import PLATFORMS, of_provider
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.webhooks import Account, Delivery
from creator_pipeline.queue.jobs import JobQueue, NewJob
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections, webhook_events
from creator_pipeline.store.upserts import insert_into

Status = Literal["stored", "queued", "ignored"]


class Stored(NamedTuple):
    """``new`` is false for a repeat."""

    new: bool
    status: Status


@dataclass(frozen=True, slots=True)
class _Plan:
    status: Status
    profile_id: str | None = None
    jobs: tuple[NewJob, ...] = field(default=())
    note: str | None = None


def sending_platforms() -> list[Platform]:
    """Those whose deliveries become jobs."""
    return [platform for platform in PLATFORMS if platform.webhooks is not None]


def read_accounts(connection: Connection) -> list[Account]:
    """All connections, without their tokens: the gateway's role may not read those."""
    table = platform_connections.c
    asked = select(table.provider, table.profile_id, table.external_account_id, table.status)
    return [Account(*row) for row in connection.execute(asked.order_by(table.profile_id))]


def job_id(delivery: Delivery, profile_id: str, repeat: int = 0) -> str:
    """The same for the same delivery, so that it can be put in again safely."""
    parts = [delivery.provider, delivery.delivery_id, profile_id, *([str(repeat)] if repeat else [])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class Intake:
    """Writes deliveries and their jobs. Safe to share between threads.

    Args:
        warehouse: where both are stored.
        queue: takes the jobs.
        config: flags, and what platforms look up to find an owner.
    """

    def __init__(self, warehouse: Warehouse, queue: JobQueue, config: Settings) -> None:
        self._warehouse = warehouse
        self._queue = queue
        self._config = config

    def commit(self, batch: Sequence[Delivery]) -> tuple[list[Stored], list[NewJob]]:
        """Write a batch in one transaction; returns what became of each delivery, and the jobs to announce.

        Raises:
            TransientError: nothing was written.
        """
        first: dict[tuple[str, str], Delivery] = {}
        for delivery in batch:
            first.setdefault(delivery.key, delivery)
        times = Counter(delivery.key for delivery in batch)
        with self._warehouse.write() as connection:
            accounts = read_accounts(connection)
            plans = {key: self.plan(delivery, accounts) for key, delivery in first.items()}
            new = self._insert(connection, [(first[key], plans[key]) for key in sorted(first)])
            again = {key: count - (key in new) for key, count in times.items() if count > (key in new)}
            jobs = [job for key in new for job in plans[key].jobs]
            if again:
                seen = _count_repeats(connection, again)
                jobs += [
                    NewJob(job.profile_id, job.source, job.kind, job.payload, id=job_id(first[key], job.profile_id, n))
                    for key, n in seen.items()
                    # In this very batch the first one's job has not begun: it will see both.
                    if first[key].alike and key not in new
                    for job in plans[key].jobs
                ]
            self._queue.add(connection, jobs)
        unseen = set(new)
        outcomes: list[Stored] = []
        for delivery in batch:
            outcomes.append(Stored(delivery.key in unseen, plans[delivery.key].status))
            unseen.discard(delivery.key)
        return outcomes, jobs

    def plan(self, delivery: Delivery, accounts: Sequence[Account]) -> _Plan:
        """What follows from a delivery, given the connections of this moment."""
        platform = of_provider(delivery.provider)
        if platform is None or platform.webhooks is None:
            return _Plan("stored", delivery.profile_id)
        own = [account for account in accounts if account.provider == delivery.provider]
        if delivery.profile_id is not None:
            found = [account for account in own if account.profile_id == delivery.profile_id]
        else:
            found = platform.webhooks.get().owners(delivery, own, self._config)
        profile_id = found[0].profile_id if len(found) == 1 else None
        if not delivery.work or not found:
            return _Plan("ignored", profile_id, note=_note(delivery) if delivery.work else None)
        # A revoked account can't be asked: a replay makes the job once it is connected again.
        ready = [account for account in found if account.status != "revoked"]
        if not ready or not self._config.enabled(platform.name):
            return _Plan("stored", profile_id)
        jobs = tuple(
            NewJob(
                account.profile_id,
                platform.name,
                "webhook",
                delivery.payload,
                id=job_id(delivery, account.profile_id),
            )
            for account in ready
        )
        return _Plan("queued", profile_id, jobs)

    @staticmethod
    def _insert(connection: Connection, rows: Sequence[tuple[Delivery, _Plan]]) -> set[tuple[str, str]]:
        # In the order of the keys: two gateways that get the same deliveries must not wait for each other crosswise.
        statement = (
            insert_into(connection, webhook_events)
            .on_conflict_do_nothing()
            .returning(webhook_events.c.provider, webhook_events.c.delivery_id)
        )
        received = now()
        values = [
            {
                "provider": delivery.provider,
                "delivery_id": delivery.delivery_id,
                "received_at": received,
                "verified": True,
                "profile_id": plan.profile_id,
                "event_type": delivery.event_type,
                "payload": orjson.dumps(delivery.payload).decode(),
                "status": plan.status,
                "job_id": plan.jobs[0].id if plan.jobs else None,
                "repeats": 0,
                "account_id": delivery.account_id[:100] if delivery.account_id else None,
                "note": plan.note,
            }
            for delivery, plan in rows
        ]
        return {(row[0], row[1]) for row in connection.execute(statement, values)}


def _note(delivery: Delivery) -> str:
    """Why nothing follows from a delivery that asks for something."""
    if delivery.profile_id:
        return f"{delivery.profile_id} is not connected"
    return f"no profile is connected to {delivery.account_id or 'an account'}"


def _count_repeats(connection: Connection, again: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Add to ``repeats``; returns the new figures."""
    table = webhook_events
    key = tuple_(table.c.provider, table.c.delivery_id)
    rows = connection.execute(
        select(table.c.provider, table.c.delivery_id, table.c.repeats)
        .where(key.in_(sorted(again)))
        .order_by(table.c.provider, table.c.delivery_id)
        .with_for_update()
    ).all()
    for count in sorted(set(again.values())):
        same = [one for one, number in again.items() if number == count]
        connection.execute(update(table).where(key.in_(same)).values(repeats=table.c.repeats + count))
    return {(row[0], row[1]): row[2] + again[row[0], row[1]] for row in rows}


def jobs_of_waiting(
    warehouse: Warehouse, queue: JobQueue, config: Settings, which: ColumnElement[bool], *, most: int | None = None
) -> int:
    """Make jobs of deliveries that were only stored, as far as something follows from them by now.

    Returns the number of jobs. Of two processes that do so at once each job is made once.

    Args:
        warehouse: where both are stored.
        queue: takes the jobs.
        config: flags of this moment; what is switched off stays stored.
        which: condition of ``webhook_events``.
        most: deliveries at most, the oldest first; None for all.
    """
    providers = [platform.in_ledger for platform in sending_platforms()]
    table = webhook_events
    asked = select(table).where(table.c.provider.in_(providers), which).order_by(table.c.received_at).limit(most)
    intake = Intake(warehouse, queue, config)
    put: list[NewJob] = []
    with warehouse.write() as connection:
        accounts = read_accounts(connection)
        for row in connection.execute(asked).mappings().all():
            delivery = Delivery(
                row["provider"],
                row["delivery_id"],
                row["event_type"],
                orjson.loads(row["payload"]),
                profile_id=row["profile_id"],
                account_id=row["account_id"],
            )
            plan = intake.plan(delivery, accounts)
            if not plan.jobs:
                continue
            connection.execute(
                update(table)
                .where(table.c.provider == delivery.provider, table.c.delivery_id == delivery.delivery_id)
                .values(status=plan.status, job_id=plan.jobs[0].id, note=None)
            )
            put += plan.jobs
        queue.add(connection, put)
    queue.announce(put)
    return len(put)


def waiting_for(providers: Collection[str]) -> ColumnElement[bool]:
    """Condition of ``webhook_events``: stored without a job, of these providers, for a profile that can be asked.

    A flag was off when it came, or the account was refused.
    """
    events, accounts = webhook_events.c, platform_connections.c
    ready = select(1).where(
        accounts.provider == events.provider, accounts.profile_id == events.profile_id, accounts.status != "revoked"
    )
    return and_(
        events.status == "stored", events.provider.in_(providers), or_(events.profile_id.is_(None), exists(ready))
    )
