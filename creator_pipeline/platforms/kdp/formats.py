"""KDP's report formats as data: a new format is one more declaration in this module.

A report is recognized by its tabs and headers, not by its name: KDP gives the same layout under four names. The
layouts are those of exports from 2011 to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from creator_pipeline.platforms.kdp.columns import normal
from creator_pipeline.platforms.kdp.models import Finality

Role = Literal["count", "repeat", "ignore"]
_NUMBERS_TABLE = re.compile(r"\s*(?:-|\u2013)\s*(?:[^\W\d]+ ?)?\d+\s*$")
_COPY = re.compile(r"\s*\([0-9]+\)$")
_TAB_NAME_LIMIT = 31  # Excel cuts tab names here, and KDP's Spanish hardcover tab is longer.


@dataclass(frozen=True, slots=True)
class Sheet:
    """One tab.

    Attributes:
        tabs: its names.
        kind: what a row is.
        role: ``count``: its rows are the report's. ``repeat``: it repeats the rows of tabs that count, so it is only
            compared with them; it counts if none of them is in the file. ``ignore``: it is not read.
        required: columns without which the tab can't be read.
        without: columns that show that it is another tab.
        date: column of the row's date; None where the month stands above the header.
        ids: columns of the product id, in the order in which they are tried.
        money: column of the royalty; None where there is none.
        format: format of its books; None where only the product id tells it.
        csv_kind: the report's kind where this tab comes alone as a CSV; None where it can't come alone.
        series: series of its rows; empty where the format tells it.
        alone: why this tab is refused where it comes alone; empty where it is not.
        repeated: columns that the header may have twice; the first one is read.
        orders: all its columns as KDP orders them; one text for each known layout.
    """

    name: str
    tabs: tuple[str, ...]
    kind: Literal["sales", "kenp", "orders", "payments", "summary", "text"]
    required: frozenset[str]
    role: Role = "count"
    without: frozenset[str] = frozenset()
    date: str | None = None
    ids: tuple[str, ...] = ("asin",)
    money: str | None = "royalty"
    format: str | None = None
    csv_kind: str | None = None
    series: str = ""
    alone: str = ""
    repeated: frozenset[str] = frozenset()
    orders: tuple[str, ...] = ()

    def named(self, tab: str) -> bool:
        """Whether ``tab`` is one of the names of this tab in a workbook."""
        # Numbers names a tab after its sheet and table: "Combined Sales - Table 1".
        form = normal(_NUMBERS_TABLE.sub("", _COPY.sub("", tab)))
        return any(form in {normal(name), normal(name[:_TAB_NAME_LIMIT])} for name in self.tabs)

    def fits(self, fields: Iterable[str]) -> bool:
        """Whether a header with the columns ``fields`` can be the header of this tab."""
        have = frozenset(fields)
        return self.required <= have and not self.without & have


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of download. ``kind`` may contain ``{grain}``, which becomes ``monthly`` or ``daily``."""

    name: str
    kind: str
    finality: Finality | None
    sheets: tuple[Sheet, ...]


def _columns(*groups: str) -> frozenset[str]:
    return frozenset(" ".join(groups).split())


