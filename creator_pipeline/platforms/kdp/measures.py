"""Reads the numbers of a row. Which columns they stand in depends on what the row is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from creator_pipeline.platforms.kdp.cells import Cell, Mark, absent, count, micros, number
from creator_pipeline.platforms.kdp.header import Layout
from creator_pipeline.platforms.kdp.problems import BadCell

CACHED = 20_000
"""Number of distinct values that are remembered; limits the memory for a file in which nothing repeats."""


class _Converted(dict[Cell, int]):
    """Remembers the number that each distinct cell was converted to."""

    def __init__(self, convert: Callable[[Cell, Mark | None], int], mark: Mark | None, column: str) -> None:
        super().__init__()
        self._convert = convert
        self._mark: Mark | None = mark
        self._column = column

    def __missing__(self, cell: Cell) -> int:
        try:
            value = self._convert(cell, self._mark)
        except BadCell as bad:
            bad.column = self._column
            raise
        if len(self) >= CACHED:
            self.clear()
        self[cell] = value
        return value


def _count_or_none(cell: Cell, mark: Mark | None) -> int:
    return 0 if absent(cell) else count(cell, mark)


Numbers = tuple[int, int, int, int, int]
"""Units sold, units refunded, free units, pages read, royalty in micros: the fields of Measures."""


def measure_reader(layout: Layout, mark: Mark | None) -> Callable[[Sequence[Cell], str], Numbers]:
    """The function from the cells of a row, and its mode, to its numbers.

    The mode is ``paid``, ``free``, ``kenp`` or ``unknown``, as :mod:`.dimensions` tells it. The function raises
    BadCell where a number can't be read.
    """
    at, kind = layout.at, layout.sheet.kind
    money = _Converted(micros, mark, "royalty")
    if kind == "kenp":
        pages, at_pages, at_money = _Converted(count, mark, "kenp"), at["kenp"], at.get("royalty")
        if at_money is None:
            return lambda cells, _mode: (0, 0, 0, pages[cells[at_pages]], 0)
        return lambda cells, _mode: (0, 0, 0, pages[cells[at_pages]], money[cells[at_money]])
    if kind == "orders":
        units, at_paid, at_free = _Converted(_count_or_none, mark, "paid_units"), at["paid_units"], at["free_units"]

        def orders(cells: Sequence[Cell], _mode: str) -> Numbers:
            given = units[cells[at_free]]
            return units[cells[at_paid]] + given, 0, given, 0, 0

        return orders
    return _sales(layout, mark, money)


def _sales(layout: Layout, mark: Mark | None, money: _Converted) -> Callable[[Sequence[Cell], str], Numbers]:
    at = layout.at
    sold, refunded = _Converted(count, mark, "units_sold"), _Converted(count, mark, "units_refunded")
    at_sold, at_refunded, at_money = at["units_sold"], at["units_refunded"], at["royalty"]
    at_pages = at.get("net_units_or_kenp")
    at_net = at.get("net_units", at_pages)
    nets = _Converted(_count_or_none, mark, "net_units")
    at_offer = at.get("offer_price")

    def sales(cells: Sequence[Cell], mode: str) -> Numbers:
        if mode == "kenp" and at_pages is not None:
            if not absent(cells[at_sold]):
                raise BadCell(cells[at_sold], "no units in a row of page reads", column="units_sold")
            return 0, 0, 0, nets[cells[at_pages]], money[cells[at_money]]
        units, back, amount = sold[cells[at_sold]], refunded[cells[at_refunded]], money[cells[at_money]]
        if at_net is not None and nets[cells[at_net]] != units - back and not absent(cells[at_net]):
            raise BadCell(cells[at_net], f"{units} sold minus {back} refunded", column="net_units")
        if mode == "paid":
            return units, back, 0, 0, amount
        free = mode == "free" or (
            amount == 0 and at_offer is not None and not absent(cells[at_offer]) and number(cells[at_offer], mark) == 0
        )
        return units, back, units if free else 0, 0, amount

    return sales
