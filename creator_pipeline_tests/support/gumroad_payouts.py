"""A Gumroad that knows payouts, and sales beside them, as they were written down."""

from __future__ import annotations

import http.server
import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.payout_sync import PayoutsRead, load_payouts
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payout_lines, payouts, sales_events
from creator_pipeline_tests.support.gumroad_samples import FIXTURES, Free

PAYOUTS = FIXTURES / "payouts"
PAGE = 10
KEPT = (
    "payout_usd_everything",
    "payout_B_first_reading",
    "payout_eur",
    "payout_after_return",
    "payout_instant",
    "payout_failed_refund_pair",
)
"""The readings that a ledger keeps."""


def answer(name: str) -> dict[str, Any]:
    """An answer as it was written down."""
    return json.loads((PAYOUTS / f"{name}.json").read_text(encoding="utf-8"))


def payout(name: str, **over: Any) -> dict[str, Any]:
    """A payout with its lines, some of its fields changed."""
    return answer(name)["payout"] | over


def sales() -> list[dict[str, Any]]:
    """The sales that the payouts tell of, newest first."""
    return answer("sales_for_payouts")["sales"]


def line(type_: str, day: str, net: float, sale: str = "", **over: Any) -> dict[str, Any]:
    """A line of a payout; what it doesn't say is the empty text."""
    empty = dict.fromkeys(
        ("item_name", "buyer_name", "buyer_email", "taxes", "shipping", "sale_price", "gumroad_fees"), ""
    )
    return {"type": type_, "date": day, "purchase_id": sale, **empty, "net_total": net, **over}


