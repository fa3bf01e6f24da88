"""What must be true of a system at rest, whatever happened to it: the ledger, files, mails and jobs beside the truth."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import orjson
from sqlalchemy import select

from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.platforms.kdp.sandbox.reports import ledger_totals
from creator_pipeline.platforms.whop.sandbox.compare import differences as whop_differences
from creator_pipeline.store.tables import email_messages, kdp_uploads
from creator_pipeline_tests.faults.forked_system import PROFILES, ForkedSystem
from creator_pipeline_tests.faults.traffic import Traffic

BAD_JOBS = "SELECT id, status, error FROM ingestion_jobs WHERE status IN ('failed', 'dead')"


def violations(system: ForkedSystem, traffic: Traffic) -> list[str]:
    """Every broken promise, a line each."""
    return [*_ledger(system), *_deliveries(system, traffic), *_uploads(system, traffic), *_mails(system, traffic)]


def unfinished(system: ForkedSystem) -> list[str]:
    """Jobs that were given up."""
    return [f"job {name} is {status}: {error}" for name, status, error in system.ask(BAD_JOBS)]


def _ledger(system: ForkedSystem) -> list[str]:
    warehouse, world, found = system.warehouse, system.sandbox.world, list[str]()
    for name in PROFILES:
        found += [
            f"Gumroad of {name}, {day}: ledger {here}, platform {there}"
            for day, here, there in differences(warehouse, name, world.gumroad.totals(name))
        ]
        found += [
            f"Whop of {name}, {key}: ledger {here}, platform {there}"
            for key, here, there in whop_differences(warehouse, name, world.whop.totals(name))
        ]
    return found


def accepted_first(system: ForkedSystem) -> list[str]:
    """Sales of deliveries that were stored, and are not in the ledger though the queue is empty."""
    named = system.ask("SELECT payload FROM webhook_events WHERE provider = 'gumroad' AND status <> 'ignored'")
    ids = {str(sale) for (payload,) in named for sale in orjson.loads(payload).get("sale_ids", ())}
    there = {row[0] for row in system.ask("SELECT external_id FROM sales_events WHERE platform = 'gumroad'")}
    return [f"sale {sale} was accepted and is not in the ledger" for sale in sorted(ids - there)]


def _deliveries(system: ForkedSystem, traffic: Traffic) -> list[str]:
    found = list[str]()
    rows = system.ask(
        "SELECT profile_id, count(*), sum(repeats) FROM webhook_events WHERE provider = 'gumroad' GROUP BY 1"
    )
    stored = {name: (int(count), int(again)) for name, count, again in rows}
    for name in PROFILES:
        count, again = stored.get(name, (0, 0))
        if count > traffic.events[name]:
            found.append(f"{name} had {traffic.events[name]} events, and {count} deliveries are stored")
        if count + again < traffic.pings_accepted(name):
            found.append(f"{traffic.pings_accepted(name)} pings of {name} were accepted, {count} + {again} are stored")
    known = {row[0] for row in system.ask("SELECT delivery_id FROM webhook_events WHERE provider = 'whop'")}
    accepted = {delivery for delivery, said in system.sandbox.webhooks.log if said == 202}
    found += [f"Whop's delivery {name} was accepted and is not stored" for name in sorted(accepted - known)]
    return found


def _uploads(system: ForkedSystem, traffic: Traffic) -> list[str]:
    warehouse, found, columns = system.warehouse, list[str](), kdp_uploads.c
    with warehouse.read() as connection:
        rows = connection.execute(select(columns.id, columns.status, columns.location)).all()
    known = {row.id: row for row in rows}
    for (name, month), report in traffic.reports.items():
        sha = hashlib.sha256(report.content).hexdigest()
        row = known.get(sha)
        if row is None or row.status != "accepted":
            found.append(f"{name}'s report of {month} was accepted and is {row.status if row else 'not known'}")
        elif not Path(row.location).is_file() or hashlib.sha256(Path(row.location).read_bytes()).hexdigest() != sha:
            found.append(f"{name}'s report of {month} is not the file at {row.location}")
        here = ledger_totals(warehouse, name, month)
        if here != report.totals:
            found.append(f"KDP of {name}, {month}: ledger {here}, report {report.totals}")
    return found


def _mails(system: ForkedSystem, traffic: Traffic) -> list[str]:
    inbox = Counter(mail.idempotency_key for mail in system.sandbox.resend.inbox)
    found = [f"mail {key} was sent {count} times" for key, count in inbox.items() if count > 1]
    table = email_messages.c
    with system.warehouse.read() as connection:
        rows = connection.execute(select(table.id, table.status, table.error)).all()
    found += [f"mail {row.id} is {row.status}: {row.error}" for row in rows if row.status in ("failed", "held")]
    sent = {row.id for row in rows if row.status in ("sent", "delivered")}
    found += [f"mail {key} counts as sent and is in no inbox" for key in sorted(sent - inbox.keys())]
    found += [f"mail {key} is in an inbox and doesn't count as sent" for key in sorted(inbox.keys() - sent)]
    for key in traffic.auth:
        if not any(key in str(name) for name in inbox):
            found.append(f"the mail of call {key} was accepted and never sent")
    landed = Counter(
        (mail.payload["to"][0], mail.payload["text"].partition("\n\n")[2][:400])
        for mail in system.sandbox.resend.inbox
        if {"name": "kind", "value": "ingestion_completed"} in mail.payload["tags"]
    )
    found += [
        f"{count} mails to {to} tell of one upload: {told[:120]!r}" for (to, told), count in landed.items() if count > 1
    ]
    return found
