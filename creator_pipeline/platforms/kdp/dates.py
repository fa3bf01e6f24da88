"""Reads dates: as KDP writes them, in the words of many languages, and as spreadsheet programs rewrite them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Literal

from creator_pipeline.platforms.kdp.columns import ascii_digits, normal
from creator_pipeline.platforms.kdp.problems import BadCell

Grain = Literal["month", "day"]
Order = Literal["ymd", "dmy", "mdy"]
"""Order of year, month and day in dates of numbers."""

_MONTHS = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "jan febr mrt apr mei jun jul aug sept okt nov dec",
    "jän feb mär apr mai jun jul aug sep okt nov dez",
    "ene feb mar abr may jun jul ago sept oct nov dic",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november december",
    "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "január február március április május június július augusztus szeptember október november december",
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
    "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
)
MONTH_OF = {normal(word): number for line in _MONTHS for number, word in enumerate(line.split(), start=1)}
"""Month's name in normal form -> 1..12."""

_MIDNIGHT = re.compile(
    r"(?<=[0-9])(?:,? |T)(?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?a\.?m\.?)(?: ?Z| ?[+-]00:?00)?$", re.IGNORECASE
)
"""What programs that know no days without a time write behind one."""
_WEEKDAY_BEHIND = re.compile(r" ?\([^\W\d]{1,3}\)$")
_WEEKDAY_BEFORE = re.compile(r"([^\W\d]+)\.?,? (?=.*[0-9].* .*[0-9])")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})(?:-([0-9]{1,2}))?")
_CJK = re.compile(r"([0-9]{4}) ?(?:年|년) ?([0-9]{1,2}) ?(?:月|월)(?: ?([0-9]{1,2}) ?(?:日|일))?")
_YEAR_FIRST_MONTH = re.compile(r"([0-9]{4})[/.]([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,4})([/.-]) ?([0-9]{1,2})\2 ?([0-9]{1,4})\.?")
_WORD = r"([^\W\d]+)\.?"
_DAY_NAMED = re.compile(rf"([0-9]{{1,2}})\.?[- ](?:de )?{_WORD}(?:[- ]|, )(?:de |del )?([0-9]{{4}})")
_NAMED_DAY = re.compile(rf"{_WORD}[- ]([0-9]{{1,2}})(?:[- ]|, )([0-9]{{4}})")
_YEAR_NAMED_DAY = re.compile(rf"([0-9]{{4}})\.?(?:[- ]|, ){_WORD}[- ]([0-9]{{1,2}})\.?")
_DIGITS = re.compile(r"(20[0-9]{2})([0-9]{2})([0-9]{2})")
"""Of a year of this century: as day, month and year its month would be past 19."""
_MONTH_DIGITS = re.compile(r"(20(?:1[3-9]|[2-9][0-9]))(0[1-9]|1[0-2])")
"""Of a year after 2012: as day, month and year its month would be past 12."""
_MONTH_YEAR = re.compile(r"([0-9]{1,2})[/.-]([0-9]{4})")
_MONTH_NAMED = re.compile(r"([^\s\d.,_-]+|[0-9]{1,2}[月월])(?:\.?,? (?:de |del )?|-)([0-9]{4})")
_SHORT_MONTH = re.compile(r"([^\W\d]+)\.?[- ]'?([0-9]{2})")
_YEAR_MONTH_NAMED = re.compile(r"([0-9]{4}),? ([^\s\d.,_]+|[0-9]{1,2}[月월])")
_NAMED = (
    (_DAY_NAMED, 3, 2, 1),
    (_NAMED_DAY, 3, 1, 2),
    (_YEAR_NAMED_DAY, 1, 2, 3),
    (_MONTH_NAMED, 2, 1, 0),
    (_YEAR_MONTH_NAMED, 1, 2, 0),
)
"""Dates with a month's name, and their groups of year, month and day; 0 where they have no day."""
_KDP = "a date as KDP writes it, 2026-03 or 2026-03-15"


def date_order(cells: Iterable[object]) -> Order | None:
    """The order of year, month and day in which every date of a column can be read.

    None where there is no such date, where several orders are possible (``3/1/2026``) and where none is.
    """
    possible: set[Order] = {"ymd", "dmy", "mdy"}
    found = False
    for cell in dict.fromkeys(cell for cell in cells if isinstance(cell, str)):
        if match := _NUMBERS.fullmatch(_plain(cell)):
            found = True
            possible = {order for order in possible if _in_order(match, order)}
    return possible.pop() if found and len(possible) == 1 else None


