"""Several senders of notices at once, killed at each point between the claim and the note."""

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
from creator_pipeline.mail import alert_outbox, alert_rows, alerts
from creator_pipeline.mail.alert_sender import Service
from creator_pipeline.mail.alerts import Notice
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import alert_messages
from creator_pipeline_tests.support import channels
from creator_pipeline_tests.support.channels import Channels

NOTICES = 24
AFTER_SEND, BEFORE_CLAIM = "after it was sent", "before it is claimed"
ENVIRONMENT = ["ALERT_URLS", "APP_SECRET_KEYS", "DAGSTER_HOME", "OPS_EMAIL"]


def send(database: str, variables: dict[str, str], slack: str, point: str, killed_at: int, done: Path) -> None:
    """Flush until nothing is open; die at the n-th notice, at a point of its way."""
    os.environ.update(variables)
    channels.slack_at(slack)
    # Longer than an attempt takes on a busy machine, or it counts as left behind.
    alert_outbox.LEASE_SECONDS = 4.0
    alert_rows.backoff = lambda _attempts: 0.05
    warehouse, settings = open_warehouse(database), environment.load()
    sent, claim, counts = Service.send, alert_rows.claim, Counter[str]()

    def reached(here: str) -> None:
        counts[here] += 1
        if here == point and counts[here] == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def sending(self: Service, payload: Any) -> Any:
        outcome = sent(self, payload)
        # One that was refused would be missing as it should, and told of.
        if outcome.action == "sent":
            reached(AFTER_SEND)
        return outcome

    def claiming(*words: Any) -> Any:
        reached(BEFORE_CLAIM)
        return claim(*words)

    Service.send, alert_rows.claim = sending, claiming
    while open_notices(warehouse):
        if not alert_outbox.flush(warehouse, settings, 5).sent:
            time.sleep(0.02)
    done.touch()


def open_notices(warehouse: Warehouse) -> int:
    table = alert_messages
    with warehouse.read() as connection:
        return len(connection.execute(select(table.c.id).where(table.c.status.in_(alert_rows.OPEN))).all())


def test_slack_gets_each_event_once_though_senders_race_and_are_killed(
    warehouse: Warehouse, slack: Channels, tmp_path: Path
) -> None:
    """Guards: two messages of one event after a crash, or none and nobody who knows of it."""
    with warehouse.write() as connection:
        for number in range(NOTICES):
            alerts.add(connection, environment.load(), Notice(f"e/{number}", "failure/books", f"Event {number}"))
    slack.script = [200] * 7 + [500, 200, 200, "limited"]
    slack.retry_after = "0.1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "apprise"])
    variables = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    url = warehouse.engine.url.render_as_string(hide_password=False)
    plan = [(AFTER_SEND, 2), (BEFORE_CLAIM, 2), (AFTER_SEND, 3), ("never", 0)]
    senders = [
        context.Process(target=send, args=(url, variables, slack.url, point, at, tmp_path / f"{number}"))
        for number, (point, at) in enumerate(plan)
    ]
    *dying, last = senders
    # On a fast machine the last one would have sent everything before the others came to the point where they die.
    for together in (dying, [last]):
        for sender in together:
            sender.start()
        for sender in together:
            sender.join()
    assert [sender.exitcode for sender in senders] == [*[-signal.SIGKILL] * 3, 0]
    got = Counter(title for title, _ in slack.taken)
    about = {title for title in got if title.startswith("A notice may not have arrived here: Event ")}
    assert Counter({title: count for title, count in got.items() if title not in about}) == Counter(
        f"Event {number}" for number in range(NOTICES)
    )
    # What the two died over was taken, and nobody could know it: it is told of, not sent again.
    assert (len(about), max(got.values())) == (2, 1)
