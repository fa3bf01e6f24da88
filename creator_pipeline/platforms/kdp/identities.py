"""Identities that hold inside every report of KDP's, and which assignments of columns of numbers they leave.

Net units = sold - refunded. Royalty ≈ net units x (rate x price - cost), or for e-books rate x (price - delivery).
Royalty has the sign of the net units. Money for pages is less than one unit of currency a page. The Summary's money =
the rows' money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from creator_pipeline.platforms.kdp.cells import absent, product_id, royalty_type, text
from creator_pipeline.platforms.kdp.evidence import Column
from creator_pipeline.platforms.kdp.isbn import is_print
from creator_pipeline.platforms.kdp.problems import BadCell

Values = tuple[float | None, ...]
_NEAR, _CENT = 0.03, 0.011
"""Share and amount by which prices that are averages may miss a royalty."""
_FITS, _COINCIDENCE = 0.5, 0.3
"""Share of the rows in which the formula must hold, and share at which another assignment can't be excluded."""
_FEW = 3
"""With fewer rows that tell something, the formula may hold by accident."""


@dataclass(frozen=True)
class Facts:
    """What is sure of each row: its rate (None where there is none), whether it is a printed book, its currency."""

    rates: tuple[float | None, ...]
    printed: tuple[bool, ...]
    currencies: tuple[str, ...]


def facts_of(at: Mapping[str, Column], rows: int) -> Facts:
    """The facts of each row, from the columns that are sure by what they hold."""
    rates: list[float | None] = [None] * rows
    if (share := at.get("royalty_type")) is not None:
        rates = [_rate(cell) if not share.blank(cell) else None for cell in share.cells]
    printed = [False] * rows
    for name in ("isbn", "asin_isbn", "asin"):
        if (ids := at.get(name)) is not None:
            printed = [old or _printed(cell) for old, cell in zip(printed, ids.cells, strict=True)]
    money = at.get("currency")
    currencies = [text(cell).upper() for cell in money.cells] if money else [""] * rows
    return Facts(tuple(rates), tuple(printed), tuple(currencies))


def _rate(cell: object) -> float | None:
    try:
        share = royalty_type(cell)
    except BadCell:
        return None
    return float(share.rstrip("%")) / 100 if share and share.endswith("%") else None


def _printed(cell: object) -> bool:
    try:
        return not absent(cell) and is_print(product_id(cell)[0])
    except BadCell:
        return False


@dataclass(frozen=True)
class Numbers:
    """One way to read the columns of numbers.

    Attributes:
        at: our name of a column -> the column.
        fit: share of the telling rows in which the royalty is what price, rate and units make of it.
        told: number of different rows that tell something.
        stated: whether the money is what the Summary states.
        offered: all columns of numbers that could have been chosen.
    """

    at: Mapping[str, Column]
    fit: float = 0.0
    told: int = 0
    stated: bool = False
    offered: Sequence[Column] = ()

    def outcome(self) -> tuple[object, ...]:
        """What is read of it: two ways with one outcome are one."""
        return tuple(sorted((name, _values(column)) for name, column in self.at.items()))


def _values(column: Column) -> Values:
    return tuple(column.numbers or ())


def sales_readings(
    roles: Sequence[str],
    known: Mapping[str, Column],
    columns: Sequence[Column],
    facts: Facts,
    totals: Mapping[str, float],
) -> list[Numbers]:
    """All ways to read units and royalty that contradict no identity, the provable ones if there are such.

    Args:
        roles: the columns of KDP's layout.
        known: columns whose name is known.
        columns: columns of numbers whose name is not known.
        facts: what is sure of each row.
        totals: money by currency as the Summary states it; empty where none is there.
    """
    found: dict[tuple[object, ...], Numbers] = {}
    for units in _units(roles, known, columns):
        left = [each for each in columns if each not in units.values()]
        for royalty in [known["royalty"]] if "royalty" in known else left:
            at = {**units, "royalty": royalty}
            if not _signs(at):
                continue
            prices = [each for each in left if each is not royalty]
            prices += [column for name, column in known.items() if name.endswith(("_price", "_cost"))]
            fit, told = formula(at, prices, facts)
            way = Numbers(at, fit, told, _stated(royalty, facts, totals), columns)
            best = found.get(way.outcome())
            if best is None or way.fit > best.fit:
                found[way.outcome()] = way
    ways = list(found.values())
    if any(way.stated for way in ways):
        ways = [way for way in ways if way.stated]
    if any(way.fit >= _FITS for way in ways):
        ways = [way for way in ways if way.fit >= _COINCIDENCE]
    return ways


def proved(way: Numbers) -> bool:
    """Whether the identities alone prove a reading that is the only one left."""
    return way.stated or (way.fit >= _FITS and way.told >= _FEW)


def supported(way: Numbers) -> bool:
    """Whether the identities speak for a reading, though in few rows."""
    return way.stated or (way.fit >= _FITS and way.told >= 1)


