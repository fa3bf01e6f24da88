"""How the columns of Whop's declared tables are read, and which of its lists take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlsplit

from creator_pipeline.core.money import from_decimal
from creator_pipeline.store.table_streams import Field, Json, Turns, time, told

NAME, CHANGES, MINE = "whop", "whop_changes", {"account_id": "{account_id}"}
TURNS = Turns(
    (
        "members",
        "variants",
        "refunds",
        "disputes",
        "products",
        "promo_codes",
        "affiliates",
        "leads",
        "waiting_list",
        "invoices",
        "reviews",
        "transfers",
    ),
    lists=13,
    a_night=2,
)
"""Two lists a night, of a long one two pages: with them a night of a large account in four currencies stays at twenty
requests."""
Read = Callable[[Json, Mapping[str, str]], Any]


def _inside(item: Json, path: str) -> Any:
    found: Any = item
    for key in path.split("."):
        found = cast("Json", found).get(key) if isinstance(found, dict) else None
    return found


def amount(path: str) -> Read:
    """Reads an amount in units of its currency: a JSON number, or text with a symbol and commas."""

    def read(item: Json, _parent: Mapping[str, str]) -> int | None:
        value = _inside(item, path)
        if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
            return None
        plain = repr(value) if not isinstance(value, str) else "".join(one for one in value if one in "-.0123456789")
        try:
            return from_decimal(Decimal(plain))
        except (ArithmeticError, ValueError):
            return None

    return read


def fraction(path: str) -> Read:
    """Reads a fraction as millionths, where the discount is one."""

    def read(item: Json, parent: Mapping[str, str]) -> int | None:
        return amount(path)(item, parent) if item.get("promo_type") == "percentage" else None

    return read


def flat(path: str) -> Read:
    """Reads an amount, where the discount is one."""

    def read(item: Json, parent: Mapping[str, str]) -> int | None:
        return None if item.get("promo_type") == "percentage" else amount(path)(item, parent)

    return read


def upper(path: str) -> Read:
    """Reads a currency as the ledger writes it."""

    def read(item: Json, _parent: Mapping[str, str]) -> str | None:
        value = _inside(item, path)
        return value.upper() if isinstance(value, str) and value else None

    return read


def count(path: str) -> Read:
    """Reads a whole number that is written as any JSON number."""

    def read(item: Json, _parent: Mapping[str, str]) -> int | None:
        value = _inside(item, path)
        whole_one = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        return int(value) if whole_one else None

    return read


def host(item: Json, _parent: Mapping[str, str]) -> str | None:
    """The host of where a lead came from: the rest of the address can name a person."""
    value = item.get("referrer")
    try:
        return (urlsplit(value).hostname or None) if isinstance(value, str) else None
    except ValueError:
        return None


def line_total(item: Json, _parent: Mapping[str, str]) -> int | None:
    """What an invoice comes to: it has no total of its own."""
    lines = item.get("line_items")
    if not isinstance(lines, list):
        return None
    amounts = [amount("total")(cast("Json", line), {}) for line in cast("list[Any]", lines) if isinstance(line, dict)]
    return sum(one for one in amounts if one is not None) if None not in amounts else None


def micros(name: str, about: str, path: str) -> Field:
    """An amount in units of its currency."""
    return told(name, "micros", about, amount(path), path)


def currency(path: str, about: str = "Of the amounts") -> Field:
    """The currency of amounts."""
    return told("currency", "text", about, upper(path), path)


def times() -> tuple[Field, Field]:
    """When an object was made, and changed."""
    return time("created_at", "When it was made"), time("updated_at", "Last change at Whop", null=True)