def day_or_month(cell: object, order: Order | None = None) -> tuple[date, Grain]:
    """A date and whether it stands for a month or a day.

    ``2026-03``, ``March 2026``, ``8月 2026`` and ``2026年8月`` are months, given by their first day; ``2026-03-15``,
    ``20260315``, ``Mar 15, 2026`` and ``2026年3月15日`` are days.

    Args:
        cell: text, or a date of a workbook.
        order: of year, month and day in dates of numbers, as :func:`date_order` tells it of the whole column.

    Raises:
        BadCell: any other form. A spreadsheet program makes ``3/1/2026`` of a date (which number is the month?),
            ``Mar-26`` (26 March?) or a serial number.
    """
    if isinstance(cell, datetime) and cell.time() == time():
        cell = cell.date()
    if type(cell) is date:
        return _day(cell.year, cell.month, cell.day), "day"
    if not isinstance(cell, str):
        raise BadCell(cell, _KDP)
    found = _plain(cell)
    try:
        match = _DATE.fullmatch(found) or _CJK.fullmatch(found) or _YEAR_FIRST_MONTH.fullmatch(found)
        match = match or _DIGITS.fullmatch(found) or _MONTH_DIGITS.fullmatch(found)
        if match:
            year, month, day = (*match.groups(), None)[:3]
            return _day(int(year or 0), int(month or 0), int(day or 1)), "day" if day else "month"
        if match := _NUMBERS.fullmatch(found):
            return _of_numbers(cell, match, order), "day"
        if match := _MONTH_YEAR.fullmatch(found):
            return _day(int(match[2]), int(match[1]), 1), "month"
        if named := _named(_without_weekday(normal(found))):
            return named
    except ValueError as error:
        raise BadCell(cell, "a date that exists") from error
    raise BadCell(cell, f"{_KDP}, or another that has one reading")


def _named(form: str) -> tuple[date, Grain] | None:
    for pattern, year, month, day in _NAMED:
        if (match := pattern.fullmatch(form)) and (number := MONTH_OF.get(match[month])):
            return _day(int(match[year]), number, int(match[day]) if day else 1), "day" if day else "month"
    return None


def month_of_period(cell: object) -> date:
    """The month of a Sales Period. A spreadsheet program makes its first day of it, or ``Oct-26``.

    Raises:
        BadCell: it is no month.
    """
    if isinstance(cell, str) and (match := _SHORT_MONTH.fullmatch(normal(_plain(cell)))) and match[1] in MONTH_OF:
        return _day(_century(match[2]), MONTH_OF[match[1]], 1)
    day, grain = day_or_month(cell)
    if grain != "month" and day.day > 1:
        raise BadCell(cell, "a month")
    return day


def _plain(cell: str) -> str:
    found = ascii_digits(unicodedata.normalize("NFKC", cell)).strip()
    return _WEEKDAY_BEHIND.sub("", _MIDNIGHT.sub("", found).removesuffix(" г."))


def _without_weekday(form: str) -> str:
    """Without the word before a day that is named whole: ``saturday, october 3, 2026``."""
    match = _WEEKDAY_BEFORE.match(form)
    return form[match.end() :] if match and match[1] not in MONTH_OF else form


def _century(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _of_numbers(cell: str, match: re.Match[str], order: Order | None) -> date:
    readings = {
        day for each in (("ymd", "dmy", "mdy") if order is None else (order,)) if (day := _in_order(match, each))
    }
    if len(readings) == 1:
        return readings.pop()
    if not readings:
        raise ValueError(cell)
    said = " or ".join(sorted(str(day) for day in readings))
    raise BadCell(cell, f"{_KDP}; this one can be read in several ways ({said}), and no other date of the column tells")


def _in_order(match: re.Match[str], order: Order) -> date | None:
    parts = dict(zip(order, (match[1], match[3], match[4]), strict=True))
    if len(parts["m"]) > 2 or len(parts["d"]) > 2 or len(parts["y"]) not in {2, 4}:
        return None
    year = _century(parts["y"])
    try:
        return _day(year, int(parts["m"]), int(parts["d"]))
    except ValueError:
        return None


def _day(year: int, month: int, day: int) -> date:
    # Kindle Direct Publishing opened in 2007; a year far outside is a damaged cell, not a sale.
    if not 2007 <= year <= 2100:
        raise ValueError(f"year {year}")
    return date(year, month, day)


def looks_like_date(cell: object) -> bool:
    """Whether a cell is a date, be it one that can be read in several ways."""
    if isinstance(cell, str) and _NUMBERS.fullmatch(_plain(cell)):
        return True
    try:
        day_or_month(cell)
    except BadCell:
        return False
    return True
