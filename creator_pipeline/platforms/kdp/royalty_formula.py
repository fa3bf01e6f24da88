"""Whether the column that a header calls the royalty can be the royalty: price, rate and units tell."""

from __future__ import annotations

from collections.abc import Sequence

from creator_pipeline.platforms.kdp.cells import Cell, Mark
from creator_pipeline.platforms.kdp.evidence import Column
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.identities import facts_of, formula, net_units
from creator_pipeline.platforms.kdp.problems import OWN_FILE, ProblemList

_ROWS = 500
"""Rows that are looked at: the price of a book changes rarely."""
_COLUMNS = ("royalty", "list_price", "offer_price", "delivery_cost", "manufacturing_cost", "any_cost")
_RARELY, _MOSTLY = 0.1, 0.6
"""Shares of the rows: below the first the formula doesn't hold, from the second on it does."""
_TELLING = 2
"""With fewer different rows another column may be the royalty by accident."""
_MANY = 10
_FACTS = ("royalty_type", "isbn", "asin_isbn", "asin", "currency")
_NEEDED = frozenset(("units_sold", "units_refunded", "royalty", "royalty_type"))


def check_royalty(
    layout: Layout, rows: Sequence[Sequence[Cell]], mark: Mark | None, problems: ProblemList, *, tab: str | None
) -> None:
    """Add a problem where price, rate and units say that the royalty is another column, or none that is known.

    Free copies, page reads and rows without a rate tell nothing. Prices are averages, so single rows may miss.

    Args:
        layout: of the table.
        rows: its first rows, as they are in the file.
        mark: decimal mark of its numbers.
        problems: gets what is found.
        tab: name of the tab; None for a CSV.
    """
    if layout.sheet.kind != "sales":
        return
    columns = _columns(layout, rows, mark)
    if not columns.keys() >= _NEEDED:
        return
    facts = facts_of(columns, len(columns["royalty"].cells))
    units = {name: columns[name] for name in ("units_sold", "units_refunded")}
    money = {name: columns[name] for name in _COLUMNS if name in columns}
    names = {name: layout.names[layout.at[name]] for name in columns}

    def fit(name: str) -> tuple[float, int]:
        others = [each for other, each in money.items() if other != name]
        return formula({**units, "royalty": money[name]}, others, facts)

    header = names["royalty"]
    if _opposite(columns):
        problems.add(
            "quarantine",
            f"The columns {names['units_sold']!r} and {names['units_refunded']!r} seem to be exchanged. {OWN_FILE}",
            sheet=tab,
            column=header,
            found="money for more units refunded than sold",
            expected="a royalty with the sign of the units sold less those refunded",
        )
    share, told = fit("royalty")
    best = max(((*fit(name), name) for name in money if name != "royalty"), default=(0.0, 0, ""))
    if best[0] >= _MOSTLY and best[0] > 2 * share and best[1] >= _TELLING:
        other = names[best[2]]
        problems.add(
            "quarantine",
            f"The columns {header!r} and {other!r} seem to be exchanged. {OWN_FILE}",
            sheet=tab,
            column=header,
            found=f"{header!r} fits in {share:.0%} of the rows, {other!r} in {best[0]:.0%}",
            expected="royalty = units x rate x price, less the cost",
        )
    elif told >= _MANY and share < _RARELY:
        problems.add(
            "note",
            "The report counts as it is. Compare it with what KDP shows.",
            sheet=tab,
            column=header,
            found=f"true of {share:.0%} of {told} different rows",
            expected="royalty = units x rate x price, less the cost, in most rows",
        )


def _columns(layout: Layout, rows: Sequence[Sequence[Cell]], mark: Mark | None) -> dict[str, Column]:
    """The columns that the formula needs, by our names; those that hold anything but numbers are left out."""
    told = [cells for cells in rows[:_ROWS] if len(cells) >= layout.width]
    found: dict[str, Column] = {}
    for name in (*_COLUMNS, "units_sold", "units_refunded", *_FACTS):
        if name in layout.at:
            place = layout.at[name]
            cells = [cells[place] for cells in told]
            column = Column(place, layout.names[place], cells, name, layout.words, mark)
            if name in _FACTS or column.numbers is not None:
                found[name] = column
    return found


def _opposite(columns: dict[str, Column]) -> bool:
    """Whether most royalties have the other sign than their units."""
    pairs = zip(net_units(columns), columns["royalty"].numbers or (), strict=True)
    signs = [units * money > 0 for units, money in pairs if units and money]
    return sum(signs) * 2 < len(signs)
