"""What platforms have served to somebody, as files, played by the stand-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale
from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline_tests.support.paths import FIXTURES

FOLDER = FIXTURES / "platform_field"


def field_file(name: str) -> dict[str, Any]:
    """One case: ``scenario`` is what is served, ``right`` what is to come of it."""
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


def serve_gumroad(part: GumroadPart, profile: str, scenario: dict[str, Any], completions: frozenset[str]) -> None:
    """Let a seller have the products and sales of a file, each as its JSON stands.

    Args:
        part: the stand-in's sellers.
        profile: one without sales.
        scenario: of the file.
        completions: ids of the sales that complete a commission: the list doesn't tell it.
    """
    seller = part[profile]
    seller.products = [
        Product(each["id"], each["id"], each["name"], each["price"], each["currency"]) for each in scenario["products"]
    ]
    for seq, told in enumerate(scenario["sales"], start=1):
        sale = Sale(
            told["id"],
            told["order_id"],
            int(datetime.fromisoformat(told["created_at"]).timestamp()),
            seq,
            next(each for each in seller.products if each.id == told["product_id"]),
            told["price"],
            told.get("gumroad_fee", 0),
            Buyer(told["email"]),
            commission="completion" if told["id"] in completions else None,
        )
        listed = {key: value for key, value in told.items() if key != "timestamp"}
        sale.head = orjson.dumps(listed)[:-1] + b',"timestamp":"'
        sale.refunded_cents = scenario["summary"].get(told["created_at"][:10], {}).get("refunded_cents", 0)
        if not told["partially_refunded"]:
            sale.refunded_cents = 0
        seller.place(sale)


def serve_whop(account: WhopAccount, scenario: dict[str, Any], account_id: str = "biz_1") -> None:
    """Let an account be the one of a file: its lists hold what stands there, and nothing else.

    Args:
        account: of the stand-in.
        scenario: of the file.
        account_id: the account's; written into every object.
    """
    account.id = account_id
    for table in account.tables.values():
        table.clear()
    for name, rows in scenario.items():
        for row in rows if name in account.tables else ():
            if "account_id" in row:
                row["account_id"] = account_id
            if isinstance(row.get("account"), dict):
                row["account"]["id"] = account_id
            account.put(name, row)