def _units(roles: Sequence[str], known: Mapping[str, Column], columns: Sequence[Column]) -> Iterator[dict[str, Column]]:
    net = next((name for name in ("net_units", "net_units_or_kenp") if name in roles), None)
    names = [name for name in ("units_sold", "units_refunded", net) if name]
    open_names = [name for name in names if name not in known]
    whole = [column for column in columns if column.holds != "blank" and column.whole]
    for chosen in permutations(whole, len(open_names)):
        at = {name: known[name] for name in names if name in known} | dict(zip(open_names, chosen, strict=True))
        if _net_is_sold_less_refunded(at, net):
            yield at


def _net_is_sold_less_refunded(at: Mapping[str, Column], net: str | None) -> bool:
    sold, refunded = _values(at["units_sold"]), _values(at["units_refunded"])
    nets = _values(at[net]) if net else (None,) * len(sold)
    for units, back, rest in zip(sold, refunded, nets, strict=True):
        if units is None or back is None:
            # The page reads in Total Earnings have no units.
            if net != "net_units_or_kenp" or units is not None or back is not None or rest is None:
                return False
        elif units < 0 or back < 0 or (net is not None and rest != units - back):
            return False
    return True


def net_units(at: Mapping[str, Column]) -> list[float | None]:
    """Units sold less those refunded, by row; None where one of them has no value."""
    pairs = zip(_values(at["units_sold"]), _values(at["units_refunded"]), strict=True)
    return [None if sold is None or back is None else sold - back for sold, back in pairs]


def _signs(at: Mapping[str, Column]) -> bool:
    money = _values(at["royalty"])
    return all(amount is not None for amount in money) and all(
        units is None or units == 0 or units * (amount or 0) >= 0
        for units, amount in zip(net_units(at), money, strict=True)
    )


def formula(at: Mapping[str, Column], prices: Sequence[Column], facts: Facts) -> tuple[float, int]:
    """The best share of rows in which some price and some cost among the columns make the royalty, and their number."""
    money, nets, best, most = _values(at["royalty"]), net_units(at), 0.0, 0
    for price in prices:
        for cost in [*(each for each in prices if each is not price), None]:
            rows = set(
                zip(nets, money, facts.rates, facts.printed, _values(price), _costs(cost, len(nets)), strict=True)
            )
            telling = [row for row in rows if row[0] and row[2] and row[4]]
            if telling:
                fit = sum(map(_is_royalty, telling)) / len(telling)
                best, most = max((best, most), (fit, len(telling)))
    return best, most


def _costs(cost: Column | None, rows: int) -> tuple[float | None, ...]:
    return (None,) * rows if cost is None else _values(cost) or (None,) * rows


def _is_royalty(row: tuple[float | None, float | None, float | None, bool, float | None, float | None]) -> bool:
    net, money, rate, printed, price, cost = row
    if net is None or money is None or rate is None or price is None:
        return False
    each = rate * price - (cost or 0) if printed else rate * (price - (cost or 0))
    if each <= 0 or (cost or 0) >= price:
        return False
    return abs(money - net * each) <= max(_NEAR * abs(money), _CENT * max(1.0, abs(net)))


def _stated(royalty: Column, facts: Facts, totals: Mapping[str, float]) -> bool:
    sums: defaultdict[str, float] = defaultdict(float)
    for amount, code in zip(_values(royalty), facts.currencies, strict=True):
        sums[code] += amount or 0.0
    compared = [code for code in totals if totals[code] or sums.get(code)]
    near = _CENT * max(1, len(facts.currencies)) / 2
    return bool(compared) and all(abs(sums.get(code, 0.0) - totals[code]) <= max(near, 0.02) for code in compared)


def kenp_readings(known: Mapping[str, Column], columns: Sequence[Column], *, paid: bool) -> list[Numbers]:
    """All ways to read pages and, where they are paid, their money: a page never earns one unit of a currency."""
    names = [name for name in (("kenp", "royalty") if paid else ("kenp",)) if name not in known]
    found: dict[tuple[object, ...], Numbers] = {}
    for chosen in permutations([each for each in columns if each.holds != "blank"], len(names)):
        at = {name: known[name] for name in ("kenp", "royalty") if name in known} | dict(
            zip(names, chosen, strict=True)
        )
        pages = _values(at["kenp"])
        money = _values(at["royalty"]) if paid else (0.0,) * len(pages)
        if not at["kenp"].whole or not _per_page(zip(pages, money, strict=True)):
            continue
        way = Numbers(at, stated=True, offered=columns)
        found[way.outcome()] = way
    return list(found.values())


def _per_page(rows: Iterable[tuple[float | None, float | None]]) -> bool:
    return all(pages is not None and money is not None and 0 <= abs(money) <= abs(pages) for pages, money in rows)
