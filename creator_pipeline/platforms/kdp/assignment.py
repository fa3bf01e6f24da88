"""Assigns the columns of a table to those of one of KDP's layouts, class by class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from creator_pipeline.platforms.kdp import identities
from creator_pipeline.platforms.kdp.cells import text
from creator_pipeline.platforms.kdp.columns import transaction
from creator_pipeline.platforms.kdp.evidence import CLASS_OF, HOLDS, Column
from creator_pipeline.platforms.kdp.formats import Family, Sheet
from creator_pipeline.platforms.kdp.identities import Facts, Numbers


@dataclass
class Reading:
    """A layout that fits a table. ``unclear`` are columns whose place in it isn't proved."""

    family: Family
    sheet: Sheet
    at: dict[str, Column]
    ordered: bool
    unclear: dict[int, tuple[Column, tuple[str, ...]]] = field(
        default_factory=dict[int, tuple[Column, tuple[str, ...]]]
    )

    def doubt(self, columns: Iterable[Column], roles: Sequence[str]) -> None:
        """Remember columns that can be any of some of KDP's."""
        self.unclear.update({column.place: (column, tuple(roles)) for column in columns})


def groups_of(missing: Sequence[str], others: Sequence[Column]) -> list[tuple[str, list[str], list[Column]]] | None:
    """The open columns of KDP's by class, each with as many columns that hold such cells; None where it can't be."""
    left = list(others)
    groups: list[tuple[str, list[str], list[Column]]] = []
    for name in (*HOLDS, "blank"):
        roles = [role for role in missing if CLASS_OF[role] == name]
        members = [column for column in left if column.holds == name]
        if name == "rate" and roles and not members:
            members = [column for column in left if column.holds == "share"]
        if name == "number":
            members += [column for column in left if column.holds == "share"]
        blanks = [column for column in left if column.holds == "blank" and roles and column.can_be(roles[-1])]
        members += blanks[: max(0, len(roles) - len(members))]
        if len(members) != len(roles):
            return None
        left = [column for column in left if column not in members]
        if roles:
            groups.append((name, roles, members))
    return None if left else groups


def assign(
    reading: Reading, name: str, roles: list[str], members: list[Column], in_order: Mapping[str, Column]
) -> bool:
    """Assign the columns of one class; False where they can't be those of this layout.

    Args:
        reading: gets them, or the doubt.
        name: of the class.
        roles: the columns of the layout that are open.
        members: the columns of the table that are open.
        in_order: our name of a column -> the column at its place in KDP's order.
    """
    ways = [
        dict(zip(roles, chosen, strict=True))
        for chosen in permutations(members)
        if all(column.can_be(role) for role, column in zip(roles, chosen, strict=True))
    ]
    if name == "date":
        ways = [way for way in ways if _booked_after_order({**reading.at, **way})]
    if not ways:
        return False
    if name == "text" and not reading.ordered:
        return _assign_texts(reading, roles, members)
    outcomes = {tuple(tuple(column.cells) for column in way.values()): way for way in ways}
    if len(outcomes) == 1:
        reading.at.update(ways[0])
    elif reading.ordered and any(all(in_order[role] is column for role, column in way.items()) for way in ways):
        reading.at.update({role: in_order[role] for role in roles})
    else:
        reading.doubt(members, roles)
    return True


def _booked_after_order(at: Mapping[str, Column]) -> bool:
    """A printed book's royalty is booked in the month of its order or later."""
    if not {"royalty_date", "order_date"} <= at.keys():
        return True
    pairs = zip(at["royalty_date"].cells, at["order_date"].cells, strict=True)
    return all(text(booked) >= text(ordered) for booked, ordered in pairs if type(booked) is type(ordered))


def _assign_texts(reading: Reading, roles: list[str], members: list[Column]) -> bool:
    """Title and author decide nothing: where they can't be told apart they aren't read. The transaction does."""
    left = list(members)
    if "transaction" in roles:
        by_words = [each for each in left if each.filled and all(transaction(text(cell)) for cell in each.filled)]
        by_stem = [each for each in left if each.stem == "transaction"]
        chosen = left if len(left) == 1 else by_words if len(by_words) == 1 else by_stem
        if len(chosen) != 1:
            reading.doubt(left, roles)
            return True
        reading.at["transaction"] = chosen[0]
        left.remove(chosen[0])
    rest = [role for role in roles if role != "transaction"]
    by_stem = {role: [each for each in left if each.stem == role] for role in rest}
    if all(len(found) == 1 for found in by_stem.values()):
        reading.at.update({role: found[0] for role, found in by_stem.items()})
    elif len(left) == 1 == len(rest):
        reading.at[rest[0]] = left[0]
    return True


