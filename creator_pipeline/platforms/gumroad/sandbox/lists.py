"""The lists of API v2: filters, ten a page, keyset page keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.sale_json import sale_json
from creator_pipeline.platforms.gumroad.sandbox.shapes import Product, Sale

PAGE = 10
DAY = 86_400
ID = re.compile(r"[A-Za-z0-9_-]{22}==")
TIMED_OUT = "Query timed out. Try narrowing your date range with 'after'/'before' or filtering by product_id."
DEPRECATED = "The 'page' parameter is deprecated. Please use 'page_key' instead: https://gumroad.com/api#sales"


class BadParameterError(ValueError):
    """Becomes the service's 400."""


def parse_day(text: str, name: str) -> date:
    """``YYYY-MM-DD`` and nothing else.

    Raises:
        BadParameterError: ``text`` is no such date; names the field ``name``.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        message = f"Invalid date format provided in field '{name}'. Dates must be in the format YYYY-MM-DD."
        raise BadParameterError(message) from None


def page_key(created: int, number: int) -> str:
    """``YYYYMMDDHHMMSSuuuuuu-N`` of the last row of a page."""
    return f"{datetime.fromtimestamp(created, UTC):%Y%m%d%H%M%S}000000-{number}"


def position(key: str) -> tuple[int, int]:
    """The instant (seconds since 1970; -1 where it is none) and the number of a page key.

    Raises:
        BadParameterError: it has no number.
    """
    stamp, _, number = key.partition("-")
    if not number.isdigit() or int(number) == 0:
        raise BadParameterError("Invalid page_key.")
    try:
        instant = datetime.strptime(stamp, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return -1, int(number)
    return int(instant.timestamp()), int(number)


def next_page(path: str, asked: Mapping[str, str], key: str) -> dict[str, str]:
    """The fields that lead to the next page: the same filters with its key."""
    kept = {name: value for name, value in asked.items() if name not in ("access_token", "page", "page_key")}
    return {"next_page_key": key, "next_page_url": f"{path}?{urlencode({**kept, 'page_key': key})}"}


def window(asked: Mapping[str, str]) -> tuple[int | None, int | None]:
    """``after`` and ``before`` in seconds since 1970; None where they aren't asked for."""
    bounds = {
        name: (parse_day(asked[name], name) - date(1970, 1, 1)).days * DAY if name in asked else None
        for name in ("before", "after")
    }
    return bounds["after"], bounds["before"]


def _filters(asked: Mapping[str, str]) -> list[Callable[[Sale], bool]]:
    tests: list[Callable[[Sale], bool]] = []
    product_id, email, order_id = (asked.get(name, "").strip() for name in ("product_id", "email", "order_id"))
    if product_id:
        if not ID.fullmatch(product_id):
            raise BadParameterError("Invalid product ID.")
        tests.append(lambda sale: sale.product.id == product_id)
    if order_id:
        if not order_id.isdigit():
            raise BadParameterError("Invalid order ID.")
        tests.append(lambda sale: sale.order_id == int(order_id))
    if email:
        tests.append(lambda sale: sale.buyer.email == email)
    return tests


def _refuse_page(asked: Mapping[str, str]) -> None:
    if "page" in asked:
        page = asked["page"]
        raise BadParameterError(
            DEPRECATED if page.isdigit() and int(page) else "Invalid page number. Page numbers start at 1."
        )


def _too_slow(seller: GumroadSeller, start: int | None, end: int | None, most_days: int | None) -> bool:
    if most_days is None or not seller.keys:
        return False
    first = seller.keys[0][0] // DAY * DAY if start is None else start
    last = seller.clock() // DAY * DAY + DAY if end is None else end
    return last - first > most_days * DAY


def _choose(seller: GumroadSeller, low: int, high: int, tests: list[Callable[[Sale], bool]]) -> list[Sale]:
    """Up to eleven rows of the slice, newest first: the eleventh only says that there is more."""
    if not tests:
        return seller.rows[max(low, high - PAGE - 1) : high][::-1]
    found: list[Sale] = []
    for at in range(high - 1, low - 1, -1):
        if all(test(seller.rows[at]) for test in tests):
            found.append(seller.rows[at])
            if len(found) > PAGE:
                break
    return found


def sales_page(
    seller: GumroadSeller,
    asked: Mapping[str, str],
    fault: str | None,
    slow_window_days: int | None,
    *,
    cursor_by_id: bool = False,
) -> bytes:
    """The answer to ``GET /v2/sales``.

    Args:
        seller: whose sales.
        asked: the parameters of the query.
        fault: ``timeout_400``, ``shuffle``, ``repeat_rows`` or ``repeat_key``; any other, and None, spoils nothing.
        slow_window_days: a window of more days times out; None for no limit.
        cursor_by_id: behind a page key stands what is not younger than its instant and has the lower id, as the
            service's source says; else what comes after that row in the list.

    Raises:
        BadParameterError: what the service answers with 400.
    """
    _refuse_page(asked)
    start, end = window(asked)
    tests = _filters(asked)
    low, high = seller.between(start, end)
    whole = high
    key = asked.get("page_key", "")
    if key:
        instant, number = position(key)
        if cursor_by_id:
            row = seller.numbers.get(number)
            tests.append(lambda sale: sale.created <= instant and (row is None or sale.seq < row.seq))
        else:
            high = min(high, max(low, seller.behind(instant, number)))
    if fault == "timeout_400" or _too_slow(seller, start, end, slow_window_days):
        raise BadParameterError(TIMED_OUT)
    found = _choose(seller, low, high, tests)
    page, more = found[:PAGE], len(found) > PAGE
    if fault == "shuffle":
        shown = page[1::2] + page[::2]
    elif fault == "repeat_rows" and high < whole:
        shown = [seller.rows[high], *page]
    else:
        shown = page
    now, zone = seller.clock(), seller.zone
    body = b",".join([sale_json(sale, seller.seller_id, zone, now) for sale in shown])
    if not more:
        return b'{"success":true,"sales":[' + body + b"]}"
    following = key if fault == "repeat_key" and key else page_key(page[-1].created, page[-1].order_id)
    further = next_page("/v2/sales", asked, following)
    tail = f'],"next_page_key":"{further["next_page_key"]}","next_page_url":"{further["next_page_url"]}"}}'
    return b'{"success":true,"sales":[' + body + tail.encode()


def product_page(
    seller: GumroadSeller, asked: Mapping[str, str], *, legacy: bool
) -> tuple[list[Product], dict[str, str]]:
    """Products newest first, and the keys of the next page if there is one; ``legacy`` gives all at once."""
    newest_first = sorted(seller.products, key=lambda product: (product.created, product.seq), reverse=True)
    if legacy:
        return newest_first, {}
    key = asked.get("page_key", "")
    if key:
        instant, number = position(key)
        newest_first = [p for p in newest_first if p.created <= instant and p.number < number]
    page = newest_first[:PAGE]
    if len(newest_first) <= PAGE:
        return page, {}
    return page, next_page("/v2/products", asked, page_key(page[-1].created, page[-1].number))
