"""What is looked at after a deployment, beside the doctor's lines: figures, error rates, mail, a delivery of our own.

Looking changes nothing. Only the probes of :func:`writing` write: one mail to OPS_EMAIL, and one delivery that is
signed with our own secret and about nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select
from standardwebhooks import Webhook

from creator_pipeline.core.caller import TIMEOUT
from creator_pipeline.core.windows import now, today
from creator_pipeline.ledger import rollup
from creator_pipeline.mail import messages, outbox
from creator_pipeline.mail.outbox import Mail, event_key
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.monitoring import warehouse_checks
from creator_pipeline.monitoring.doctor import Finding, Probe
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.access import gumroad_client
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected
from creator_pipeline.store.tables import gumroad_sales, ingestion_jobs, sales_events, whop_payments

Open = Callable[[], dg.DagsterInstance]
DAYS = 90
"""Days of the ledger that are compared with the platform."""
SETTLED = timedelta(days=2)
"""Younger days are left out: what was sold a minute ago is at the platform before it is here."""
RECENT = timedelta(hours=24)
MAX_RUNS, MAX_JOBS, MAX_5XX = 0.05, 0.05, 0.01
"""Shares of runs and jobs of a day, and of the gateway's answers since its start, that may fail."""
MAIL_SECONDS = 15.0


def reading(config: Settings, warehouse: Warehouse, open_instance: Open) -> list[Probe]:
    """Probes that change nothing."""
    return [
        Probe("data: roll-up", lambda: rolled_up(warehouse)),
        Probe("data: whop", lambda: whop_agrees(warehouse)),
        *(_gumroad(config, warehouse, name) for name in connected(warehouse, "gumroad") if config.enable_gumroad),
        Probe("errors: runs", lambda: runs(open_instance)),
        Probe("errors: jobs", lambda: jobs(warehouse)),
        Probe("errors: gateway", lambda: answers(config)),
        Probe("gateway: ready", lambda: ready(config)),
        Probe("mails: outbox", lambda: mails(config, warehouse)),
    ]


def writing(config: Settings, warehouse: Warehouse) -> list[Probe]:
    """Probes that write."""
    return [
        Probe("mails: one of our own", lambda: mail_arrives(config, warehouse)),
        Probe("webhooks: one of our own", lambda: delivery_arrives(config)),
    ]


def rolled_up(warehouse: Warehouse) -> Iterator[Finding]:
    """Whether ``daily_revenue`` adds up to the ledger."""
    name = "data: roll-up"
    with warehouse.read() as connection:
        waiting = rollup.pending(connection)
        ledger, rolled = rollup.both_sums(connection)
    if ledger == rolled:
        yield Finding(name, "ok", f"equals the ledger in {len(ledger)} currencies")
    elif waiting:
        yield Finding(name, "unknown", f"{waiting} days wait to be added up.", "Try again in a minute.")
    else:
        hint = "Materialize daily_revenue."
        yield Finding(name, "no", "daily_revenue and the ledger add up to different sums.", hint)


def whop_agrees(warehouse: Warehouse) -> Iterator[Finding]:
    """Whether what buyers paid at Whop is what the ledger says they paid."""
    paid, events = whop_payments.c, sales_events.c
    read = (
        select(paid.currency, func.sum(paid.total_micros))
        .where(paid.status == "paid", paid.paid_at.is_not(None))
        .group_by(paid.currency)
    )
    booked = (
        select(events.currency, func.sum(events.gross_micros))
        .where(events.platform == "whop", events.event_type == "sale")
        .group_by(events.currency)
    )
    with warehouse.read() as connection:
        sides = [{row[0]: int(row[1]) for row in connection.execute(side)} for side in (read, booked)]
    if sides[0] == sides[1]:
        yield Finding("data: whop", "ok", f"payments and ledger are equal in {len(sides[0])} currencies")
    else:
        yield Finding("data: whop", "no", "Payments and ledger differ.", "Materialize sales_events/whop.")


def _gumroad(config: Settings, warehouse: Warehouse, profile_id: str) -> Probe:
    return Probe(f"data: gumroad {profile_id}", lambda: gumroad_agrees(config, warehouse, profile_id))


def gumroad_agrees(config: Settings, warehouse: Warehouse, profile_id: str) -> Iterator[Finding]:
    """Gumroad's own totals, asked now, beside the ledger. One request."""
    name, last = f"data: gumroad {profile_id}", today() - SETTLED
    oldest = select(func.min(gumroad_sales.c.local_day)).where(gumroad_sales.c.profile_id == profile_id)
    with warehouse.read() as connection:
        begun = connection.execute(oldest).scalar()
    if begun is None or begun >= last:
        yield Finding(
            name, "off", "No day is loaded yet.", f"creator-pipeline backfill gumroad --profile {profile_id} …"
        )
        return
    # The first loaded day may be half a day of the seller's.
    first = max(last - timedelta(days=DAYS - 1), begun + timedelta(days=1))
    with gumroad_client(config, warehouse, profile_id) as client:
        totals = client.summary(first, last)
    if totals is None:
        yield Finding(name, "unknown", "This Gumroad has no totals to compare with.")
        return
    off = drift.differing(totals, drift.ledger_totals(warehouse, profile_id, first, last))
    if not off:
        yield Finding(name, "ok", f"{len(totals)} days with sales, {first} to {last}, equal to the cent")
        return
    hint = f"creator-pipeline backfill gumroad --profile {profile_id} --from {off[0].day} --to {off[-1].day}"
    yield Finding(name, "no", f"{len(off)} days differ; the first: {off[0].describe()}", hint)


