"""The accounts of the invented Whop, their clock and their keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from creator_pipeline.platforms.whop.sandbox.books import Books
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident
from creator_pipeline.platforms.whop.sandbox.readings import Readings

MONEY_PERMISSIONS = frozenset({"company:balance:read", "payout:account:read", "payout:withdrawal:read"})
PERMISSIONS = MONEY_PERMISSIONS | {
    "member:basic:read",
    "member:email:read",
    "payment:basic:read",
    "payment:dispute:read",
    "plan:basic:read",
    "access_pass:basic:read",
    "promo_code:basic:read",
    "affiliate:basic:read",
    "lead:basic:read",
    "plan:waitlist:read",
    "invoice:basic:read",
    "transfer:read",
}
TABLES = [
    "plans",
    "members",
    "memberships",
    "payments",
    "refunds",
    "disputes",
    "dispute_alerts",
    "products",
    "promo_codes",
    "affiliates",
    "leads",
    "waitlist_entries",
    "invoices",
    "reviews",
    "transfers",
]


@dataclass
class WorldClock:
    """The time of the world: ``base`` tells it, and days that were lived through are added."""

    base: Callable[[], datetime]
    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Now, with its zone."""
        return self.base() + self.ahead


@dataclass
class WhopAccount:
    """One account: what it sells, to whom, its money, and its key."""

    profile: str
    id: str
    key: str
    clock: Callable[[], datetime]
    permissions: set[str] = field(default_factory=lambda: set(PERMISSIONS))
    revoked: bool = False
    hooks: dict[str, str] = field(default_factory=dict[str, str])
    books: Books = field(default_factory=Books)
    tables: dict[str, dict[str, Json]] = field(default_factory=lambda: {name: {} for name in TABLES})

    def put(self, table: str, row: Json) -> Json:
        """Add an object."""
        self.tables[table][row["id"]] = row
        return row


class Accounts:
    """All accounts. Every change is made under ``lock`` and told to ``on_event`` as ``(account, type, data)``.

    Attributes:
        clock: of the world.
        readings: how what isn't documented is played.
    """

    def __init__(self, accounts: list[WhopAccount], clock: WorldClock) -> None:
        self.lock = threading.RLock()
        self.on_event: Callable[[WhopAccount, str, Json], None] | None = None
        self.clock, self.readings = clock, Readings()
        self._accounts = {account.profile: account for account in accounts}
        self._made = 0

    def __getitem__(self, profile: str) -> WhopAccount:
        return self._accounts[profile]

    def __contains__(self, profile: object) -> bool:
        return profile in self._accounts

    def values(self) -> list[WhopAccount]:
        """All accounts."""
        return list(self._accounts.values())

    def bearer(self, key: str) -> WhopAccount | None:
        """The account of a key."""
        return next((account for account in self.values() if account.key == key), None)

    def _tell(self, account: WhopAccount, event: str, data: Json) -> None:
        if self.on_event:
            self.on_event(account, event, data)

    def _id(self, prefix: str, account: WhopAccount) -> str:
        self._made += 1
        return ident(prefix, account.id, self._made)
