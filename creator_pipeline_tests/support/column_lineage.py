"""Which columns of the ledger depend on which fields of a stored row: found by changing one field after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from creator_pipeline.ledger.events import LedgerEvent

_OF_A_ROW = ("event_type", "gross_micros", "fee_micros", "net_micros")
Make = Callable[[Any], Sequence[LedgerEvent]]


def found(make: Make, rows: Iterable[Any], columns: dict[str, str] | None = None) -> dict[str, tuple[str, ...]]:
    """Column to the ledger's columns that change with it, each in its order.

    Args:
        make: one stored row to rows of the ledger, by the pipeline's own code.
        rows: named tuples that between them lead through its branches.
        columns: names of fields that the table calls otherwise.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        before = make(row)
        for name, value in row._asdict().items():
            for other in _others(value):
                try:
                    after = make(row._replace(**{name: other}))
                except (AttributeError, TypeError, ValueError, KeyError):
                    continue  # a value that no row has
                column = (columns or {}).get(name, name)
                found.setdefault(column, set()).update(_differing(before, after))
    order = LedgerEvent._fields
    return {name: tuple(sorted(gives, key=order.index)) for name, gives in found.items() if gives}


def _differing(before: Sequence[LedgerEvent], after: Sequence[LedgerEvent]) -> set[str]:
    old, new = ({event.id: event for event in events} for events in (before, after))
    pairs = [(old[key], new[key]) for key in old.keys() & new.keys()]
    alone = [event for key, event in (old | new).items() if (key in old) != (key in new)]
    if len(before) == len(after) and not pairs:
        # The same rows under another id.
        pairs, alone = list(zip(before, after, strict=True)), []
    differ = {
        name for one, other in pairs for name in LedgerEvent._fields if getattr(one, name) != getattr(other, name)
    }
    # A row more or less: that it is there, and its money.
    return differ | {name for event in alone for name in _OF_A_ROW if getattr(event, name)}


def _others(value: object) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 3_000_000, 0]
        case datetime():
            return [value + timedelta(days=40, hours=1)]
        case date():
            return [value + timedelta(days=40)]
        case None:
            return ["another", 3_000_000]
        case str():
            parts = value.split("|")
            inside = ["|".join([*parts[:at], f"x{part}", *parts[at + 1 :]]) for at, part in enumerate(parts)]
            return [*inside, f"{value}x", None]
        case _:
            return []
