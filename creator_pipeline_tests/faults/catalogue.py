"""The faults, by name: what happens during which traffic."""

from __future__ import annotations

from collections.abc import Iterator

from creator_pipeline_tests.faults.injections import (
    api,
    at,
    clock,
    code_server_away,
    deliveries,
    disk_full,
    kill_run_worker,
    killed_and_back,
    migration,
    network,
    two_backfills,
    two_daemons,
)
from creator_pipeline_tests.faults.rounds import Fault


def _all() -> Iterator[Fault]:
    sales, upload, mail = ("sales",), ("upload",), ("mail",)
    yield Fault("kill-run-worker", "kill -9 of a run at a random instant", kill_run_worker)
    yield Fault("kill-step", "kill -9 while a step reads the platform", at("sandbox", "GET /(v2|api)"))
    for part in ("daemon", "gateway", "postgres", "redis"):
        yield Fault(f"kill-{part}", f"kill -9 of {part} at a random instant", killed_and_back(part), (*sales, *mail))
    for part in ("code", "webserver"):
        yield Fault(
            f"kill-{part}",
            f"kill -9 of Dagster's {part} server",
            killed_and_back(part),
            (*sales, *upload),
            processes=True,
        )
    yield Fault(
        "code-away",
        "the code server is away while runs are queued",
        code_server_away,
        (*sales, *upload),
        processes=True,
    )
    store = '(INSERT INTO|COPY) "?(gumroad_sales|sales_events|whop_payments)'
    ack = "UPDATE ingestion_jobs SET status='completed'"
    yield Fault("after-store-before-ack", "a run dies between its commit and the ack", at("postgres", ack))
    yield Fault("after-ack-before-answer", "a run dies before it learns of its ack", at("postgres", ack, after=True))
    yield Fault("between-stage-and-replace", "a run dies with its rows staged", at("postgres", store, most=2))
    yield Fault(
        "between-replace-and-commit", "a run dies with its rows replaced", at("postgres", store, after=True, most=2)
    )
    claim = "UPDATE ingestion_jobs SET status='running'"
    yield Fault(
        "after-claim-before-run", "the daemon dies with jobs claimed", at("postgres", claim, then="COMMIT", after=True)
    )
    stored = "INSERT INTO webhook_events"
    yield Fault(
        "before-delivery-is-stored", "the gateway dies before its commit", at("postgres", stored, then="COMMIT")
    )
    yield Fault(
        "after-delivery-before-answer",
        "the gateway dies before it answers",
        at("postgres", stored, then="COMMIT", after=True),
    )
    send = "POST /emails"
    yield Fault(
        "after-send-before-record", "a sender dies before it notes the answer", at("sandbox", send, after=True), mail
    )
    yield Fault("after-claim-before-send", "a sender dies before it sends", at("sandbox", send), mail)
    yield Fault("postgres-dies-in-store", "PostgreSQL dies in a run's store", at("postgres", store, victim="postgres"))
    yield Fault("postgres-dies-at-ack", "PostgreSQL dies at the ack", at("postgres", ack, victim="postgres"))
    yield Fault(
        "postgres-dies-at-delivery",
        "PostgreSQL dies at a delivery",
        at("postgres", stored, then="COMMIT", victim="postgres"),
    )
    yield Fault("redis-dies-at-script", "Redis dies at a script of the queue", at("redis", "EVALSHA", victim="redis"))
    job = "INSERT INTO ingestion_jobs .*'kdp'"
    yield Fault("after-file-before-job", "the gateway dies with the file in the inbox", at("postgres", job), upload)
    rows = "INSERT INTO (kdp_uploads|kdp_royalties)"
    yield Fault("kdp-run-dies-in-store", "the run of a report dies in its store", at("postgres", rows, most=2), upload)
    closing = "UPDATE ingestion_jobs SET status='completed'.*kdp"
    yield Fault(
        "kdp-run-dies-at-commit",
        "the run of a report dies at its end",
        at("postgres", closing, then="COMMIT", after=True),
        upload,
    )
    looked = "INSERT INTO kdp_files|stage_kdp_files"
    yield Fault("daemon-dies-at-inbox", "the daemon dies with a file looked at", at("postgres", looked, most=2), upload)
    yield Fault("in-a-migration", "kill -9 in the middle of a migration, then two at once", migration)
    for proxy in ("postgres", "redis", "sandbox", "gateway"):
        for mode in ("cut", "slow", "half_open"):
            yield Fault(
                f"{proxy}-{mode}".replace("_", "-"),
                f"the line to {proxy}: {mode}",
                network(proxy, mode),
                (*sales, *mail),
            )
    for part in ("gateway", "postgres"):
        yield Fault(f"disk-full-{part}", f"{part} can't write", disk_full(part), upload if part == "gateway" else sales)
    yield Fault("clock-forward", "the clock jumps an hour ahead", clock(3600), (*sales, *mail))
    yield Fault("clock-back", "the clock jumps an hour back", clock(-3600), (*sales, *mail))
    for kind in (
        "400",
        "429",
        "429_retry_after",
        "500",
        "502",
        "garbage",
        "bad_json",
        "truncated",
        "truncated_gzip",
        "reset",
        "slow",
    ):
        yield Fault(
            f"api-{kind}".replace("_", "-"), f"Gumroad answers: {kind}", api(kind, "/v2/"), refusal=kind == "400"
        )
    for kind in ("500", "garbage", "truncated", "reset", "429"):
        yield Fault(f"whop-{kind}", f"Whop answers: {kind}", api(kind, "/api/v1/"))
    for kind in ("application_error", "rate_limit_exceeded", "truncated", "reset", "concurrent_idempotent_requests"):
        yield Fault(f"resend-{kind}".replace("_", "-"), f"Resend answers: {kind}", api(kind, "/emails"), mail)
    for how in ("duplicate", "late", "reordered"):
        yield Fault(f"deliveries-{how}", f"deliveries come {how}", deliveries(how))
    yield Fault("two-daemons", "two daemons by mistake", two_daemons, (*sales, *upload))
    yield Fault("two-backfills", "two backfills of one range at once", two_backfills)


WITH_PROCESSES = (
    *(f"kill-{part}" for part in ("run-worker", "daemon", "code", "webserver", "gateway", "postgres", "redis")),
    *(
        "code-away",
        "after-store-before-ack",
        "between-stage-and-replace",
        "postgres-cut",
        "redis-half-open",
        "two-daemons",
    ),
)
"""What is played with Dagster's real processes."""
CATALOGUE = {fault.name: fault for fault in _all()}
