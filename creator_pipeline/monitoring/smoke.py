"""Checks after a deployment, beside the doctor's: figures, error rates, mail, a delivery of our own.

Only the checks of :func:`writing` write: one mail to OPS_EMAIL, one notice to each channel of ALERT_URLS, and one
delivery that is signed with our own secret and about nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from creator_pipeline.core.caller import TIMEOUT
from creator_pipeline.core.checks import Check, Finding
from creator_pipeline.core.text import number
from creator_pipeline.core.tls import tls_context
from creator_pipeline.core.windows import now
from creator_pipeline.ledger import rollup
from creator_pipeline.mail import alerts, messages, outbox
from creator_pipeline.mail.outbox import Mail, event_key
from creator_pipeline.mail.wording import moment_text
from creator_pipeline.monitoring import alert_checks, mail_checks
from creator_pipeline.monitoring.dagster_checks import OpenInstance
from creator_pipeline.monitoring.platform_checks import checks_of
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.webhooks import SignedTest
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs

RECENT = timedelta(hours=24)
MAX_RUNS, MAX_JOBS, MAX_5XX = 0.05, 0.05, 0.01
"""Shares of runs and jobs of a day, and of the gateway's answers since its start, that may fail."""
MAIL_SECONDS = 15.0


def reading(config: Settings, warehouse: Warehouse, open_instance: OpenInstance) -> list[Check]:
    """Checks that change nothing."""
    return [
        Check("data: roll-up", lambda: rolled_up(warehouse)),
        *(check for platform in PLATFORMS for check in checks_of(platform).smoke(warehouse, config)),
        Check("errors: runs", lambda: runs(open_instance)),
        Check("errors: jobs", lambda: jobs(warehouse)),
        Check("errors: gateway", lambda: gateway_errors(config)),
        Check("gateway: ready", lambda: ready(config)),
        Check("mails: outbox", lambda: mails(config, warehouse)),
        Check("alerts: outbox", lambda: notices(config, warehouse)),
    ]


def writing(config: Settings, warehouse: Warehouse) -> list[Check]:
    """Checks that write."""
    return [
        Check("mails: one of our own", lambda: mail_arrives(config, warehouse)),
        Check("alerts: one of our own", lambda: notice_arrives(config, warehouse)),
        Check("webhooks: one of our own", lambda: delivery_arrives(config)),
    ]


def rolled_up(warehouse: Warehouse) -> Iterator[Finding]:
    """Whether ``daily_revenue`` adds up to the ledger."""
    name = "data: roll-up"
    with warehouse.read() as connection:
        waiting = rollup.pending(connection)
        ledger, rolled = rollup.both_sums(connection)
    if ledger == rolled:
        yield Finding(name, "ok", f"equals the ledger in {number(len(ledger), 'currency', 'currencies')}")
    elif waiting:
        yield Finding(
            name,
            "unknown",
            f"{number(waiting, 'day waits', 'days wait')} to be added up.",
            "Try again in a minute.",
        )
    else:
        hint = "Materialize daily_revenue."
        yield Finding(name, "no", "daily_revenue and the ledger add up to different sums.", hint)


def runs(open_instance: OpenInstance) -> Iterator[Finding]:
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


def gateway_errors(config: Settings) -> Iterator[Finding]:
    """The gateway's answers that were its own fault, since it started."""
    answer = httpx.get(f"{config.public_url}/metrics", timeout=TIMEOUT)
    if answer.status_code == 404:
        text = "PUBLIC_URL leads through a proxy, and /metrics isn't shown through one."
        yield Finding("errors: gateway", "off", text)
        return
    text = answer.raise_for_status().text
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
    told = answer.json().get("reason") if answer.status_code in {200, 503} else None
    reason = told or (None if answer.status_code == 200 else f"HTTP {answer.status_code}")
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
    wrong = list(mail_checks.delivery(warehouse, config))
    yield from (replace(one, name=f"mails: {one.name.partition('/')[2]}") for one in wrong)
    if not wrong:
        yield Finding("mails: outbox", "ok", "nothing is stuck, bounces and complaints are within bounds")


def notices(config: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Notices that a channel doesn't take."""
    if config.alert_urls is None:
        yield Finding("alerts: outbox", "off", "ALERT_URLS is not set.")
        return
    wrong = list(alert_checks.delivery(warehouse, config))
    yield from (replace(one, name=f"alerts: {one.name.partition('/')[2]}") for one in wrong)
    if not wrong:
        yield Finding("alerts: outbox", "ok", "nothing is stuck")


def notice_arrives(config: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Send a notice to each channel of ALERT_URLS."""
    names = [one.name for one in alerts.channels(config)]
    if not names:
        yield Finding("alerts: one of our own", "off", "ALERT_URLS names no channel.", "See docs/alerts.md.")
    for one in alert_checks.send_test(warehouse, config, names):
        yield replace(one, name=f"alerts: one to {one.name.partition(' ')[2]}")


def mail_arrives(config: Settings, warehouse: Warehouse) -> Iterator[Finding]:
    """Send one mail to OPS_EMAIL; where Resend's webhooks are set up, wait until it is delivered."""
    name = "mails: one of our own"
    if not config.ops_addresses or outbox.why_held(config) is not None:
        yield Finding(name, "off", "OPS_EMAIL has no usable address, or mails are held.", "See docs/mail.md.")
        return
    key = event_key("smoke", uuid4().hex)
    outbox.write(warehouse, config, Mail(key, "ops_test", config.ops_addresses[0], {"sent_at": moment_text(now())}))
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
    """Deliver to the gateway from outside, signed as a platform does: stored once, then known; a forgery refused."""
    name = "webhooks: one of our own"
    webhooks = {one.name: one.webhooks.get() for one in PLATFORMS if one.webhooks}
    signed = {source: (part.needs, part.signed_test(config)) for source, part in webhooks.items() if part.signed_test}
    tests = [(secret, test) for secret, test in signed.values() if test is not None]
    if not tests:
        text = f"{' and '.join(secret for secret, _ in signed.values())} is not set, so nothing can be signed."
        yield Finding(name, "off", text, f"See {', '.join(f'docs/{source}.md' for source in signed)}.")
        return
    for secret, test in tests:
        answers = _deliver(config.public_url, test)
        if answers != [False, True, 401]:
            hint = f"Has the gateway the same {secret} and database as this command?"
            yield Finding(name, "no", f"It should be stored, known, refused; it was {answers}.", hint)
            return
    yield Finding(name, "ok", "stored once, the repeat was known, a wrong signature was refused")


def _deliver(url: str, test: SignedTest) -> list[object]:
    """For a delivery, its repeat and a forgery: whether the gateway knew it, else the status of its answer."""
    said: list[object] = []
    with httpx.Client(base_url=url, timeout=TIMEOUT, verify=tls_context()) as client:
        for headers in (test.headers, test.headers, test.forged):
            answer = client.post(test.path, content=test.body, headers=dict(headers))
            said.append(answer.json().get("repeat") if answer.status_code == 202 else answer.status_code)
    return said
