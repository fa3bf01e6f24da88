"""Objects of Whop that can't be read: they are kept as such, and their neighbours go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.json_fields import Json
from creator_pipeline.core.odd_objects import has_id, kept_text, key_of
from creator_pipeline.core.windows import aware_utc
from creator_pipeline.platforms.whop import PLATFORM, catalog, money_catalog
from creator_pipeline.store import unreadable as store
from creator_pipeline.store.unreadable import Unreadable

T = TypeVar("T")

HINT = "Look at it in Whop's dashboard. It is read again each night, and counts as soon as it can be read."
NO_ID_HINT = "Tell Whop's support. It goes from here, and counts, as soon as the list shows it with its id."
_DROPPED = catalog.MEMBERSHIP_DROPPED | catalog.PAYMENT_DROPPED | money_catalog.LINE_DROPPED
_KEPT = {"payment", "account", "resource"}
"""Of what is dropped these say whose object it is; what is personal within them goes."""
NOT_NARROWING = frozenset({"account_id", "order", "direction", "first", "limit", "balance_type", "after", "cursor"})
"""Parameters that leave nothing out of a list."""
_AFTER, _BEFORE = frozenset({"created_after", "posted_after"}), frozenset({"created_before"})


def raw_of(item: Json) -> str:
    """The text of an object as it is kept, without what is personal."""
    return kept_text(item, _DROPPED - _KEPT)


def unreadable(part: str, item: Json, error: DataError) -> Unreadable:
    """An object with what is missing.

    Args:
        part: its list, as ``refunds``.
        item: as the API tells it.
        error: what reading it raised.
    """
    lacks = f"no usable {error.column}" if error.column else error.message
    wanted = f"; expected {error.expected}" if error.expected else ""
    return Unreadable(part, key_of(item), f"{lacks}{wanted}", HINT, raw=raw_of(item))


@dataclass
class Listed:
    """What lists were asked for, and their objects without an id.

    Attributes:
        asked: (list, parameters) of each list that was read.
        odd: objects without an id.
    """

    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list[tuple[str, Mapping[str, Any]]])
    odd: list[Unreadable] = field(default_factory=list[Unreadable])

    def add(self, part: str, item: Json, parameters: Mapping[str, Any]) -> None:
        """Remember an object without an id.

        Args:
            part: its list.
            item: as the API tells it.
            parameters: of the request.
        """
        told = next((f"; its {key} is {item[key]}" for key in _TIMES if isinstance(item.get(key), str)), "")
        detail = f"no usable id; expected text{told[:60]}"
        asked = json.dumps({key: value for key, value in parameters.items() if key not in NOT_NARROWING})
        self.odd.append(Unreadable(part, key_of(item), detail, NO_ID_HINT, raw=raw_of(item), asked=asked))

    def reading(self, part: str, items: Iterable[Json], parameters: Mapping[str, Any]) -> Iterator[Json]:
        """Each object of a list once, without those that have no id: they are remembered.

        Args:
            part: the list.
            items: as its pages tell them.
            parameters: of the request.
        """
        ids: set[str] = set()
        last: Json = {}
        whole = False
        try:
            for item in items:
                if not has_id(item):
                    self.add(part, item, parameters)
                elif item["id"] not in ids:
                    ids.add(item["id"])
                    last = item
                    yield item
            whole = True
        finally:
            reached = _time_of(last)
            if whole:
                self.asked.append((part, parameters))
            elif parameters.get("direction") == "asc" and reached:
                # Whoever reads has seen enough: up to here.
                self.asked.append((part, {**parameters, "created_before": (reached + _TICK).isoformat()}))

    def named(self, part: str, payment_of: Callable[[Json], str]) -> set[str]:
        """Ids of the payments that objects without an id of their own say they are of.

        Args:
            part: their list.
            payment_of: reads the payment's id; raises DataError.
        """
        raws = [json.loads(one.raw) for one in self.odd if one.part == part]
        return set(good(part, raws, payment_of, []))

    def has(self, part: str) -> bool:
        """Whether a list showed an object without an id."""
        return any(one.part == part for one in self.odd)


_TICK = timedelta(milliseconds=1)
_TIMES = ("created_at", "posted_at")


def good(part: str, items: Iterable[Json], read: Callable[[Json], T], odd: list[Unreadable]) -> Iterator[T]:
    """What ``read`` makes of each object; one that can't be read is told in ``odd``.

    Args:
        part: their list.
        items: as the API tells them.
        read: raises DataError.
        odd: takes what can't be read.
    """
    for item in items:
        try:
            yield read(item)
        except DataError as error:
            odd.append(unreadable(part, item, error))


def keep_odd(
    connection: Connection,
    profile_id: str,
    odd: Iterable[Unreadable],
    read: Iterable[tuple[str, str]],
    moment: datetime,
    listed: Listed | None = None,
) -> None:
    """Keep what can't be read, and drop what can again.

    Args:
        connection: of the transaction.
        profile_id: whose account.
        odd: what can't.
        read: (list, id) of what can, or is gone.
        moment: of the reading.
        listed: lists that were read for it.
    """
    provider, found = PLATFORM.in_ledger, list(odd)
    store.forget(connection, provider, profile_id, read)
    if listed is not None:
        found += listed.odd
        seen = [(one.part, one.object_id) for one in listed.odd]
        store.forget_unseen(connection, provider, profile_id, seen, lambda one: _covered(one, listed))
    store.remember(connection, provider, profile_id, found, moment)


def earliest(connection: Connection, profile_id: str, part: str) -> Iterator[datetime]:
    """Just before each object of a list that can't be read, as far as it tells when it was.

    Args:
        connection: to the warehouse.
        profile_id: whose account.
        part: the list.
    """
    for one in store.unreadable_of(connection, PLATFORM.in_ledger, profile_id):
        if one.part != part or not one.raw:
            continue
        asked = json.loads(one.asked or "{}")
        told = [asked[name] for name in sorted(_AFTER) if name in asked]
        at = _time_of(json.loads(one.raw)) or (aware_utc(str(told[0])) if told else None)
        if at is not None:
            yield at - _TICK


def _covered(one: Unreadable, listed: Listed) -> bool:
    """Whether one of the lists would have shown an object that was seen before."""
    if not one.asked:
        return False
    raw, asked = json.loads(one.raw), json.loads(one.asked)
    return any(
        part == one.part and all(_shows(name, value, raw, asked) for name, value in parameters.items())
        for part, parameters in listed.asked
    )


def _shows(name: str, value: Any, raw: Json, asked: Json) -> bool:
    """Whether a list that is narrowed by this parameter shows an object."""
    if name in NOT_NARROWING:
        return True
    if name == "payment_id":
        payment = raw.get("payment")
        told = cast("Json", payment).get("id") if isinstance(payment, dict) else None
        return value in (raw.get("payment_id"), told, asked.get(name))
    if name not in _AFTER | _BEFORE:
        return asked.get(name) == value
    at = _time_of(raw)
    # What doesn't tell its time can be of any that was asked for.
    told, inclusive = (at.isoformat(), False) if at else (asked.get(name), True)
    if told is None:
        return False
    first, second = aware_utc(told), aware_utc(str(value))
    return (first == second and inclusive) or (first > second if name in _AFTER else first < second)


def _time_of(raw: Json) -> datetime | None:
    for key in _TIMES:
        try:
            return aware_utc(str(raw[key]))
        except (KeyError, ValueError):
            continue
    return None