def assign_numbers(
    reading: Reading,
    roles: list[str],
    missing: list[str],
    members: list[Column],
    in_order: Mapping[str, Column],
    facts: Facts,
    totals: Mapping[str, float],
) -> Reading | None:
    """Assign the columns of numbers; None where they can't be those of this layout.

    Args:
        reading: gets them, or the doubt.
        roles: all columns of the layout.
        missing: those of numbers whose header isn't known.
        members: columns of numbers whose header isn't known.
        in_order: our name of a column -> the column at its place in KDP's order.
        facts: what is sure of each row.
        totals: money by currency as the Summary states it; empty where none is there.
    """
    if not missing:
        return reading
    known, kind = reading.at, reading.sheet.kind
    if kind == "orders":
        return _assign_orders(reading, missing, members, in_order)
    if kind == "kenp":
        ways = identities.kenp_readings(known, members, paid="royalty" in roles)
    else:
        ways = identities.sales_readings(roles, known, members, facts, totals)
    if not ways:
        return None
    wanted = [
        role
        for role in ("units_sold", "units_refunded", "net_units", "net_units_or_kenp", "royalty", "kenp")
        if role in ways[0].at
    ]
    way = _decided(reading, ways, wanted, missing, in_order)
    if way is None:
        differing = _differing(ways, [role for role in wanted if role in missing])
        for column, names in differing:
            reading.doubt([column], names)
        return reading
    reading.at.update(way.at)
    if kind == "sales":
        left = [each for each in members if each not in way.at.values()]
        _assign_prices(reading, [role for role in missing if role not in way.at], left, in_order)
    return reading


def _decided(
    reading: Reading,
    ways: Sequence[Numbers],
    wanted: Sequence[str],
    missing: Sequence[str],
    in_order: Mapping[str, Column],
) -> Numbers | None:
    """The reading that is proved; None where none is."""
    open_roles = [role for role in wanted if role in missing]
    if not open_roles:
        return ways[0]
    left = [way for way in ways if not _contradicted(way, open_roles)]

    def in_place(way: Numbers) -> bool:
        return reading.ordered and all(way.at[role].numbers == in_order[role].numbers for role in open_roles)

    proofs = (
        [way for way in ways if way in left and len(ways) == 1 and identities.proved(way)],
        [way for way in left if _said(way, open_roles) and identities.supported(way)],
        [way for way in left if in_place(way) and identities.proved(way)],
        [way for way in left if in_place(way) and _said(way, open_roles)],
    )
    best = max(way.fit for way in ways)
    return next((way for proof in proofs if len(proof) == 1 for way in proof if way.fit >= best), None)


def _said(way: Numbers, roles: Sequence[str]) -> bool:
    """Whether the words of the headers say the same."""
    return all(_stem(way.at[role]) == _plain_role(role) for role in roles if role != "units_sold")


def _contradicted(way: Numbers, roles: Sequence[str]) -> bool:
    """Whether a word of another header says the opposite."""
    for role in ("royalty", "units_refunded"):
        named = [column for column in way.offered if _stem(column) == role] if role in roles else []
        if len(named) == 1 and named[0].numbers != way.at[role].numbers:
            return True
    return False


def _stem(column: Column) -> str:
    return _plain_role(column.stem or "")


def _plain_role(role: str) -> str:
    return "net_units" if role == "net_units_or_kenp" else role


def _differing(ways: Sequence[Numbers], roles: Sequence[str]) -> Iterator[tuple[Column, tuple[str, ...]]]:
    columns = {column.place: column for way in ways for role, column in way.at.items() if role in roles}
    for _place, column in sorted(columns.items()):
        names = dict.fromkeys(role for way in ways for role in roles if way.at[role] is column)
        yield column, tuple(names)


def _assign_orders(
    reading: Reading, missing: list[str], members: list[Column], in_order: Mapping[str, Column]
) -> Reading:
    said = {role: [each for each in members if each.stem == role] for role in missing}
    if reading.ordered:
        reading.at.update({role: in_order[role] for role in missing})
    elif len(members) == 1 or all(len(found) == 1 for found in said.values()):
        reading.at.update({role: (said[role] or members)[0] for role in missing})
    else:
        reading.doubt(members, missing)
    return reading


def _assign_prices(reading: Reading, missing: list[str], left: list[Column], in_order: Mapping[str, Column]) -> None:
    """Only the offer price decides something: whether copies of an unknown transaction were given away."""
    if reading.ordered and all(in_order[role] in left for role in missing):
        reading.at.update({role: in_order[role] for role in missing})
        return
    if "offer_price" in missing:
        rows = [
            row
            for row, (units, money) in enumerate(
                zip(reading.at["units_sold"].numbers or [], reading.at["royalty"].numbers or [], strict=True)
            )
            if units and money == 0
        ]
        patterns = {each.place: tuple((each.numbers or [])[row] == 0 for row in rows) for each in left if each.numbers}
        free = [each for each in left if any(patterns.get(each.place, ()))]
        if len({patterns[each.place] for each in free}) > 1:
            reading.doubt(free, missing)
            return
        if free:
            reading.at["offer_price"] = free[0]
            left = [each for each in left if each is not free[0]]
    rest = [role for role in missing if role != "offer_price"]
    # They are read for the decimal mark alone.
    reading.at.update(dict(zip(rest, left, strict=False)))
