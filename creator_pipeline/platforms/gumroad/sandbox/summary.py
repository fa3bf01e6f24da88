"""``GET /v2/sales/summary``: the platform's own totals, by days of the seller's time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.shapes import Sale

GROUPS = ("product", "day", "week", "month", "hour")


def _figures(sales: Iterable[Sale]) -> dict[str, int]:
    gross = refunded = units = refunded_units = 0
    for sale in sales:
        gross += sale.price
        refunded += sale.refunded_cents
        units += 1
        refunded_units += sale.refunded_cents > 0
    return {
        "gross_cents": gross,
        "net_cents": gross - refunded,
        "units": units,
        "refunded_cents": refunded,
        "refunded_units": refunded_units,
    }


def _label(group_by: str, seller: GumroadSeller) -> Callable[[Sale], str]:
    zone = seller.zone

    def key(sale: Sale) -> str:
        if group_by == "product":
            return sale.product.id
        local = datetime.fromtimestamp(sale.created, zone)
        if group_by == "week":
            return (local.date() - timedelta(days=local.weekday())).isoformat()
        return local.strftime({"day": "%Y-%m-%d", "month": "%Y-%m", "hour": "%Y-%m-%dT%H:00"}[group_by])

    return key


def summary(seller: GumroadSeller, start: date, end: date, group_by: str | None = None) -> dict[str, object]:
    """Totals of ``start`` to ``end``, both inclusive and in the seller's zone, in US cents.

    Charged sales only, refunded and charged-back ones included, completions of commissions left out, pre-orders on the
    day of their authorization; groups without a sale are absent.

    Args:
        seller: whose sales.
        start, end: the range.
        group_by: one of :data:`GROUPS`; None for an answer without ``breakdown``.
    """
    zone = seller.zone
    first = int(datetime.combine(start, time(), zone).timestamp())
    after = int(datetime.combine(end + timedelta(days=1), time(), zone).timestamp())
    low, high = seller.between(first, after)
    sales = [sale for sale in seller.rows[low:high] if sale.counts and sale.commission is None]
    if seller.preorders != "charged":
        sales = [sale for sale in sales if sale.preorder_authorized is None]
    if seller.preorders == "authorized":
        sales += [
            # The authorization is a purchase of its own, of which nothing is ever given back.
            replace(sale, created=sale.preorder_authorized, refunded_cents=0)
            for sale in seller.rows
            if sale.preorder_authorized is not None and first <= sale.preorder_authorized < after
        ]
    answer: dict[str, object] = {
        **_figures(sales),
        "processing_units": 0,
        "processing_gross_cents": 0,
        "currency": "usd",
        "from": start.isoformat(),
        "to": end.isoformat(),
    }
    if group_by:
        groups: dict[str, list[Sale]] = {}
        key = _label(group_by, seller)
        for sale in sales:
            groups.setdefault(key(sale), []).append(sale)
        by_product = group_by == "product"
        items = [
            {**_figures(rows), "key": name, "label": rows[0].product.name if by_product else name}
            for name, rows in groups.items()
        ]
        answer["breakdown"] = sorted(
            items, key=lambda item: (-int(item["gross_cents"]), item["label"]) if by_product else (0, item["key"])
        )
    return answer
