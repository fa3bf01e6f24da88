"""Several senders at once, one of them killed between the answer and its note, Resend failing in every way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from creator_pipeline import settings as environment
from creator_pipeline.mail import mailer, messages, outbox
from creator_pipeline.mail.mailer import Verdict
from creator_pipeline.mail.messages import Claimed
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline_tests.support.sandbox import SandboxServer

MAILS = 60
FAULTS = {
    7: "rate_limit_exceeded",
    8: "application_error",
    9: "truncated",
    11: "reset",
    13: "concurrent_idempotent_requests",
    17: "slow",
}


def send(database: str, variables: dict[str, str], killed_at: int, done: Path) -> None:
    """Flush until nothing is open; die after so many sends, before the last one is noted."""
    os.environ.update(variables)
    outbox.LEASE_SECONDS = 0.5
    mailer.TIMEOUT_SECONDS = 0.2
    messages.backoff = lambda _attempts: 0.05
    warehouse, settings = open_warehouse(database), environment.load()
    note, sends = outbox._record, 0

    def record(warehouse: Warehouse, message: Claimed, verdict: Verdict) -> None:
        nonlocal sends
        sends += verdict.action == "sent"
        if verdict.action == "sent" and sends == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        note(warehouse, message, verdict)

    outbox._record = record
    while open_mails(warehouse):
        if not outbox.flush(warehouse, settings, 10).sent:
            time.sleep(0.02)
    done.touch()


def open_mails(warehouse: Warehouse) -> int:
    table = email_messages
    with warehouse.read() as connection:
        return len(connection.execute(select(table.c.id).where(table.c.status.in_(messages.OPEN))).all())


def test_each_event_is_one_mail_though_senders_race_and_die_and_resend_fails(
    warehouse: Warehouse, settings: Settings, server: SandboxServer, resend: ResendApi, tmp_path: Path
) -> None:
    """Two mails of one event, or none, after a crash."""
    outbox.write(
        warehouse,
        settings,
        *(
            Mail(f"e/{n}", "subscription_updated", "alice@example.net", {"tier": "pro", "plan_name": f"Plan {n}"})
            for n in range(MAILS)
        ),
    )
    for n, kind in FAULTS.items():
        server.faults.every(n, kind, path="/emails")
    server.faults.delay = 0.3
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    variables = {name: os.environ[name] for name in ENVIRONMENT}
    url = warehouse.engine.url.render_as_string(hide_password=False)
    arguments: list[tuple[Any, ...]] = [(url, variables, at, tmp_path / f"{n}") for n, at in enumerate((5, 9, 0))]
    senders = [context.Process(target=send, args=each) for each in arguments]
    *dying, last = senders
    # On a fast machine the last one would have sent everything before the others came to the point where they die.
    for together in (dying, [last]):
        for sender in together:
            sender.start()
        for sender in together:
            sender.join()
    assert [sender.exitcode for sender in senders] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert Counter(mail.idempotency_key for mail in resend.inbox) == Counter(f"e/{n}" for n in range(MAILS))
    with warehouse.read() as connection:
        rows = connection.execute(select(email_messages.c.status, email_messages.c.provider_id)).all()
    assert {row.status for row in rows} == {"sent"}
    assert {row.provider_id for row in rows} == {mail.id for mail in resend.inbox}


ENVIRONMENT = [
    "APP_SECRET_KEYS",
    "DAGSTER_HOME",
    "FROM_EMAIL",
    "RESEND_API_KEY",
    "RESEND_API_URL",
    "RESEND_REQUESTS_PER_SECOND",
]
