"""A fast stand-in of Gumroad's sales list, so that what is measured is the client: ``python standin.py``.

Prints its URL, then serves until its input closes. ``standin.py 0.4`` spends so many milliseconds more on each page.
A token names its account: ``3-500-50`` is account 3 with 500 sales and 50 ms before each answer. Sales are a function
of their number, so a million of them cost no memory. Pages are as Gumroad's: ten sales, newest first, keyset keys,
whole days of ``after`` and ``before``; there is no summary.
``/_requests`` tells and resets the count of pages served.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import orjson

WORK = float(sys.argv[1]) / 1000 if __name__ == "__main__" and sys.argv[1:] else 0.0
PAGE = 10
SPAN = 730 * 86_400
END = int(datetime.now(UTC).timestamp()) // 86_400 * 86_400 - 1
"""When the newest sale was made: the last second of yesterday."""

_HTML = b"<!DOCTYPE html><title>Not found</title>"
_MARKS = {
    "id": "§20s",
    "order_id": "§d",
    "created_at": "§s",
    "price": "§d",
    "gumroad_fee": "§d",
    "refunded": "§s",
    "partially_refunded": "§s",
    "amount_refundable_in_currency": "§s",
}
_SALE = {
    "id": "",
    "email": "reader@example.com",
    "seller_id": "5d2Fz0f8yQ1hM3bJ7kLw9A==",
    "timestamp": "about 2 months ago",
    "daystamp": "16 Sep 2026  7:20 AM",
    "created_at": "",
    "product_name": "The Lantern Tide: Brushes, Papers and Notes",
    "product_has_variants": True,
    "price": 0,
    "gumroad_fee": 0,
    "is_bundle_purchase": False,
    "is_bundle_product_purchase": False,
    "formatted_display_price": "$49",
    "formatted_total_price": "$49",
    "currency_symbol": "$",
    "currency": "usd",
    "amount_refundable_in_currency": "",
    "product_id": "32-nPainqpLj1B_WIwVlMw==",
    "product_permalink": "lantern-tide",
    "refunded": False,
    "partially_refunded": False,
    "chargedback": False,
    "purchase_email": "reader@example.com",
    "full_name": "Odile Farrowmere",
    "zip_code": "94107",
    "state": "CA",
    "country": "United States",
    "country_iso2": "US",
    "paid": True,
    "has_variants": True,
    "variants": {"Licence": "Studio", "Papers": "Warm"},
    "variants_and_quantity": "(Studio, Warm)",
    "has_custom_fields": False,
    "custom_fields": {},
    "order_id": 0,
    "is_product_physical": False,
    "purchaser_id": "5225136099",
    "is_recurring_billing": False,
    "can_contact": True,
    "is_following": False,
    "disputed": False,
    "dispute_won": False,
    "is_additional_contribution": False,
    "discover_fee_charged": False,
    "is_upgrade_purchase": False,
    "is_more_like_this_recommended": False,
    "is_gift_sender_purchase": False,
    "is_gift_receiver_purchase": False,
    "referrer": "https://www.example.com/a-list-of-brushes?utm_source=newsletter",
    "paypal_refund_expired": False,
    "tax_cents": 0,
    "shipping_cents": 0,
    "access_revoked": False,
    "variants_price_cents": 0,
    "sent_abandoned_cart_email": False,
    "card": {"visual": "**** **** **** 4242", "type": "visa", "bin": None, "expiry_month": None, "expiry_year": None},
    "product_rating": None,
    "reviews_count": 4,
    "average_rating": 4.5,
    "quantity": 1,
    "license_key": "85DB562A-C11D4B06-A2335A6B-8C079166",
    "license_id": "cKXeJkfcJYhbX4H9hW2Xzg==",
    "license_disabled": False,
    "license_uses": 1,
    "is_multiseat_license": False,
}


def _template() -> tuple[bytes, list[str]]:
    text = orjson.dumps(_SALE | {name: f"@{name}@" for name in _MARKS}).decode().replace("%", "%%")
    order = sorted(_MARKS, key=lambda name: text.index(f"@{name}@"))
    for name in order:
        text = text.replace(f'"@{name}@"', "%d" if _MARKS[name] == "§d" else "%b")
    return text.encode(), order


_TEMPLATE, _ORDER = _template()


def price(account: int, number: int) -> int:
    """US cents of sale ``number`` of an account, counted from the newest."""
    return 100 + (number * 7919 + account * 104_729) % 9900


def totals(token: str) -> tuple[int, int]:
    """How many sales an account has, and their prices' sum in US cents: the truth to compare with."""
    account, sales, _ = map(int, token.split("-"))
    return sales, sum(price(account, number) for number in range(sales))