_UNITS = "marketplace royalty_type units_sold units_refunded royalty currency"
_PRICES = "list_price offer_price"
_DATED_HEAD = "royalty_date title author"
_SALE = f"marketplace royalty_type transaction units_sold units_refunded net_units {_PRICES}"
_FINAL_SALE = "marketplace units_sold units_refunded net_units royalty_type transaction currency"
_PRINT_ORDER_A = f"royalty_date order_date title author isbn {_SALE} manufacturing_cost royalty currency asin"
_PRINT_ORDER_B = (
    f"title author isbn marketplace units_sold units_refunded royalty_type {_PRICES} "
    "manufacturing_cost royalty currency asin"
)
_TOTAL_ORDER = (
    "title author asin_isbn marketplace units_sold units_refunded net_units_or_kenp royalty_type transaction currency "
    f"{_PRICES} file_size any_cost royalty"
)
_ORDERS_ORDER = "date title author asin marketplace paid_units free_units"
_KENP_BOOKS = "ebook_asin audiobook_asin audible_asin"
_DATED = _columns("royalty_date date")
_EBOOK_TABS = ("eBook Royalty", "Regalías de eBooks", "Royalties de eBooks", "電子書籍のロイヤリティ")
_PAPERBACK_TABS = ("Paperback Royalty", "Regalías de libros impresos")
_HARDCOVER_TABS = ("Hardcover Royalty", "Regalías de los libros de tapa dura", "Regalías de los libros de tapa")
_KENP_TABS = ("KENP Read", "KENP", "KENP leídas", "KENP lidas", "既読 KENPC")
_PRINT_A = _columns(_UNITS, "transaction royalty_date isbn")
_PRINT_B = _columns(_UNITS, "isbn")

DASHBOARD = Family(
    name="dashboard",
    kind="estimator_{grain}",
    finality="estimate",
    sheets=(
        Sheet(
            "combined",
            ("Combined Sales", "Ventas combinadas", "Vendas combinadas", "販売数合算"),
            "sales",
            _columns(_UNITS, "transaction royalty_date asin_isbn"),
            role="repeat",
            date="royalty_date",
            ids=("asin_isbn",),
            csv_kind="csv_combined",
            orders=(f"{_DATED_HEAD} asin_isbn {_SALE} any_cost royalty currency",),
        ),
        Sheet(
            "ebook",
            _EBOOK_TABS,
            "sales",
            _columns(_UNITS, "transaction royalty_date asin"),
            without=_columns("isbn asin_isbn"),
            date="royalty_date",
            format="ebook",
            csv_kind="csv_ebook",
            orders=(f"{_DATED_HEAD} asin {_SALE} file_size delivery_cost royalty currency",),
        ),
        Sheet(
            "audiobook",
            ("Audiobook Royalty",),
            "sales",
            _columns(_UNITS, "transaction royalty_date asin"),
            without=_columns("isbn asin_isbn file_size delivery_cost"),
            date="royalty_date",
            format="audiobook",
            csv_kind="csv_audiobook",
            orders=(f"{_DATED_HEAD} asin {_SALE} royalty currency",),
        ),
        Sheet(
            "paperback",
            _PAPERBACK_TABS,
            "sales",
            _PRINT_A,
            date="royalty_date",
            ids=("isbn", "asin"),
            format="paperback",
            orders=(_PRINT_ORDER_A,),
        ),
        Sheet(
            "hardcover",
            _HARDCOVER_TABS,
            "sales",
            _PRINT_A,
            date="royalty_date",
            ids=("isbn", "asin"),
            format="hardcover",
            orders=(_PRINT_ORDER_A,),
        ),
        Sheet(
            "print",
            (),
            "sales",
            _PRINT_A,
            date="royalty_date",
            ids=("isbn", "asin"),
            format="print",
            csv_kind="csv_print",
            orders=(_PRINT_ORDER_A,),
        ),
        Sheet(
            "orders",
            ("Orders Processed", "Pedidos procesados", "確定済み注文"),
            "orders",
            _columns("date asin marketplace paid_units free_units"),
            date="date",
            money=None,
            csv_kind="csv_orders",
            series="orders",
            orders=(_ORDERS_ORDER,),
        ),
        Sheet(
            "orders_placed",
            ("eBook Orders Placed", "Pedidos completados de eBooks", "eBook Orders"),
            "orders",
            _columns("date asin marketplace paid_units free_units"),
            date="date",
            money=None,
            series="orders_placed",
            orders=(_ORDERS_ORDER,),
        ),
        Sheet(
            "kenp",
            _KENP_TABS,
            "kenp",
            _columns("date asin marketplace kenp"),
            without=_columns("royalty"),
            date="date",
            money=None,
            format="kenp",
            csv_kind="csv_kenp",
            series="kenp",
            orders=("date title author asin marketplace kenp",),
        ),
        Sheet(
            "kenp_audio",
            _KENP_TABS,
            "kenp",
            _columns("date ebook_asin marketplace kenp"),
            without=_columns("royalty"),
            date="date",
            ids=("ebook_asin", "audiobook_asin", "audible_asin"),
            money=None,
            format="kenp",
            csv_kind="csv_kenp",
            series="kenp",
            orders=(f"date title author {_KENP_BOOKS} marketplace kenp",),
        ),
        Sheet(
            "summary",
            ("Summary", "Resumen", "Resumo", "概要"),
            "summary",
            _columns("date royalty_usd"),
            role="repeat",
            without=_columns("marketplace"),
            date="date",
            money=None,
            csv_kind="csv_summary",
            alone="The Summary tab holds totals only: upload the whole workbook, or its Combined Sales tab.",
        ),
        Sheet(
            "definitions",
            ("Report Definitions", "Definiciones del informe", "Definições do relatório"),
            "text",
            _columns("report definition"),
            role="ignore",
        ),
    ),
)

