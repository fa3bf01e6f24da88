"""Invented reports of Amazon KDP: Prior Months' Royalties in the physical shape of KDP's own, and their totals."""

from __future__ import annotations

import io
import random
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape

from sqlalchemy import func, select

from creator_pipeline.core.money import MICROS_PER_CENT
from creator_pipeline.platforms.kdp import PLATFORM
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events

Table = Sequence[Sequence[object]]

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_CORE = (
    'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dcterms="http://purl.org/dc/terms/"'
)
_SHOPS = (("Amazon.com", "USD", 1), ("Amazon.co.uk", "GBP", 1), ("Amazon.de", "EUR", 1), ("Amazon.co.jp", "JPY", 150))
_BOOKS = (
    ("The Quiet Ledger", "B0EXAMPLE1", "9798999900012"),
    ("Small Shops, Large Months", "B0EXAMPLE2", "9798999900029"),
)
_AUTHOR = "Alice Exemple"
_PRICES = "Avg. List Price without tax", "Avg. Offer Price without tax"
_UNITS = "Units Sold", "Units Refunded"
_EBOOK = (
    *("Title", "Author", "ASIN", "Marketplace", *_UNITS, "Net Units Sold", "Royalty Type", "Transaction Type"),
    *("Currency", *_PRICES, "Avg. File Size (MB)", "Avg. Delivery Cost", "Royalty"),
)
_KENP = ("Title", "Author", "ASIN", "Marketplace", "Kindle Edition Normalized Page (KENP) Read", "Royalty", "Currency")
_PRINT = (
    *("Title", "Author", "ISBN", "Marketplace", *_UNITS, "Royalty Type"),
    *(*_PRICES, "Avg. Manufacturing Cost", "Royalty", "Currency", "ASIN"),
)
_TOTAL = (
    *("Title", "Author", "ASIN/ISBN", "Marketplace", *_UNITS, "Net Units Sold or KENP Read**", "Royalty Type"),
    *("Payout Plan", "Currency", *_PRICES, "Avg. File Size (MB)", "Avg. Delivery/Manufacturing cost", "Earnings"),
)


class ReportTotals(NamedTuple):
    """Net units, pages read, and royalty in micros by currency; currencies with 0 are left out."""

    units: int
    pages: int
    micros: Mapping[str, int]


@dataclass(frozen=True)
class InventedReport:
    """A workbook and its totals.

    Attributes:
        earned: hundredths of the currency by marketplace, currency and the word that a payment has for the source.
    """

    name: str
    month: date
    content: bytes
    totals: ReportTotals
    earned: Mapping[tuple[str, str, str], int]