def _sale(account: int, number: int, sales: int, step: int) -> bytes:
    cents = price(account, number)
    part = number % 97 == 5
    created = (datetime(1970, 1, 1) + timedelta(seconds=END - number * step)).isoformat()
    values = {
        "id": b'"%06dSale%08dAbcd=="' % (account, number),
        "created_at": b'"%bZ"' % created.encode(),
        "price": cents,
        "gumroad_fee": cents // 10 + 50,
        "amount_refundable_in_currency": b'"%d.%02d"' % divmod(cents - cents // 4 if part else cents, 100),
        "refunded": b"true" if number % 50 == 7 and not part else b"false",
        "partially_refunded": b"true" if part else b"false",
        "order_id": _base(account) + sales - number,
    }
    return _TEMPLATE % tuple(values[name] for name in _ORDER)


def _base(account: int) -> int:
    return account * 10_000_000


def _first_before(day: str, step: int) -> int:
    """Number of the newest sale made before a day began."""
    moment = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    return 0 if moment > END else (END - moment) // step + 1


def page(token: str, query: str) -> bytes:
    """The answer to ``GET /v2/sales``."""
    account, sales, _ = map(int, token.split("-"))
    step = SPAN // max(1, sales)
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    low, high = 0, sales
    if "before" in asked:
        low = _first_before(asked["before"], step)
    if "after" in asked:
        high = min(high, _first_before(asked["after"], step))
    if "page_key" in asked:
        low = max(low, _base(account) + sales - int(asked["page_key"].rpartition("-")[2]) + 1)
    end = min(low + PAGE, high)
    rows = b",".join([_sale(account, number, sales, step) for number in range(low, end)])
    if end >= high:
        return b'{"success":true,"sales":[%b]}' % rows
    stamp = (datetime(1970, 1, 1) + timedelta(seconds=END - (end - 1) * step)).strftime("%Y%m%d%H%M%S000000")
    key = f"{stamp}-{_base(account) + sales - end + 1}".encode()
    return b'{"success":true,"sales":[%b],"next_page_key":"%b","next_page_url":"/v2/sales?page_key=%b"}' % (
        rows,
        key,
        key,
    )


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answers are one write each; they must not wait for an acknowledgement."""
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        path, _, query = target.partition("?")
        at = head.lower().find(b"authorization: bearer ")
        token = head[at + 22 :].split(b"\r\n", 1)[0].decode() if at >= 0 else ""
        if path == "/_requests":
            body = b"%d" % Connection.served
            Connection.served = 0
            self._write(b"200 OK", b"application/json", body)
        elif path == "/v2/sales" and token:
            Connection.served += 1
            until = time.perf_counter() + WORK
            while time.perf_counter() < until:
                pass
            body = page(token, query)
            delay = int(token.rpartition("-")[2]) / 1000
            if delay:
                loop = asyncio.get_running_loop()
                loop.call_later(delay, self._write, b"200 OK", b"application/json; charset=utf-8", body)
            else:
                self._write(b"200 OK", b"application/json; charset=utf-8", body)
        else:
            self._write(b"404 Not Found", b"text/html", _HTML)

    def _write(self, status: bytes, kind: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
        self._transport.write(head + body)


async def main() -> None:
    """Serve until the input closes."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
