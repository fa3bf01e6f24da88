"""Whop's answers as they were written down, a client that doesn't wait, and what can happen to an account."""

import json
from datetime import UTC, date, datetime

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.sandbox import SandboxServer

TODAY = date(2026, 9, 20)
EVERYTHING = DayWindow(date(2026, 1, 1), date(2026, 9, 22))
FIXTURES = paths.FIXTURES / "whop"
MOMENT = datetime(2026, 9, 20, 12, tzinfo=UTC)


class NoPace:
    def wait(self) -> float:
        return 0.0


def fixture(name: str) -> dict:
    return json.loads((FIXTURES / "2026-10-15-1" / f"{name}.json").read_text(encoding="utf-8"))


def open_client(server: SandboxServer, key: str) -> WhopClient:
    return WhopClient(server.whop_url, key, lambda _operation: NoPace())


def happen(part, account, step: int, pick: int) -> None:
    """One of the things that can happen, to one of the objects."""
    paid = [row for row in account.tables["payments"].values() if row["substatus"] == "succeeded"]
    members = list(account.tables["memberships"])
    disputes = [row for row in account.tables["disputes"].values() if row["status"] == "needs_response"]
    match step:
        case 0 if paid:
            part.refund("alice", paid[pick % len(paid)]["id"], "1")
        case 1 if paid:
            part.refund("alice", paid[pick % len(paid)]["id"])
        case 2 if paid:
            part.dispute("alice", paid[pick % len(paid)]["id"])
        case 3 if disputes:
            part.close_dispute("alice", disputes[pick % len(disputes)]["id"], "won" if pick % 2 else "lost")
        case 7 if paid:
            part.refund("alice", paid[pick % len(paid)]["id"], rate="0.97" if pick % 2 else "1.03")
        case 8 if paid:
            part.alert("alice", paid[pick % len(paid)]["id"])
        case 9:
            part.buy("alice", "Course", quantity=2 + pick % 3)
        case 4:
            part.expire("alice", members[pick % len(members)])
        case 5:
            part.cancel_at_period_end("alice", members[pick % len(members)])
        case _:
            part.buy("alice", "Yearly" if pick % 2 else "Course", email="fan@example.com")
