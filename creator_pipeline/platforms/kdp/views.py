"""KDP's plain tables: views of the stored rows of reports. ``docs/tables.md`` is made from this."""

from __future__ import annotations

from creator_pipeline.store.table_streams import Field, text, time, whole
from creator_pipeline.store.table_views import TableView

_NAME = "kdp"
_BY_MONTH = (
    "Of each shop's day or month the newest report counts. Days that a month's report held when it was made give way "
    "to it. Reports that are held back or withdrawn have no rows here."
)


def _day(name: str, about: str, *, null: bool = False) -> Field:
    return Field(name, "day", about, null=null)


def _micros(name: str, about: str, *, null: bool = False) -> Field:
    return Field(name, "micros", about, null=null)


def _ratio(name: str, about: str) -> Field:
    return Field(name, "ratio", about, null=True)


def _orders(name: str, about: str) -> TableView:
    return TableView(
        platform=_NAME,
        name=name,
        about=about,
        follows="kdp/royalties",
        rule=f"{_BY_MONTH} Orders are no revenue: they are never added to the ledger.",
        key=("day", "grain", "asin", "marketplace"),
        fields=(
            _day("day", "Day, or first day of the month"),
            text("grain", "day or month: what the row is of"),
            text("asin", "Amazon's id of the book", null=True),
            text("marketplace", "Amazon.com, …"),
            text("title", "As in that report", null=True),
            text("author", "As in that report", null=True),
            whole("paid_units", "Paid units; net of what came back, so it can be negative"),
            whole("free_units", "Units that were given away"),
            text("upload_id", "The report that counts"),
        ),
    )


BOOKS = TableView(
    platform=_NAME,
    name="books",
    about="A book that a report names.",
    follows="kdp/royalties",
    rule="Print is known by ISBN in some tabs and by ASIN in others: rows that have both tie them. Titles and authors "
    "are rewritten by KDP, so those of the newest report that has a title stand here.",
    key=("asin", "isbn"),
    fields=(
        text("asin", "Amazon's id; null for print of which no report tells it", null=True),
        text("isbn", "ISBN of print", null=True),
        text("title", "Of the newest report", null=True),
        text("author", "Of the newest report", null=True),
        _day("first_on", "First day, or first day of the month, that has a row of it"),
        _day("last_on", "Last such day"),
        time("first_seen_at", "Time of the oldest report that names it"),
        time("last_seen_at", "Time of the newest report that names it"),
        text("upload_id", "The report that its title is from"),
    ),
)
KENP_RATES = TableView(
    platform=_NAME,
    name="kenp_rates",
    about="What a page read was worth in a month at a marketplace.",
    follows="kdp/royalties",
    rule="Made of final reports only, of the rows that count in the ledger: estimates have pages and no money. No rate "
    "is carried to another month, marketplace or currency.",
    key=("month", "marketplace", "currency"),
    fields=(
        _day("month", "First day of the month"),
        text("marketplace", "Amazon.com, …"),
        whole("pages", "Pages read (KENP)"),
        _micros("royalty_micros", "Royalty of them"),
        text("currency", "Of the royalty and the rate"),
        _ratio("rate", "Royalty of a page, in units of the currency, to ten digits after the point"),
        text("upload_id", "The report that counts; of several the last by id"),
    ),
)
KENP_ESTIMATES = TableView(
    platform=_NAME,
    name="kenp_estimates",
    about="What the pages of a month at a marketplace may be worth while KDP has not closed it. An estimate, no money.",
    follows="kdp/royalties",
    rule="Pages that count in the ledger and have no money yet, at the newest final rate of the same marketplace, at "
    "most three months old: never another shop's, never a converted one. Where there is none the row has pages only. "
    "It is gone when the final report is there. No table, view, frame, export or mail adds it to anything.",
    key=("month", "marketplace"),
    fields=(
        _day("month", "First day of the month"),
        text("marketplace", "Amazon.com, …"),
        whole("pages", "Pages read (KENP), as far as they are told"),
        _ratio("rate", "Royalty of a page in rate_month, in units of the currency"),
        _day("rate_month", "Month that the rate is of", null=True),
        _micros("estimated_micros", "Pages by rate, rounded once", null=True),
        text("currency", "Of the rate", null=True),
        text("finality", "estimate, always"),
        text("upload_id", "The report that the pages are from; of several the last by id"),
    ),
)
ORDERS = _orders("orders", "Orders of a book at a marketplace that were processed: Orders Processed of the dashboard.")
ORDERS_PLACED = _orders(
    "orders_placed",
    "Orders of an e-book at a marketplace on the day that they were placed: eBook Orders Placed of the dashboard.",
)
PAYMENTS_COUNTED = TableView(
    platform=_NAME,
    name="payments_counted",
    about="A payment to the bank, once, with what was withheld and both rates.",
    follows="kdp/payments",
    rule="The reading that counts among all Payments reports, as in `payouts`.",
    key=("payout_id",),
    fields=(
        text("payout_id", "As in payouts"),
        text("marketplace", "Amazon.com, …"),
        text("payment_number", "Amazon's number; null while it has none", null=True),
        _day("period_start", "First day of the sales that it says it covers"),
        _day("period_end", "Last day of them"),
        _day("paid_on", "Day on which the money left Amazon", null=True),
        text("payment_method", "EFT, Wire or Check", null=True),
        text("status", "As Amazon says it"),
        text("state", "paid, on_the_way or released (it failed and comes again under another number)"),
        text("currency", "Of the marketplace"),
        _micros("accrued_micros", "Royalty"),
        _micros("withheld_micros", "Income tax that was kept; positive where it was taken off"),
        _ratio("withheld_share", "Withheld by accrued, to six digits after the point"),
        _micros("adjustments_micros", "With their own sign"),
        _micros("net_micros", "Net earnings, as the report says it"),
        text("printed_rate", "Rate as printed, to four digits; null where the currencies are one", null=True),
        _ratio("implied_rate", "Payout by net earnings, to six digits: the bank's own rate"),
        text("payout_currency", "Of the bank account", null=True),
        _micros("payout_micros", "What the bank gets; null until it has told its rate", null=True),
        text("upload_id", "The report that counts"),
    ),
)
VIEWS = (BOOKS, KENP_RATES, KENP_ESTIMATES, ORDERS, ORDERS_PLACED, PAYMENTS_COUNTED)
