"""Alice's rows, and what became of them when somebody else called."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert

from creator_pipeline.core.windows import now
from creator_pipeline.mail import functions, outbox
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import gumroad_sales, ingestion_jobs, metadata, webhook_events
from creator_pipeline_tests.support.gateway import Gateway

ALICES = ("alice", "zara-of-alice", "Zara", "job-of-alice", "sale-of-alice", "acct-of-alice")
"""Every way in which alice's rows could show."""


def seed(running: Gateway) -> None:
    """Alice with a connection, a sale, a job and a mail; bob, who calls."""
    with running.services.warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "zara-of-alice@example.com", display_name="Zara")
        profiles.add_profile(connection, "bob", "bob@example.com")
        for provider in ("gumroad", "whop"):
            for owner in ("alice", "bob"):
                account = f"acct-of-{owner}"
                profiles.connect(connection, running.ring, provider, owner, "t", external_account_id=account)
        sale = {
            column.name: column.type.python_type()
            for column in gumroad_sales.c
            if column.type.python_type in {str, int, bool}
        }
        sale |= {
            "profile_id": "alice",
            "id": "sale-of-alice",
            "created_at": now(),
            "ingested_at": now(),
            "partition_day": now().date(),
        }
        connection.execute(insert(gumroad_sales).values(sale))
        values = functions.security_values(url="https://a.example", code=None, ip_address=None, requested_at=None)
        mail = Mail("mail-of-alice", "password_reset", "zara-of-alice@example.com", values, "alice")
        outbox.add(connection, running.config, mail)
    running.services.queue.enqueue(
        "alice", "gumroad", "refresh", {"sale_ids": ["sale-of-alice"]}, job_id="job-of-alice"
    )


def state(gateway: Gateway) -> dict[str, list[str]]:
    """Every row that is alice's, or that knows her."""
    # Which account a delivery says it is of is its sender's word, and nothing of alice's.
    found = {
        table.name: [
            str(row)
            for row in gateway.rows(table)
            if any(word in str({**row, **({"account_id": None} if table is webhook_events else {})}) for word in ALICES)
        ]
        for table in metadata.sorted_tables
    }
    inbox = Path(gateway.config.inbox)
    return found | {"inbox": [str(path) for path in inbox.rglob("*") if "alice" in path.relative_to(inbox).parts]}


def jobs(gateway: Gateway, source: str) -> set[str]:
    """Whose jobs there are besides the first one."""
    return {
        row["profile_id"]
        for row in gateway.rows(ingestion_jobs)
        if row["source"] == source and row["id"] != "job-of-alice"
    }