PRIOR_MONTH = Family(
    name="prior_month",
    kind="prior_month_final",
    finality="final",
    sheets=(
        Sheet(
            "ebook",
            _EBOOK_TABS,
            "sales",
            _columns(_UNITS, "transaction asin"),
            without=_DATED | _columns("isbn asin_isbn net_units_or_kenp"),
            format="ebook",
            csv_kind="csv_prior_month",
            orders=(f"title author asin {_FINAL_SALE} {_PRICES} file_size delivery_cost royalty",),
        ),
        Sheet(
            "audiobook",
            ("Audiobook Royalty",),
            "sales",
            _columns(_UNITS, "transaction asin"),
            without=_DATED | _columns("isbn asin_isbn file_size delivery_cost"),
            format="audiobook",
            orders=(f"title author asin {_FINAL_SALE} {_PRICES} royalty",),
        ),
        Sheet(
            "kenp",
            _KENP_TABS,
            "kenp",
            _columns("asin marketplace kenp royalty currency"),
            without=_DATED,
            format="kenp",
            csv_kind="csv_prior_month",
            series="kenp",
            orders=("title author asin marketplace kenp royalty currency",),
        ),
        Sheet(
            "kenp_audio",
            _KENP_TABS,
            "kenp",
            _columns("ebook_asin marketplace kenp royalty currency"),
            without=_DATED,
            ids=("ebook_asin", "audiobook_asin", "audible_asin"),
            format="kenp",
            csv_kind="csv_prior_month",
            series="kenp",
            orders=(f"title author {_KENP_BOOKS} marketplace kenp currency royalty",),
        ),
        Sheet(
            "paperback",
            _PAPERBACK_TABS,
            "sales",
            _PRINT_B,
            without=_DATED,
            ids=("isbn", "asin"),
            format="paperback",
            orders=(_PRINT_ORDER_B,),
        ),
        Sheet(
            "hardcover",
            _HARDCOVER_TABS,
            "sales",
            _PRINT_B,
            without=_DATED,
            ids=("isbn", "asin"),
            format="hardcover",
            orders=(_PRINT_ORDER_B,),
        ),
        Sheet(
            "print",
            (),
            "sales",
            _PRINT_B,
            without=_DATED,
            ids=("isbn", "asin"),
            format="print",
            csv_kind="csv_prior_month",
            orders=(_PRINT_ORDER_B,),
        ),
        Sheet(
            "total_earnings",
            ("Total Earnings", "Total Royalty", "Ingresos totales"),
            "sales",
            _columns(_UNITS, "transaction asin_isbn net_units_or_kenp"),
            role="repeat",
            without=_DATED,
            ids=("asin_isbn",),
            csv_kind="csv_prior_month",
            orders=(_TOTAL_ORDER,),
        ),
    ),
)

