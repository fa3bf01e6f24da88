"""Bazaar's server, by other hands than its client: pages of two orders, one order, a refund."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "bazaar-token-of-alice"
PAGE = 2


class Shop:
    """What one shop has sold."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.url, self.asked = "", list[str]()

    def sell(self, order_id: str, at: datetime, cents: int) -> None:
        """Add an order."""
        self.orders[order_id] = {
            "id": order_id,
            "created_at": at.isoformat(),
            "item": "A lamp",
            "paid": cents,
            "refunded": 0,
            "currency": "USD",
            "buyer_email": f"{order_id}@buyer.example",
        }

    def refund(self, order_id: str, cents: int) -> None:
        """Give money back."""
        self.orders[order_id]["refunded"] = cents

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Status and body of a request."""
        if path == "/shop":
            return 200, {"name": "alice"}
        if path == "/orders":
            first, until, page = query["from"][0], query["until"][0], int(query["page"][0])
            found = sorted(o["id"] for o in self.orders.values() if first <= o["created_at"][:10] < until)
            shown = found[(page - 1) * PAGE : page * PAGE]
            more = {"next_page": str(page + 1)} if len(found) > page * PAGE else {}
            return 200, {"orders": [self.orders[order_id] for order_id in shown], **more}
        order = self.orders.get(path.removeprefix("/orders/"))
        return (200, order) if order else (404, {"error": "not found"})


@contextmanager
def served() -> Generator[Shop]:
    """A shop behind HTTP on a free port."""
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            shop.asked.append(url.path)
            good = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status, body = shop.answer(url.path, parse_qs(url.query)) if good else (401, {"error": "who?"})
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shop.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="bazaar")
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