def prior_month(seed: int, today: date) -> InventedReport:
    """The final report of the month before ``today``, the same for the same seed and day."""
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    rng, by_source = random.Random(f"kdp/{seed}/{month:%Y-%m}"), Counter[tuple[str, str, str]]()
    ebook, kenp, paper, total = list[list[object]](), list[list[object]](), list[list[object]](), list[list[object]]()
    units, pages, cents = 0, 0, Counter[str]()
    for (title, asin, isbn), (shop, currency, scale) in ((book, shop) for book in _BOOKS for shop in _SHOPS):
        sold, back, price = rng.randint(3, 60), rng.randint(0, 2), 499 * scale
        royalty = (sold - back) * price * 7 // 10
        numbers = [price / 100, price / 100, 0.8, 0.06, royalty / 100]
        head = [title, _AUTHOR, asin, shop, sold, back, sold - back, "70%", "Standard", currency]
        ebook.append([*head, *numbers])
        total.append([*head, *numbers])
        read, paid = rng.randint(200, 4_000), rng.randint(80, 1_900) * scale
        word = "Kindle Edition Normalized Page (KENP) Read"
        kenp.append([title, _AUTHOR, asin, shop, read, paid / 100, currency])
        missing = ["N/A"] * 4
        total.append([title, _AUTHOR, asin, shop, "N/A", "N/A", read, "N/A", word, currency, *missing, paid / 100])
        printed = rng.randint(1, 15)
        earned = printed * 312 * scale
        costs = [1_299 * scale / 100, 1_299 * scale / 100, 467 * scale / 100]
        paper.append([title, _AUTHOR, isbn, shop, printed, 0, "60%", *costs, earned / 100, currency, asin])
        plan = [printed, 0, printed, "60%", "Standard - Paperback", currency, *costs[:2], "N/A", costs[2]]
        total.append([title, _AUTHOR, isbn, shop, *plan, earned / 100])
        units, pages = units + sold - back + printed, pages + read
        cents[currency] += royalty + paid + earned
        for source, amount in (("Sales", royalty), ("Paperback Sales", earned), ("KENP Royalties", paid)):
            by_source[shop, currency, source] += amount
    tabs: dict[str, Table] = {
        "eBook Royalty": [_EBOOK, *ebook],
        "KENP Read": [_KENP, *kenp],
        "Paperback Royalty": [_PRINT, *paper],
        "Hardcover Royalty": [_PRINT],
        "Total Earnings": [_TOTAL, *total],
    }
    period = ("Sales Period", f"{month:%B %Y}")
    content = workbook({name: [period, *rows] for name, rows in tabs.items()})
    name = f"KDP_Prior_Month_Royalties-{month:%Y-%m-%d}-00000000-1111-4222-8333-5555555500{seed:02}.xlsx"
    micros = {currency: amount * MICROS_PER_CENT for currency, amount in cents.items() if amount}
    return InventedReport(name, month, content, ReportTotals(units, pages, micros), by_source)


def ledger_totals(warehouse: Warehouse, profile_id: str, month: date) -> ReportTotals:
    """The totals of one month in the ledger."""
    events = sales_events.c
    mine = (events.profile_id == profile_id) & (events.platform == PLATFORM.in_ledger) & (events.occurred_on == month)
    with warehouse.read() as connection:
        counts = dict(
            connection.execute(
                select(events.event_type, func.sum(events.quantity)).where(mine).group_by(events.event_type)
            ).all()
        )
        money = connection.execute(
            select(events.currency, func.sum(events.net_micros)).where(mine).group_by(events.currency)
        ).all()
    micros = {currency: int(amount) for currency, amount in money if amount}
    return ReportTotals(int(counts.get("royalty", 0)), int(counts.get("pages_read", 0)), micros)


def workbook(tabs: Mapping[str, Table], created: datetime | None = None) -> bytes:
    """A workbook as KDP writes it: with inline strings, and ``A1`` as the dimension of every sheet.

    Args:
        tabs: rows of each tab by its name; None is an empty cell.
        created: when KDP made it, UTC; None leaves the time out.
    """

    def cell(value: object) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f"<c><v>{value!r}</v></c>"

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:

        def part(name: str, text: str) -> None:
            # A fixed time: the same report must be the same bytes.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)

        def links(kind: str, targets: Sequence[str]) -> str:
            made = (
                f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
                for number, target in enumerate(targets, 1)
            )
            return f'<Relationships xmlns="{_PACKAGE}">{"".join(made)}</Relationships>'

        sheets = [f"worksheets/sheet{number}.xml" for number in range(1, len(tabs) + 1)]
        names = (f'<sheet name="{escape(tab)}" sheetId="{n}" r:id="r{n}"/>' for n, tab in enumerate(tabs, 1))
        part("_rels/.rels", links("officeDocument", ["xl/workbook.xml"]))
        part("xl/_rels/workbook.xml.rels", links("worksheet", sheets))
        part("xl/workbook.xml", f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{"".join(names)}</sheets></workbook>')
        for target, rows in zip(sheets, tabs.values(), strict=True):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            part(f"xl/{target}", f'<worksheet {_MAIN}><dimension ref="A1"/><sheetData>{body}</sheetData></worksheet>')
        if created is not None:
            moment = f"<dcterms:created>{created:%Y-%m-%dT%H:%M:%SZ}</dcterms:created>"
            part("docProps/core.xml", f"<cp:coreProperties {_CORE}>{moment}</cp:coreProperties>")
    return stream.getvalue()