def runs(open_instance: Open) -> Iterator[Finding]:
    """Runs of a day that failed."""
    since = now() - RECENT
    with open_instance() as instance:
        ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        every = instance.get_runs_count(dg.RunsFilter(statuses=ended, created_after=since))
        failed = instance.get_runs_count(dg.RunsFilter(statuses=ended[1:], created_after=since))
    yield _share("errors: runs", failed, every, MAX_RUNS, "runs of 24 h failed", "Read their logs in the UI, Runs.")


def jobs(warehouse: Warehouse) -> Iterator[Finding]:
    """Jobs of the queue of a day that ended badly."""
    status, count = ingestion_jobs.c.status, func.count()
    ended = select(status, count).where(ingestion_jobs.c.created_at >= now() - RECENT).group_by(status)
    with warehouse.read() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(ended)}
    bad = found.get("failed", 0) + found.get("dead", 0)
    hint = "creator-pipeline webhooks replay --all, once the cause is fixed."
    yield _share("errors: jobs", bad, bad + found.get("completed", 0), MAX_JOBS, "jobs of 24 h ended badly", hint)


def answers(config: Settings) -> Iterator[Finding]:
    """The gateway's answers that were its own fault, since it started."""
    text = httpx.get(f"{config.public_url}/metrics", timeout=TIMEOUT).raise_for_status().text
    every = bad = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "gateway_requests_total" and sample.labels["route"] != "/readyz":
                every += int(sample.value)
                bad += int(sample.value) if sample.labels["status"].startswith("5") else 0
    yield _share("errors: gateway", bad, every, MAX_5XX, "answers were 5xx", "Its log says why, by request id.")


def _share(name: str, bad: int, every: int, most: float, words: str, hint: str) -> Finding:
    good = bad <= every * most
    return Finding(name, "ok" if good else "no", f"{bad} of {every} {words}", "" if good else hint)


def ready(config: Settings) -> Iterator[Finding]:
    """Whether somebody works off what the gateway takes."""
    answer = httpx.get(f"{config.public_url}/readyz", timeout=TIMEOUT)
    reason = answer.json().get("reason") if answer.status_code in {200, 503} else f"HTTP {answer.status_code}"
    state = "ok" if answer.status_code == 200 else "no"
    yield Finding(
        "gateway: ready", state, reason or "database, queue and sensors", "See docs/runbook.md." if reason else ""
    )


def mails(config: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Mail that is stuck, and rates that Resend would not bear."""
    held = outbox.why_held(config)
    if held is not None:
        yield Finding("mails: outbox", "off", f"Mails are kept and not sent: {held}", "See docs/mail.md.")
        return
    wrong = list(warehouse_checks.mail(warehouse, config))
    yield from (Finding(f"mails: {one.id.partition('/')[2]}", "no", one.text, one.hint) for one in wrong)
    if not wrong:
        yield Finding("mails: outbox", "ok", "nothing is stuck, bounces and complaints are within bounds")


def mail_arrives(config: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Send one mail to OPS_EMAIL; where Resend's webhooks are set up, wait until it is delivered."""
    name = "mails: one of our own"
    if config.ops_email is None or outbox.why_held(config) is not None:
        yield Finding(name, "off", "OPS_EMAIL is not set, or mails are held.", "See docs/mail.md.")
        return
    key = event_key("smoke", uuid4().hex)
    outbox.write(warehouse, config, Mail(key, "ops_test", config.ops_email, {"sent_at": moment_text(now())}))
    report = outbox.flush(warehouse, config, limit=5, ids=[key])
    wanted = {"delivered"} if config.resend_webhook_secret else {"sent", "delivered"}
    deadline, status = time.monotonic() + MAIL_SECONDS, ""
    while time.monotonic() < deadline and status not in wanted | {"failed", "bounced", "complained", "suppressed"}:
        with warehouse.read() as connection:
            status = messages.statuses(connection, [key])[key]
        time.sleep(0.2)
    if status in wanted:
        yield Finding(name, "ok", f"{status}, to OPS_EMAIL")
        return
    said = report.problem.message if report.problem else f"It is {status} after {MAIL_SECONDS:.0f} s."
    yield Finding(name, "no", said, "creator-pipeline doctor (resend, resend webhooks); see docs/mail.md.")


def delivery_arrives(config: Settings) -> Iterator[Finding]:
    """Deliver to the gateway from outside, signed as Whop does: stored once, a repeat known, a forgery refused."""
    name = "webhooks: one of our own"
    if config.whop_webhook_secret is None:
        yield Finding(name, "off", "WHOP_WEBHOOK_SECRET is not set, so nothing can be signed.", "See docs/whop.md.")
        return
    secret, delivery_id, sent = config.require("WHOP_WEBHOOK_SECRET"), f"smoke_{uuid4().hex}", datetime.now(UTC)
    body = orjson.dumps({"id": delivery_id, "type": "smoke.test", "data": {}})
    headers = {"webhook-id": delivery_id, "webhook-timestamp": str(int(sent.timestamp()))}
    signature = Webhook(secret.encode()).sign(delivery_id, sent, body.decode())
    told: list[object] = []
    with httpx.Client(base_url=config.public_url, timeout=TIMEOUT) as client:
        for given in (signature, signature, f"{signature[:-6]}AAAAA="):
            answer = client.post("/webhooks/whop", content=body, headers={**headers, "webhook-signature": given})
            told.append(answer.json().get("repeat") if answer.status_code == 202 else answer.status_code)
    if told == [False, True, 401]:
        yield Finding(name, "ok", "stored once, the repeat was known, a wrong signature was refused")
    else:
        hint = "Has the gateway the same WHOP_WEBHOOK_SECRET and database as this command?"
        yield Finding(name, "no", f"It should be stored, known, refused; it was {told}.", hint)