PAYMENTS = Family(
    name="payments",
    kind="payments",
    finality=None,
    sheets=(
        Sheet(
            "payments",
            ("Payments",),
            "payments",
            _columns("period_start period_end marketplace payment_number currency accrued payout"),
            date="period_start",
            ids=(),
            money="accrued",
            csv_kind="payments",
            series="payments",
            # The royalty's currency, and further right the payout's.
            repeated=_columns("currency"),
        ),
    ),
)

LEGACY = Family(
    name="legacy",
    kind="legacy_month_end",
    finality="final",
    sheets=(
        Sheet(
            "legacy",
            ("Reports", "eBook Royalty Report"),
            "sales",
            _columns("title asin units_sold units_refunded royalty"),
            role="ignore",
            without=_DATED | _columns("marketplace currency"),
            csv_kind="legacy_month_end",
            alone="This is KDP's month-end report of before 2017: old layout, not supported yet.",
        ),
    ),
)

PREORDERS = Family(
    name="preorders",
    kind="preorders",
    finality=None,
    sheets=(
        Sheet(
            "preorders",
            ("Pre-orders", "Preorders"),
            "sales",
            _columns("preorder_units"),
            role="ignore",
            without=_columns("royalty"),
            csv_kind="preorders",
            alone="These are pre-orders, not sales yet: they are sales on the day of release.",
        ),
    ),
)

SCREENS = Family(
    name="screens",
    kind="screen",
    finality=None,
    sheets=(
        Sheet(
            "month_to_date",
            ("Month-to-Date", "Month to Date"),
            "sales",
            _columns("units_sold promotion_units"),
            role="ignore",
            without=_columns("royalty"),
            csv_kind="month_to_date",
            alone="This is the table of the month to date: it has no money and no shops.",
        ),
        Sheet(
            "historical",
            ("Historical",),
            "sales",
            _columns("net_units kenp"),
            role="ignore",
            without=_columns("royalty royalty_type asin asin_isbn isbn"),
            csv_kind="historical",
            alone="This is KDP's Historical table: it has no money and no books.",
        ),
    ),
)

FAMILIES = (DASHBOARD, PRIOR_MONTH, PAYMENTS, LEGACY, PREORDERS, SCREENS)
ORDERS, ORDERS_PLACED = (
    next(each for each in DASHBOARD.sheets if each.name == name) for name in ("orders", "orders_placed")
)
"""Tabs of one header: which one it is says only the tab's name, or its place among them."""
DECLARATIONS = tuple((family, sheet) for family in FAMILIES for sheet in family.sheets)


def by_header(fields: frozenset[str]) -> tuple[Family, Sheet] | None:
    """The tab whose header has the columns ``fields``, where a tab comes alone.

    Of several that fit, the one with most required columns, and with most that it must not have; None where none fits.
    """
    fitting = [pair for pair in DECLARATIONS if pair[1].csv_kind and pair[1].fits(fields)]
    # An audiobook tab is an e-book tab without the columns of files and delivery.
    return max(fitting, key=lambda pair: (len(pair[1].required), len(pair[1].without)), default=None)


def by_tab(name: str, fields: frozenset[str]) -> tuple[Family, Sheet] | None:
    """The tab of a workbook that has this name and a header with the columns ``fields``; None where none fits."""
    fitting = [pair for pair in DECLARATIONS if pair[1].named(name) and pair[1].fits(fields)]
    return max(fitting, key=lambda pair: len(pair[1].required), default=None)


def closest(fields: frozenset[str], tab: str | None = None) -> tuple[Family, Sheet]:
    """The declaration that a header was probably meant for: the one with most of its required columns in ``fields``.

    Args:
        tab: name of the tab; where declarations have this name, only they are compared.
    """
    named = [pair for pair in DECLARATIONS if tab is not None and pair[1].named(tab)]
    candidates = named or [pair for pair in DECLARATIONS if pair[1].csv_kind]

    def likeness(pair: tuple[Family, Sheet]) -> tuple[int, int]:
        sheet = pair[1]
        return len(sheet.required & fields) - len(sheet.without & fields), -len(sheet.required)

    return max(candidates, key=likeness)
