"""Reports with other headers: each is read right, or refused naming the column; never wrong, never empty.

``python -m creator_pipeline_tests.fuzz.kdp_headers --files N`` counts what became of N of them.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import python_calamine

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.kdp.columns import column, normal
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.models import Report, total
from creator_pipeline.platforms.kdp.parse import parse
from creator_pipeline_tests.support.kdp_languages import LANGUAGES
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, FINAL, FIXTURES, REEXPORT, as_csv, workbook

FIELD = FIXTURES.parent / "kdp_field"
WORKBOOKS = [ESTIMATOR, REEXPORT, FINAL, *sorted(FIELD.glob("*.xlsx"))]
CSVS = [FIXTURES / "csv_combined_utf8.csv", FIXTURES / "csv_kenp_read.csv", *sorted(FIELD.glob("T*.csv"))]
HOWS = ("kept", "swapped", "one moved", "shuffled")
Tab = list[list[Any]]


class Outcome(NamedTuple):
    """What became of a file: ``right``, ``refused``, ``unnamed``, ``wrong`` or ``empty``."""

    what: str
    how: str
    told: str


def _sums(report: Report) -> tuple[object, ...]:
    sales, pages = total(report.of_kind("sales")), total(report.of_kind("kenp"))
    money = {code: micros for code, micros in sales.royalty_micros.items() if micros}
    paid = {code: micros for code, micros in pages.royalty_micros.items() if micros}
    return sales.net_units, sales.units_refunded, sales.free_units, pages.pages_read, money, paid, report.period_start


def _header(tab: Tab) -> int:
    """Index of the header: the first row of which most cells are known."""
    return next((n for n, row in enumerate(tab) if len(row) > 1 and sum(bool(column(str(c))) for c in row) > 1), 0)


def _words(dice: random.Random, language: str, names: Sequence[str]) -> list[str]:
    if language == "nonsense":
        return ["".join(dice.choices("bcdfghjkmpqrstvwxz", k=dice.randint(3, 9))) for _ in names]
    words = LANGUAGES[language]
    return [words.get(column(name) or "", name) for name in names]


def _moved(dice: random.Random, how: str, width: int) -> list[int]:
    order = list(range(width))
    if how == "shuffled":
        dice.shuffle(order)
    elif how == "swapped":
        one = dice.randrange(width - 1)
        other = dice.choice([one + 1, dice.randrange(width)])
        order[one], order[other] = order[other], order[one]
    elif how == "one moved":
        order.insert(dice.randrange(width), order.pop(dice.randrange(width)))
    return order


def changed(dice: random.Random, tab: Tab, language: str, how: str) -> Tab:
    """A tab with other headers, and its columns in another order."""
    index = _header(tab)
    width = len(tab[index])
    order = _moved(dice, how, width)
    names = _words(dice, language, [str(cell) for cell in tab[index]])
    rows = [list(row) + [""] * (width - len(row)) for row in tab]
    above = [
        [
            LANGUAGES[language]["sales_period"] if language in LANGUAGES and normal(str(c)) == "sales period" else c
            for c in row
        ]
        for row in rows[:index]
    ]
    return [*above, *([row[place] for place in order] for row in [names, *rows[index + 1 :]])]


def mutant(seed: int) -> tuple[Path, str, str, bytes]:
    """A fixture with other headers: its path, the language, what was done to its columns, and the file."""
    dice = random.Random(seed)
    language = dice.choice([*LANGUAGES, "nonsense", "nonsense"])
    how = dice.choice(HOWS)
    path = dice.choice(WORKBOOKS + CSVS)
    if path.suffix == ".csv":
        tab: Tab = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        return path, language, how, as_csv(changed(dice, tab, language, how))
    renamed = dice.random() < 0.7
    book = python_calamine.load_workbook(path)
    tabs: dict[str, Tab] = {}
    for number, name in enumerate(book.sheet_names):
        rows = [list(row) for row in book.get_sheet_by_name(name).iter_rows()]
        # Which tabs change: mostly all of them, sometimes one. A Summary's money keeps its currencies.
        if rows and dice.random() < 0.9:
            rows = changed(dice, rows, language, how)
        tabs[f"Blatt {number}" if renamed else name] = rows
    return path, language, how, workbook(tabs)


def outcome(seed: int) -> Outcome:
    """What became of one file."""
    path, language, how, data = mutant(seed)
    expected = parse(path)
    where = f"seed {seed}: {path.name} in {language}, columns {how}"
    try:
        report = parse(data, "report" + path.suffix)
    except DataError as error:
        named = error.where().get("column") or error.where().get("sheet")
        return Outcome("refused" if named else "unnamed", how, f"{where}: {error}")
    if report.verdict == "quarantine":
        held = [each for each in report.problems if each.level == "quarantine"]
        named = any(each.column or each.sheet for each in held)
        return Outcome("refused" if named else "unnamed", how, f"{where}: {held[0]}")
    if _sums(report) == _sums(expected):
        return Outcome("right", how, where)
    what = "wrong" if any(row.dimensions.counted for row in report.rows) else "empty"
    return Outcome(what, how, f"{where}: {_sums(report)} for {_sums(expected)}; {describe(report)['problems']}")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--show", default="wrong,empty,unnamed")
    chosen = options.parse_args()
    counts, by_kind = Counter[str](), Counter[tuple[str, str]]()
    for number in range(chosen.seed, chosen.seed + chosen.files):
        result = outcome(number)
        counts[result.what] += 1
        by_kind[result.how, result.what] += 1
        if result.what in chosen.show.split(","):
            print(result.what, result.told)  # noqa: T201 - a command that says what it found
    print(dict(counts))  # noqa: T201 - as above
    for kind, count in sorted(by_kind.items()):
        print(*kind, count)  # noqa: T201 - as above