class PayoutServer:
    """One seller's account.

    Attributes:
        payouts: with their lines, by id.
        sales: newest first.
        upcoming: planned payouts; None on a server that doesn't know the call.
        earnings: by year.
        scopes: of the token.
        with_lines: False on a server that is older than the lines.
        with_payouts: False on a server that is older than payouts.
        broken: (status, body) for paths that begin so.
        seen: how often each path was asked for.
    """

    def __init__(self) -> None:
        self.payouts: dict[str, dict[str, Any]] = {}
        self.sales: list[dict[str, Any]] = []
        self.upcoming: list[dict[str, Any]] | None = []
        self.earnings: dict[int, dict[str, Any]] = {}
        self.scopes = {"view_profile", "view_sales", "view_payouts"}
        self.with_lines = self.with_payouts = True
        self.broken: dict[str, tuple[int, bytes]] = {}
        self.extra_heads: list[dict[str, Any]] = []
        self.seen: Counter[str] = Counter()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                owner.seen[unquote(url.path)] += 1
                status, body = owner.reply(unquote(url.path), parse_qs(url.query, keep_blank_values=True))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hangs up
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def requests(self) -> int:
        """How many there were."""
        return self.seen.total()

    def has(self, *payouts: dict[str, Any]) -> None:
        """Make these the account's payouts, or their newer state."""
        self.payouts |= {str(one["id"]): one for one in payouts}

    def reply(self, path: str, asked: dict[str, list[str]]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        for begin, told in self.broken.items():
            if path.startswith(begin):
                return told
        if path == "/v2/user":
            return 200, json.dumps({"success": True, "user": {"user_id": "u_1", "name": "Alice"}}).encode()
        if path.startswith("/v2/payouts"):
            return self._payouts(path, asked)
        if path == "/v2/earnings":
            if "view_tax_data" not in self.scopes:
                return 403, b""
            year = int(asked["year"][0])
            told = self.earnings.get(year) or {"success": False, "message": f"Earnings are not available for {year}."}
            return 200 if year in self.earnings else 404, json.dumps(told).encode()
        if path == "/v2/sales":
            first, last = asked["after"][0], asked["before"][0]
            found = [one for one in self.sales if first <= one["created_at"][:10] < last]
            return self._page(found, asked, "sales")
        if path.startswith("/v2/sales/") and path != "/v2/sales/summary":
            found = [one for one in self.sales if one["id"] == path.removeprefix("/v2/sales/")]
            good = (
                {"success": True, "sale": found[0]}
                if found
                else {"success": False, "message": "The sale was not found."}
            )
            return 200, json.dumps(good).encode()
        return 404, b"<html>not here</html>"

    def _payouts(self, path: str, asked: dict[str, list[str]]) -> tuple[int, bytes]:
        if not self.with_payouts:
            return 404, b"<html>not here</html>"
        if "view_payouts" not in self.scopes:
            return 403, b""
        if path == "/v2/payouts":
            rows = [*self.payouts.values(), *self.extra_heads]
            heads = [
                {
                    key: value
                    for key, value in one.items()
                    if key not in ("transactions", "sales", "refunded_sales", "disputed_sales")
                }
                for one in sorted(rows, key=lambda one: one["created_at"], reverse=True)
                if one["created_at"][:10] >= asked.get("after", [""])[0]
            ]
            planned = [] if asked.get("include_upcoming") == ["false"] else self.upcoming or []
            return self._page([*planned, *heads], asked, "payouts")
        name = path.removeprefix("/v2/payouts/")
        if name == "upcoming" and self.upcoming is not None:
            return 200, json.dumps({"success": True, "payouts": self.upcoming}).encode()
        found = self.payouts.get(name)
        if found is None:
            return 200, json.dumps(answer("payout_not_found")).encode()
        if asked.get("include_transactions") != ["true"] or not self.with_lines:
            found = {key: value for key, value in found.items() if key != "transactions"}
        return 200, json.dumps({"success": True, "payout": found}).encode()

    @staticmethod
    def _page(rows: list[dict[str, Any]], asked: dict[str, list[str]], name: str) -> tuple[int, bytes]:
        start = int(asked.get("page_key", ["0"])[0])
        more = {"next_page_key": str(start + PAGE)} if len(rows) > start + PAGE else {}
        return 200, json.dumps({"success": True, name: rows[start : start + PAGE], **more}).encode()


@contextmanager
def account(server: PayoutServer) -> Generator[GumroadClient]:
    """A client of it."""
    with GumroadClient(server.url, "token", Free()) as client:
        yield client


SPAN = DayWindow(date(2026, 7, 1), date(2026, 11, 1))
"""Days that hold every sale of the fixtures."""


def owner(warehouse: Warehouse, ring: KeyRing, profile_id: str = "alice") -> None:
    """A profile with a token."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, profile_id, f"{profile_id}@example.com")
        profiles.connect(connection, ring, "gumroad", profile_id, "token")


def read_payouts(warehouse: Warehouse, server: PayoutServer, **over: Any) -> PayoutsRead:
    """One nightly reading of alice's payouts."""
    with account(server) as client:
        return load_payouts(warehouse, client, "alice", **over)


def read_sales(warehouse: Warehouse, server: PayoutServer, ring: KeyRing, window: DayWindow = SPAN) -> None:
    """One reading of alice's sales."""
    with account(server) as client:
        list(load_sales(warehouse, client, ring, "alice", window))


_STAMPS = ("first_seen_at", "ingested_at", "occurred_at")


def ledger(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Every row of the ledger, without the moments at which it was made."""
    columns = [column for column in sales_events.c if column.name not in _STAMPS]
    with warehouse.read() as connection:
        rows = connection.execute(select(*columns).order_by(sales_events.c.id))
        return [dict(row) for row in rows.mappings()]


def lines(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Every line of every payout."""
    with warehouse.read() as connection:
        ordered = select(payout_lines).order_by(payout_lines.c.payout_id, payout_lines.c.line)
        return [dict(row) for row in connection.execute(ordered).mappings()]


def net_of(rows: list[dict[str, Any]], sale_id: str) -> int:
    """What a sale comes to in US cents, its affiliate's share apart."""
    mine = [row for row in rows if row["external_id"] == sale_id and row["event_type"] != "affiliate_share"]
    return sum(row["net_micros"] for row in mine) // 10_000


def short(rows: list[dict[str, Any]], sale_id: str) -> list[tuple[str, str, int, int, bool]]:
    """A sale's rows: type, day, gross and fee in US cents, whether the fee is exact."""
    found = [
        (
            row["event_type"],
            str(row["occurred_on"]),
            row["gross_micros"] // 10_000,
            row["fee_micros"] // 10_000,
            row["fee_exact"],
        )
        for row in rows
        if row["external_id"] == sale_id
    ]
    return sorted(found, key=lambda row: (row[1], row[0] != "sale", row))


def heads(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Stored payouts, by id."""
    with warehouse.read() as connection:
        return {row["payout_id"]: dict(row) for row in connection.execute(select(payouts)).mappings()}
