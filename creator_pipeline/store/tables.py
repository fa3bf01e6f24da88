"""The warehouse's tables. Comments are the data dictionary: the UI's column schema and the docs are made from them.

Money columns end in ``_micros``: integer millionths of the unit of ``currency``. Times are UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, Table, false, text, true

from creator_pipeline.store.types import PlainText, UtcDateTime

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)


def _text(name: str, comment: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, PlainText, primary_key=key, nullable=null and not key, comment=comment)


def _micros(name: str, comment: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null, comment=f"{comment}, in millionths of the currency's unit")


def _int(name: str, comment: str, *, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, nullable=null and not key, comment=comment, autoincrement=False)


def _flag(name: str, comment: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, comment=comment)


def _day(name: str, comment: str, *, null: bool = False, key: bool = False) -> Column[object]:
    return Column(name, Date, primary_key=key, nullable=null and not key, comment=comment)


def _time(name: str, comment: str, *, null: bool = False) -> Column[object]:
    return Column(name, UtcDateTime, nullable=null, comment=comment)


profiles = Table(
    "profiles",
    metadata,
    _text("id", "Name of the profile; lower-case letters, digits, - and _", key=True),
    _text("email", "Where this profile's mails go"),
    _text("display_name", "Name for people", null=True),
    _text("subscription_tier", "Decided by the Whop memberships; free without one"),
    _text("plan_name", "Title of the plan behind the tier", null=True),
    _text("timezone", "IANA zone of the seller"),
    _text("notify", "Which notices are wanted: every, failures, none"),
    _text("upload_key_hash", "SHA-256 of the bearer key for uploads", null=True),
    _time("created_at", "When the profile was added"),
    _time("signed_out_at", "Sessions of the page that began before this are over", null=True),
)

platform_connections = Table(
    "platform_connections",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("external_account_id", "The platform's id of the account", null=True),
    _text("access_token", "Encrypted", null=True),
    _text("refresh_token", "Encrypted", null=True),
    _text("scopes", "Space-separated, as granted", null=True),
    _text("status", "active, revoked or error"),
    _text("last_error", "Why the status is not active", null=True),
    _time("last_synced_at", "End of the last good sync", null=True),
    _time("fresh_at", "Begin of the last sync that read yesterday and today", null=True),
    _time("expected_by", "When it is late without another such sync; null while none is expected", null=True),
    _time("created_at", "When it was connected"),
)

platform_accounts = Table(
    "platform_accounts",
    metadata,
    _text("provider", "gumroad or whop", key=True),
    _text("profile_id", "Owner", key=True),
    _text("account_id", "The platform's id of the account whose sales this profile's are"),
    _text("account_name", "What the platform calls the account", null=True),
    _time("since", "When the profile was first read with it"),
    Column(
        "clears",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="What was read of an account before goes before this one is read",
    ),
    comment="Which account a profile's sales are of. It outlives the connection.",
)

gumroad_products = Table(
    "gumroad_products",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("id", "Gumroad's id", key=True),
    _text("name", "Current name"),
    _text("currency", "Currency the product is listed in"),
    _micros("price_micros", "Listed price", null=True),
    _flag("published", "False for drafts"),
    _text("url", "Public address", null=True),
    _int("sales_count", "Gumroad's own count of sales; null without the scope view_sales", null=True),
    _micros("sales_usd_micros", "Gumroad's own revenue net of refunds, US dollars", null=True),
    _text("raw", "The platform's JSON, as read"),
    _time("first_seen_at", "When this product was first read"),
    _time("ingested_at", "When this version of the row was written"),
    _time("removed_at", "When it was first missing from the catalogue", null=True),
)

gumroad_sales = Table(
    "gumroad_sales",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("id", "Gumroad's id", key=True),
    _day("partition_day", "UTC day of created_at"),
    _time("created_at", "When it was sold"),
    _day("local_day", "Day in the seller's time zone, as Gumroad's own totals count it", null=True),
    Column("order_id", BigInteger, nullable=True, comment="Numeric alias of the sale"),
    _text("product_id", "Gumroad's id of the product", null=True),
    _text("product_name", "Name at the time it was read", null=True),
    _int("quantity", "Units"),
    _micros("price_micros", "Whole line with tip, shipping and seller's tax; before fees and refunds; US dollars"),
    _micros("fee_micros", "Gumroad's fee; not reduced by a refund; US dollars"),
    _micros("refunded_micros", "Given back so far; null when it can't be derived; US dollars", null=True),
    _flag(
        "refund_exact",
        "False while the refund is derived by proportion and not settled with Gumroad's totals",
    ),
    _micros("affiliate_micros", "An affiliate's share, not part of the fee; US dollars", null=True),
    _text("listed_currency", "Currency the product was listed in", null=True),
    _flag("refunded", "Given back in full"),
    _flag("partially_refunded", "Given back in part"),
    _flag("chargedback", "Disputed and not won back"),
    _flag("disputed", "A dispute ever happened"),
    _flag("dispute_won", "The dispute was won back"),
    _text("kind", "sale, trial (nothing was charged), bundle_part or gift_receipt (the money is on another row)"),
    _text("subscription_id", "Set for memberships", null=True),
    _flag("recurring_charge", "A renewal"),
    _text("buyer_hash", "Keyed hash of the checkout e-mail", null=True),
    _text("country", "ISO code of the buyer's country", null=True),
    _text("raw", "The platform's JSON without personal and ever-changing fields"),
    _time("ingested_at", "When this version of the row was written"),
    _text("processor", "paypal or stripe where the seller's own account there took the money", null=True),
    Index(None, "profile_id", "partition_day"),
)

whop_subscriptions = Table(
    "whop_subscriptions",
    metadata,
    _text("id", "Whop's membership id, mem_…", key=True),
    _text("account_profile_id", "Profile whose Whop account sells this membership"),
    _text("profile_id", "The person who holds it, where known", null=True),
    _text("matched_by", "connection, whop_user or email; null when nobody matched", null=True),
    _text("status", "As Whop says it"),
    _flag("has_access", "Whether the holder may use what was bought"),
    _text("plan_id", "Whop's id of the plan"),
    _text("plan_name", "Title of the plan", null=True),
    _text("tier", "Tier the plan maps to", null=True),
    _text("product_id", "Whop's id of the product"),
    _text("product_name", "Title of the product", null=True),
    _text("whop_user_id", "user_…", null=True),
    _text("member_id", "mber_…", null=True),
    _text("holder_hash", "Keyed hash of the holder's e-mail", null=True),
    _time("created_at", "When it was bought"),
    _time("updated_at", "Whop's last change"),
    _time("current_period_start", "Begin of the paid period", null=True),
    _time("current_period_end", "Renewal or expiry", null=True),
    _flag("cancel_at_period_end", "Ends with the period"),
    _time("canceled_at", "When the end was asked for", null=True),
    _micros("price_micros", "Next charge, else the first price", null=True),
    _text("currency", "Of price_micros", null=True),
    _text("raw", "The platform's JSON without personal fields"),
    _time("first_seen_at", "When it was first read"),
    _time("ingested_at", "When this version of the row was written"),
    Index(None, "account_profile_id"),
    Index(None, "profile_id"),
)

whop_payments = Table(
    "whop_payments",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("id", "Whop's id, pay_…", key=True),
    _day("partition_day", "UTC day of created_at"),
    _time("created_at", "When it was made"),
    _time("paid_at", "When the money came", null=True),
    _time("updated_at", "Whop's last change"),
    _text("status", "As Whop says it"),
    _text("substatus", "As Whop says it", null=True),
    _text("billing_reason", "As Whop says it", null=True),
    _text("membership_id", "mem_…", null=True),
    _text("product_id", "prod_…", null=True),
    _text("product_name", "Title of the product", null=True),
    _text("plan_id", "plan_…", null=True),
    Column("units", Integer, nullable=False, server_default="1", comment="Sold, of all its line items"),
    _text("currency", "Settlement currency"),
    _micros("total_micros", "What the buyer paid"),
    _micros("fee_micros", "Total less what remains after fees", null=True),
    _micros("refunded_micros", "Given back so far"),
    _text("refunds", "JSON list of {id, micros, status, at}"),
    _text("disputes", "JSON list of {id, micros, status, at}"),
    Column(
        "alerts",
        PlainText,
        nullable=False,
        server_default="[]",
        comment="JSON list of dispute alerts: {id, micros, at, fee_micros, fee_currency}",
    ),
    _flag("final", "Nothing about it can change any more"),
    _text("raw", "The platform's JSON without personal fields"),
    _time("ingested_at", "When this version of the row was written"),
    Index(None, "profile_id", "partition_day"),
)

kdp_uploads = Table(
    "kdp_uploads",
    metadata,
    _text("id", "SHA-256 of the content", key=True),
    _text("profile_id", "Owner"),
    _text("file_name", "As uploaded; text, never trusted"),
    _text("location", "Where the file is kept"),
    _text("kind", "Which report it is", null=True),
    _text("format", "csv or xlsx", null=True),
    _text("finality", "final or estimate", null=True),
    _day("period_start", "First day covered", null=True),
    _day("period_end", "Day after the last one covered", null=True),
    _int("rows", "Source rows stored"),
    _text("status", "accepted, rejected, quarantined, superseded or withdrawn"),
    _time("snapshot_at", "When KDP made the export", null=True),
    _text("totals", "JSON of the workbook's own totals", null=True),
    _text("slices", "JSON of what it covers: slice to rows, units, pages and books; empty ones too", null=True),
    Column(
        "accepted_smaller",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="A person said that it may hold less than what it replaces",
    ),
    Column(
        "partial",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="A person said that it holds only a part, so that what it lacks stays",
    ),
    _text("authors", "JSON list of the authors that it names", null=True),
    _text("answer", "What its owner said of it on the page; null again once that is done", null=True),
    _text("error", "JSON: what was wrong, where, and the hint", null=True),
    _time("uploaded_at", "When it was first seen"),
    Index(None, "profile_id", "status"),
)

kdp_files = Table(
    "kdp_files",
    metadata,
    _text("location", "Path or URL of a file", key=True),
    _text("profile_id", "Owner"),
    Column("size", BigInteger, nullable=False, comment="Bytes at the last look"),
    Column("modified_ns", BigInteger, nullable=False, comment="Time of change at the last look, ns since 1970"),
    _text("state", "looked, settled, requested, copy (of an upload that is in), withdrawn or refused"),
    _text("upload_id", "SHA-256 of the content; null while it may still be written to", null=True),
    _text("problem", "Why it is refused", null=True),
    Column(
        "untold",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="One of many files that came together, and the one mail about them isn't written yet",
    ),
    Index(None, "upload_id"),
    Index(None, "state"),
    comment="Files that were seen, so that each content is taken once.",
)

kdp_headers = Table(
    "kdp_headers",
    metadata,
    _text("header", "Header of a column, in the form in which it is compared", key=True),
    _text("role", "What it is: units_sold, royalty, …"),
    _time("taught_at", "When a person said so"),
    comment="Headers of reports in languages that are not known, as a person taught them.",
)

kdp_royalties = Table(
    "kdp_royalties",
    metadata,
    _text("upload_id", "The upload", key=True),
    _text("sheet", "Tab of the workbook", key=True),
    _int("source_row", "Row as a spreadsheet counts, from 1", key=True),
    _text("profile_id", "Owner"),
    _text("event_key", "Rows of one key are one ledger event"),
    _text("slice", "kind by month or day: the unit that is replaced"),
    _text("finality", "final or estimate"),
    _flag("counted", "False where a better snapshot counts instead"),
    _text("kind", "sales, kenp, orders or payments"),
    _day("occurred_on", "Day, or first of the month"),
    _text("asin", "Amazon's id", null=True),
    _text("isbn", "ISBN of print", null=True),
    _text("title", "As in this file", null=True),
    _text("author", "As in this file", null=True),
    _text("marketplace", "Amazon.com, …", null=True),
    _text("royalty_type", "70%, 35%, …", null=True),
    _text("transaction", "Transaction type or payout plan", null=True),
    _int("units_sold", "Units"),
    _int("units_refunded", "Units given back"),
    _int("free_units", "Units given away"),
    _int("pages_read", "KENP pages"),
    _micros("royalty_micros", "Royalty"),
    _text("currency", "Of the royalty", null=True),
    Index(None, "profile_id", "slice"),
)


kdp_payments = Table(
    "kdp_payments",
    metadata,
    _text("upload_id", "The upload", key=True),
    _int("source_row", "Row as a spreadsheet counts, from 1", key=True),
    _text("profile_id", "Owner"),
    _int("payment_row", "Row of the payment that it belongs to; a payment's own row is that of itself"),
    _day("period_start", "First day of the sales that a payment says it covers", null=True),
    _day("period_end", "Last day of them", null=True),
    _text("marketplace", "Amazon.com, …"),
    _text("payment_number", "Amazon's number of the payment; null while it has none", null=True),
    _day("month", "First day of the month of sales; set in the rows of a breakdown", null=True),
    _day("paid_on", "Day on which the money left Amazon", null=True),
    _text("payment_method", "EFT, Wire or Check", null=True),
    _text("currency", "Of the marketplace"),
    _micros("accrued_micros", "Royalty"),
    _micros("withheld_micros", "Income tax that was kept; positive where it was taken off"),
    _micros("adjustments_micros", "With their own sign"),
    _micros("net_micros", "As the report says it: accrued less withheld and with adjustments"),
    _text("source", "Sales, Paperback Sales, KENP Royalties, …; set in the rows of a breakdown", null=True),
    _text("fx_rate", "Printed rate, to four decimals; null where the currencies are one", null=True),
    _text("payout_currency", "Of the bank account", null=True),
    _micros("payout_micros", "What the bank gets; null until the bank has told its rate", null=True),
    _text("payout_text", "What the report says in its place", null=True),
    _text("payment_status", "As Amazon says it", null=True),
    Index(None, "profile_id"),
    comment="Every row of the uploaded Payments reports: payments, and below each its breakdown by month and source.",
)


def _ledger_columns() -> list[Column[Any]]:
    return [
        _text("id", "Deterministic: platform, profile, the platform's id, event", key=True),
        _text("profile_id", "Owner"),
        _text("platform", "gumroad, whop or amazon_kdp"),
        _text(
            "event_type",
            "sale, refund, chargeback, chargeback_reversal, royalty, pages_read, fee, fee_refund, affiliate_credit, "
            "affiliate_share, payout_fee, adjustment, tax",
        ),
        _text("external_id", "The platform's id"),
        _text("product_id", "The platform's id of the product", null=True),
        _text("product_name", "Name for people", null=True),
        _time("occurred_at", "The platform's time of the event; where it tells none, when it was first seen"),
        _day("occurred_on", "UTC day of occurred_at"),
        _int("quantity", "Units; negative where they came back"),
        _micros("gross_micros", "Money before fees; negative where it went back"),
        _micros("fee_micros", "The platform's fee, positive; negative where it went back"),
        _micros("net_micros", "gross less fee"),
        _text("currency", "Of the three amounts"),
        _text("source", "Partition or file it came from"),
        _time("first_seen_at", "When the pipeline first learned of it"),
        _time("ingested_at", "When this version of the row was written"),
        Column(
            "fee_exact",
            Boolean,
            nullable=False,
            server_default=true(),
            comment="False while the fee is estimated and the platform's own line isn't known",
        ),
        _day("belongs_to", "Day of a closed month that it belongs to, where it was booked later", null=True),
        _day("settled_on", "The platform's own day of it, where it tells another", null=True),
        Column(
            "past_balance",
            Boolean,
            nullable=False,
            server_default=false(),
            comment="True where a payment processor moved the money by itself: it is in no balance of the platform",
        ),
    ]


_ELSEWHERE = text("event_type <> 'sale' OR belongs_to IS NOT NULL")
_LATER = text("belongs_to IS NOT NULL")

sales_events = Table(
    "sales_events",
    metadata,
    *_ledger_columns(),
    Index(None, "profile_id", "platform", "occurred_on"),
    Index("ix_sales_events_elsewhere", "profile_id", "source", sqlite_where=_ELSEWHERE, postgresql_where=_ELSEWHERE),
    Index("ix_sales_events_later", "profile_id", "belongs_to", sqlite_where=_LATER, postgresql_where=_LATER),
    comment="The ledger. Money that went back is its own negative row: a sum over any range is the truth.",
)

ledger_first_seen = Table(
    "ledger_first_seen",
    metadata,
    _text("id", "Row of the ledger whose day is the one on which it was first seen", key=True),
    _text("profile_id", "Owner"),
    _text("platform", "gumroad, whop or amazon_kdp"),
    _micros("gross_micros", "What had gone back by then, where that can grow", null=True),
    _time("first_seen_at", "When the pipeline first learned of it"),
    Index(None, "profile_id", "platform"),
    comment="History that can't be read again. A ledger made anew keeps the days that stand here.",
)

closed_months = Table(
    "closed_months",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("month", "YYYY-MM", key=True),
    Column("closed_at", UtcDateTime, primary_key=True, comment="When it was closed"),
    _time("reopened_at", "When it was opened again; null while it is closed", null=True),
    _text("statement", "JSON of its figures at that moment"),
    comment="Months whose rows of the ledger stand: each closing and each opening.",
)

closed_ledger = Table(
    "closed_ledger",
    metadata,
    *_ledger_columns(),
    Index(None, "profile_id", "platform", "occurred_on"),
    comment="The ledger's rows of closed months, as they were when the month was closed.",
)

payouts = Table(
    "payouts",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("payout_id", "The platform's id", key=True),
    _micros("amount_micros", "What the bank gets"),
    _text("currency", "Of the amount"),
    _text("status", "As the platform says it"),
    _text("state", "paid, on_the_way, released (came back, or was never sent) or planned"),
    _time("created_at", "When it was made"),
    _time("processed_at", "When it was sent, where the platform tells", null=True),
    _day("period_end", "Last day that it covers, where the platform tells", null=True),
    _micros("balance_micros", "What it took from the balance beside its fee; null until its lines are read", null=True),
    _text("balance_currency", "Of the balance, and of the lines", null=True),
    _micros("withheld_micros", "Income tax that the platform kept, in the balance's currency"),
    _text("rate", "Printed rate from the balance's currency to the payout's, as text", null=True),
    _day("released_on", "Day on which its money was back in the balance, where it is", null=True),
    _flag("estimated", "Its lines are not all known"),
    _time("lines_read_at", "When the lines that count were read", null=True),
    _text("differs", "What a later reading says otherwise; null where nothing does", null=True),
    _text("raw", "The platform's JSON without personal fields"),
    _time("first_seen_at", "When it was first read"),
    _time("ingested_at", "When this version of the row was written"),
    comment="Payments to the bank.",
)

payout_lines = Table(
    "payout_lines",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("payout_id", "The payout", key=True),
    _int("line", "Number of the line, from 1", key=True),
    _text("type", "In the platform's own word"),
    _text("sale_id", "The platform's id of the sale", null=True),
    _text("ledger_id", "Row of the ledger that it settles; null where none does", null=True),
    _text("reason", "Why it is no row of the ledger, or what a part of it is made of", null=True),
    _micros("gross_micros", "Before fees, where the platform tells", null=True),
    _micros("fee_micros", "Fee, positive where it was taken, where the platform tells", null=True),
    _micros("net_micros", "What it adds to the payout"),
    _text("currency", "Of the three amounts"),
    _day("occurred_on", "The platform's day of it"),
    # Not the profile first: without statistics PostgreSQL takes such an index for a line's key, and reads all lines.
    Index(None, "sale_id", "profile_id", "provider"),
    Index(None, "ledger_id"),
    comment="What each payout is made of.",
)

unexplained = Table(
    "unexplained",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("scope", "payout, day, month or balance", key=True),
    _text("key", "Which payout, day or month", key=True),
    _text("currency", "Of the amount", key=True),
    _text("reason", "What doesn't add up", key=True),
    _micros("amount_micros", "The difference"),
    _time("since", "When it was first found"),
    comment="Money that an identity of the books doesn't explain. It is never spread over other rows.",
)

balance_movements = Table(
    "balance_movements",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("movement_id", "The platform's id", key=True),
    _text("kind", "In the platform's own word"),
    _micros("amount_micros", "Positive where it came in"),
    _text("currency", "Of the amount"),
    _day("occurred_on", "UTC day"),
    comment="What the seller put into a balance, moved, exchanged or spent: neither income nor payout.",
)

platform_balances = Table(
    "platform_balances",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("currency", "Of the amount", key=True),
    _text("part", "What it is a part of the balance: available, pending, reserve, upcoming, unpaid", key=True),
    _micros("amount_micros", "As the platform says it"),
    _time("seen_at", "When it was read"),
    comment="The platforms' own balances, as last seen.",
)

whop_financial_activity = Table(
    "whop_financial_activity",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("id", "Whop's id, line_…", key=True),
    _text("line_type", "As Whop says it"),
    _time("posted_at", "When it was booked"),
    _day("posted_on", "UTC day of posted_at"),
    _time("available_at", "When its money is available", null=True),
    _text("payment_id", "pay_…", null=True),
    _text("resource_id", "What it is of beside the payment: a refund, a dispute, a payout", null=True),
    _text("product_id", "prod_…", null=True),
    _text("product_name", "Title of the product", null=True),
    _micros("amount_micros", "Signed; rounded once, half to even"),
    _text("amount_exact", "The same as exact decimal text"),
    _text("currency", "Of the amount"),
    _micros("usd_micros", "In US dollars at the rate of the moment, where Whop knows one", null=True),
    _text("raw", "The platform's JSON without personal fields"),
    _time("first_seen_at", "When it was first read"),
    _time("ingested_at", "When this version of the row was written"),
    Index(None, "profile_id", "posted_on"),
    Index(None, "profile_id", "payment_id"),
    comment="Whop's own ledger: every movement of money.",
)

whop_financial_reports = Table(
    "whop_financial_reports",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("currency", "Of the amounts", key=True),
    _time("from_at", "Begin of the report"),
    _time("to_at", "Its end, exclusive"),
    _micros("beginning_micros", "Balance at its begin, where Whop tells it", null=True),
    _micros("ending_micros", "Balance at its end, where Whop tells it", null=True),
    _micros("total_micros", "Sum of its movements"),
    _text("rows", "JSON: month, line type, family, side of profit and loss, exact amount and lines of each row"),
    _time("seen_at", "When it was read"),
    comment="Whop's report of an account's movements by month and line type, as last read.",
)

whop_payout_statements = Table(
    "whop_payout_statements",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("payout_id", "wdrl_…", key=True),
    _text("line_id", "line_…", key=True),
    _text("line_type", "As Whop says it"),
    _time("posted_at", "When it was booked"),
    _text("payment_id", "pay_…", null=True),
    _micros("amount_micros", "Signed; rounded once, half to even"),
    _text("currency", "Of the amount"),
    comment="What moved the available balance from the payout before to this one, without this payout and its fee.",
)

whop_money_reads = Table(
    "whop_money_reads",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("part", "financial_activity, ledger_accounts, financial_reports or payouts", key=True),
    _time("read_at", "When it was last read to its end"),
    comment="When each part of the money of an account was read.",
)

gumroad_earnings = Table(
    "gumroad_earnings",
    metadata,
    _text("profile_id", "Owner", key=True),
    _int("year", "Calendar year", key=True),
    _text("currency", "Of the amounts"),
    _micros("gross_micros", "With the tax that Gumroad collected"),
    _micros("fees_micros", "Fees as they were charged"),
    _micros("taxes_micros", "Tax that Gumroad collected"),
    _micros("affiliate_credit_micros", "Shares of affiliates"),
    _micros("net_micros", "gross less the three"),
    _time("seen_at", "When it was read"),
    comment="Gumroad's own totals of a year.",
)

subscriptions_daily = Table(
    "subscriptions_daily",
    metadata,
    _day("day", "UTC day", key=True),
    _text("profile_id", "Owner", key=True),
    _text("platform", "gumroad or whop", key=True),
    _text("currency", "Of mrr_micros", key=True),
    _int("active", "Subscriptions with access at the end of the day, trials among them"),
    _int("new", "Of them, those that began on the day"),
    _int("cancelling", "Of them, those that were cancelled and still have access"),
    _int("churned", "Subscriptions whose first day without access it is"),
    _micros("mrr_micros", "Monthly recurring revenue at the end of the day, before fees"),
    _time("ingested_at", "When this version of the row was written"),
    comment="Subscriptions by day; the formula is in docs/subscriptions.md.",
)

products = Table(
    "products",
    metadata,
    _text("profile_id", "Owner", key=True),
    _text("platform", "gumroad, whop or amazon_kdp", key=True),
    _text("product_id", "As the ledger has it: Gumroad's or Whop's id, an ASIN or an ISBN", key=True),
    _text("name", "Name at the platform", null=True),
    _text("other_ids", "Further ids of the same, with spaces between", null=True),
    _day("first_sold_on", "Day of its first row in the ledger"),
    _day("last_sold_on", "Day of its newest row in the ledger"),
    _text("work", "The work that it is an edition of, as WORKS_FILE says", null=True),
    _text("series", "Series of the work", null=True),
    _text("author", "Author of the work", null=True),
    _time("ingested_at", "When this version of the row was written"),
    comment="Each thing that a profile sold on a platform.",
)

stream_reads = Table(
    "stream_reads",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("stream", "Name of the table's stream", key=True),
    _text("parent", "What the list belongs to, as a product's id; empty where one list has all", key=True),
    _text("hint", "Differs where the list may differ; empty where nothing tells"),
    _time("read_at", "When the list was last read whole"),
    comment="When each list of a platform was last read whole, so that a night asks for those that may have changed.",
)

unreadable = Table(
    "unreadable",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("part", "Of the account: payouts, payments, refunds …", key=True),
    _text("object_id", "The platform's id; empty where it is the whole part", key=True),
    _text("detail", "Why it can't be read"),
    _text("hint", "What to do about it"),
    _text("brings", "What connecting again brings the seller; empty where it is no help"),
    _time("since", "When it was first found so"),
    Column(
        "raw",
        PlainText,
        nullable=False,
        server_default=text("''"),
        comment="A single object as it was told, without what is personal; empty where it is the whole part",
    ),
    Column(
        "asked",
        PlainText,
        nullable=False,
        server_default=text("''"),
        comment="JSON: what its list was asked for; only of objects that have no id to be found by",
    ),
    comment="What of an account can't be read, and counts nowhere: whole parts, and single objects.",
)

ledger_changes = Table(
    "ledger_changes",
    metadata,
    _day("occurred_on", "Day of the ledger that changed", key=True),
    _text("profile_id", "Owner", key=True),
    _text("platform", "gumroad, whop or amazon_kdp", key=True),
    _text("change_id", "Names the last change, so that a roll-up forgets only what it has seen"),
    _time("changed_at", "When"),
)

daily_revenue = Table(
    "daily_revenue",
    metadata,
    _day("occurred_on", "UTC day", key=True),
    _text("profile_id", "Owner", key=True),
    _text("platform", "gumroad, whop or amazon_kdp", key=True),
    _text("currency", "Of the amounts", key=True),
    _int("units", "Units sold"),
    _int("refunds", "Refunds and lost disputes"),
    _micros("gross_micros", "Gross less what went back"),
    _micros("fee_micros", "Fees"),
    _micros("net_micros", "Net"),
)

fx_rates = Table(
    "fx_rates",
    metadata,
    _day("day", "Day on which the rate was published", key=True),
    _text("base", "One of this currency", key=True),
    _text("currency", "is so many of this one", key=True),
    _text("rate", "Exact decimal text"),
    _text("source", "Who tells it: ECB"),
    _time("ingested_at", "When this version of the row was written"),
    comment="Daily rates of exchange. A day without rates (weekend, holiday) has no row.",
)

ingestion_jobs = Table(
    "ingestion_jobs",
    metadata,
    _text("id", "Job", key=True),
    _text("profile_id", "Owner"),
    _text("source", "gumroad, whop or kdp"),
    _text("kind", "initial_sync, refresh, file, webhook or backfill"),
    _text("payload", "JSON: what to do"),
    _text("status", "queued, running, completed, canceled, failed or dead"),
    _int("attempts", "Times it was handed out"),
    _time("visible_at", "Not handed out before"),
    _text("run_id", "Dagster run that works on it", null=True),
    _int("events_count", "Ledger rows it brought", null=True),
    _text("error", "Why it failed, without secrets", null=True),
    _time("created_at", "When it was asked for"),
    _time("finished_at", "When it ended", null=True),
    Index(None, "status", "visible_at"),
    comment="The durable truth of the queue.",
)

webhook_events = Table(
    "webhook_events",
    metadata,
    _text("provider", "gumroad, whop, resend or auth", key=True),
    _text("delivery_id", "The provider's id of the delivery, or a digest of the body", key=True),
    _time("received_at", "First arrival"),
    _flag("verified", "The signature or the secret path was right"),
    _text("profile_id", "Whose it is, where known", null=True),
    _text("event_type", "The provider's word", null=True),
    _text("payload", "What is needed to re-read; no personal data"),
    _text("status", "stored, queued, done, ignored or failed"),
    _text("job_id", "Job it became part of", null=True),
    _int("repeats", "Deliveries after the first"),
    _text("account_id", "The platform's account, where told", null=True),
    _text("note", "Why nothing followed from it, where something should", null=True),
    Index(None, "status"),
)

email_messages = Table(
    "email_messages",
    metadata,
    _text("id", "Idempotency key of the event", key=True),
    _text("kind", "Template"),
    _text("to", "Recipient"),
    _text("profile_id", "Owner", null=True),
    _text("subject", "Subject"),
    _text("payload", "Rendered message, JSON, as handed to Resend"),
    _text("status", "queued, sent, delivered, bounced, complained, failed, held or suppressed"),
    _int("attempts", "Times it was handed to Resend"),
    _text("provider_id", "Resend's id", null=True),
    _text("error", "Why it is not sent", null=True),
    _time("created_at", "When the event happened"),
    _time("next_attempt_at", "Not tried before"),
    _time("sent_at", "When Resend took it", null=True),
    Index(None, "status", "next_attempt_at"),
    Index(None, "provider_id"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    _text("id", "Key of the event, and the channel", key=True),
    _text("channel", "Name of an entry of ALERT_URLS: slack, pagerduty-2"),
    _text("kind", "Notice: failure/books, mended/books, backfill, files, lost or test"),
    _text("profile_id", "Whose event; null for several or the installation's", null=True),
    _text("payload", "What is sent, JSON; empty once it was sent or given up"),
    _text("status", "queued, sending, sent, failed or unknown"),
    _int("attempts", "Times it was handed out"),
    _text("error", "Why it is not sent", null=True),
    _time("created_at", "When the event happened"),
    _time("next_attempt_at", "Not tried before; while it is sent, the end of the lease"),
    _time("sent_at", "When the channel took it", null=True),
    Index(None, "status", "next_attempt_at"),
    comment="Notices for chat and on-call channels: one row for each event and channel.",
)

email_suppressions = Table(
    "email_suppressions",
    metadata,
    _text("email", "Address", key=True),
    _text("category", "Kind of mail, or * for all", key=True),
    _text("reason", "unsubscribed, bounced or complained"),
    _time("created_at", "When"),
)

erased_buyers = Table(
    "erased_buyers",
    metadata,
    _text("address_hash", "Keyed hash of the e-mail, one row for each key", key=True),
    _time("erased_at", "When"),
    comment="Buyers who are forgotten: a load leaves out what would bring them back.",
)

platform_totals = Table(
    "platform_totals",
    metadata,
    _text("provider", "gumroad, whop or amazon_kdp", key=True),
    _text("profile_id", "Owner", key=True),
    _text("bucket", "The platform's own day or period", key=True),
    _int("units", "The platform's count"),
    _micros("gross_micros", "The platform's gross"),
    _micros("refunded_micros", "The platform's refunds"),
    _text("currency", "Of the amounts"),
    _time("seen_at", "When it was read"),
)

health_reports = Table(
    "health_reports",
    metadata,
    _text("id", "What is wrong with what: one row for each, used again when it comes back", key=True),
    _text("text", "What was found, for people; without secrets and addresses"),
    _text("hint", "The command or the step that fixes it"),
    _time("since", "When it was first seen, this time"),
    _time("told_at", "When it was told; null until it could be", null=True),
    _time("resolved_at", "When it was found solved; null while it is open", null=True),
    _text("cause", "What is told in one mail with it; null where it is told by itself", null=True),
    _text("subject", "What it is about, for the subject of a mail", null=True),
    _text("profile_id", "Whose it is; null for the installation's", null=True),
    _time("mended_told_at", "When it was told that it is solved; null until then", null=True),
    _text("amount", "Money that it is about, for people: 12.34 USD", null=True),
    _text("run_id", "Dagster run that failed, where it is one", null=True),
    Index(None, "resolved_at"),
    comment="What the sensor pipeline_health has found: each problem is told once, and once when it is solved.",
)
