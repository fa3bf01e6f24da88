"""the books: payouts, closed months, what isn't explained; fees that are estimated"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_sales_events_elsewhere", "source", "event_type <> 'sale' OR belongs_to IS NOT NULL"),
    ("ix_sales_events_later", "belongs_to", "belongs_to IS NOT NULL"),
)


def upgrade() -> None:
    op.create_table(
        "balance_movements",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("movement_id", sa.Text(), nullable=False, comment="The platform's id"),
        sa.Column("kind", sa.Text(), nullable=False, comment="In the platform's own word"),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Positive where it came in, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="UTC day"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "movement_id", name=op.f("pk_balance_movements")),
        comment="What the seller put into a balance, moved, exchanged or spent: neither income nor payout.",
    )
    op.create_table(
        "closed_ledger",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="Deterministic: platform, profile, the platform's id, event"
        ),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column(
            "event_type",
            sa.Text(),
            nullable=False,
            comment="sale, refund, chargeback, chargeback_reversal, royalty, pages_read, fee, fee_refund, affiliate_credit, affiliate_share, payout_fee, adjustment, tax",
        ),
        sa.Column("external_id", sa.Text(), nullable=False, comment="The platform's id"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="The platform's id of the product"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Name for people"),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The platform's time of the event; where it tells none, when it was first seen",
        ),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="UTC day of occurred_at"),
        sa.Column(
            "quantity",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Units; negative where they came back",
        ),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Money before fees; negative where it went back, in millionths of the currency's unit",
        ),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=False,
            comment="The platform's fee, positive; negative where it went back, in millionths of the currency's unit",
        ),
        sa.Column(
            "net_micros",
            sa.BigInteger(),
            nullable=False,
            comment="gross less fee, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the three amounts"),
        sa.Column("source", sa.Text(), nullable=False, comment="Partition or file it came from"),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When the pipeline first learned of it"
        ),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "fee_exact",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="False while the fee is estimated and the platform's own line isn't known",
        ),
        sa.Column(
            "belongs_to",
            sa.Date(),
            nullable=True,
            comment="Day of a closed month that it belongs to, where it was booked later",
        ),
        sa.Column(
            "settled_on", sa.Date(), nullable=True, comment="The platform's own day of it, where it tells another"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closed_ledger")),
        comment="The ledger's rows of closed months, as they were when the month was closed.",
    )
    op.create_index(
        op.f("ix_closed_ledger_profile_id_platform_occurred_on"),
        "closed_ledger",
        ["profile_id", "platform", "occurred_on"],
        unique=False,
    )
    op.create_table(
        "closed_months",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("month", sa.Text(), nullable=False, comment="YYYY-MM"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False, comment="When it was closed"),
        sa.Column(
            "reopened_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was opened again; null while it is closed",
        ),
        sa.Column("statement", sa.Text(), nullable=False, comment="JSON of its figures at that moment"),
        sa.PrimaryKeyConstraint("profile_id", "month", "closed_at", name=op.f("pk_closed_months")),
        comment="Months whose rows of the ledger stand: each closing and each opening.",
    )
    op.create_table(
        "gumroad_earnings",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False, comment="Calendar year"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amounts"),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=False,
            comment="With the tax that Gumroad collected, in millionths of the currency's unit",
        ),
        sa.Column(
            "fees_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Fees as they were charged, in millionths of the currency's unit",
        ),
        sa.Column(
            "taxes_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Tax that Gumroad collected, in millionths of the currency's unit",
        ),
        sa.Column(
            "affiliate_credit_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Shares of affiliates, in millionths of the currency's unit",
        ),
        sa.Column(
            "net_micros",
            sa.BigInteger(),
            nullable=False,
            comment="gross less the three, in millionths of the currency's unit",
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was read"),
        sa.PrimaryKeyConstraint("profile_id", "year", name=op.f("pk_gumroad_earnings")),
        comment="Gumroad's own totals of a year.",
    )
    op.create_table(
        "kdp_payments",
        sa.Column("upload_id", sa.Text(), nullable=False, comment="The upload"),
        sa.Column(
            "source_row",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Row as a spreadsheet counts, from 1",
        ),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column(
            "payment_row",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Row of the payment that it belongs to; a payment's own row is that of itself",
        ),
        sa.Column(
            "period_start", sa.Date(), nullable=True, comment="First day of the sales that a payment says it covers"
        ),
        sa.Column("period_end", sa.Date(), nullable=True, comment="Last day of them"),
        sa.Column("marketplace", sa.Text(), nullable=False, comment="Amazon.com, …"),
        sa.Column(
            "payment_number", sa.Text(), nullable=True, comment="Amazon's number of the payment; null while it has none"
        ),
        sa.Column(
            "month", sa.Date(), nullable=True, comment="First day of the month of sales; set in the rows of a breakdown"
        ),
        sa.Column("paid_on", sa.Date(), nullable=True, comment="Day on which the money left Amazon"),
        sa.Column("payment_method", sa.Text(), nullable=True, comment="EFT, Wire or Check"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the marketplace"),
        sa.Column(
            "accrued_micros", sa.BigInteger(), nullable=False, comment="Royalty, in millionths of the currency's unit"
        ),
        sa.Column(
            "withheld_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Income tax that was kept; positive where it was taken off, in millionths of the currency's unit",
        ),
        sa.Column(
            "adjustments_micros",
            sa.BigInteger(),
            nullable=False,
            comment="With their own sign, in millionths of the currency's unit",
        ),
        sa.Column(
            "net_micros",
            sa.BigInteger(),
            nullable=False,
            comment="As the report says it: accrued less withheld and with adjustments, in millionths of the currency's unit",
        ),
        sa.Column(
            "source",
            sa.Text(),
            nullable=True,
            comment="Sales, Paperback Sales, KENP Royalties, …; set in the rows of a breakdown",
        ),
        sa.Column(
            "fx_rate",
            sa.Text(),
            nullable=True,
            comment="Printed rate, to four decimals; null where the currencies are one",
        ),
        sa.Column("payout_currency", sa.Text(), nullable=True, comment="Of the bank account"),
        sa.Column(
            "payout_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What the bank gets; null until the bank has told its rate, in millionths of the currency's unit",
        ),
        sa.Column("payout_text", sa.Text(), nullable=True, comment="What the report says in its place"),
        sa.Column("payment_status", sa.Text(), nullable=True, comment="As Amazon says it"),
        sa.PrimaryKeyConstraint("upload_id", "source_row", name=op.f("pk_kdp_payments")),
        comment="Every row of the uploaded Payments reports: payments, and below each its breakdown by month and source.",
    )
    op.create_index(op.f("ix_kdp_payments_profile_id"), "kdp_payments", ["profile_id"], unique=False)
    op.create_table(
        "gumroad_unreadable",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("part", sa.Text(), nullable=False, comment="payouts, transactions or earnings"),
        sa.Column("detail", sa.Text(), nullable=False, comment="Why it can't be read"),
        sa.Column("hint", sa.Text(), nullable=False, comment="What to do about it"),
        sa.Column(
            "brings",
            sa.Text(),
            nullable=False,
            comment="What connecting again brings the seller; empty where it is no help",
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="When it was first refused"),
        sa.PrimaryKeyConstraint("profile_id", "part", name=op.f("pk_gumroad_unreadable")),
        comment="Parts of an account's money that its token or server doesn't give.",
    )
    op.add_column(
        "gumroad_sales",
        sa.Column(
            "processor",
            sa.Text(),
            nullable=True,
            comment="paypal or stripe where the seller's own account there took the money",
        ),
    )
    op.execute(
        "UPDATE gumroad_sales SET processor = 'paypal' WHERE lower(raw) LIKE '%\"payment_processor\":\"paypal\"%'"
    )
    op.execute(
        "UPDATE gumroad_sales SET processor = 'stripe' WHERE lower(raw) LIKE '%\"payment_processor\":\"stripe\"%'"
    )
    op.create_table(
        "ledger_first_seen",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="Row of the ledger whose day is the one on which it was first seen"
        ),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What had gone back by then, where that can grow, in millionths of the currency's unit",
        ),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When the pipeline first learned of it"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_first_seen")),
        comment="History that can't be read again. A ledger made anew keeps the days that stand here.",
    )
    op.create_index(
        op.f("ix_ledger_first_seen_profile_id_platform"), "ledger_first_seen", ["profile_id", "platform"], unique=False
    )
    op.create_table(
        "payout_lines",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("payout_id", sa.Text(), nullable=False, comment="The payout"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False, comment="Number of the line, from 1"),
        sa.Column("type", sa.Text(), nullable=False, comment="In the platform's own word"),
        sa.Column("sale_id", sa.Text(), nullable=True, comment="The platform's id of the sale"),
        sa.Column(
            "ledger_id", sa.Text(), nullable=True, comment="Row of the ledger that it settles; null where none does"
        ),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=True,
            comment="Why it is no row of the ledger, or what a part of it is made of",
        ),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Before fees, where the platform tells, in millionths of the currency's unit",
        ),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Fee, positive where it was taken, where the platform tells, in millionths of the currency's unit",
        ),
        sa.Column(
            "net_micros",
            sa.BigInteger(),
            nullable=False,
            comment="What it adds to the payout, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the three amounts"),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="The platform's day of it"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "payout_id", "line", name=op.f("pk_payout_lines")),
        comment="What each payout is made of.",
    )
    op.create_index(op.f("ix_payout_lines_ledger_id"), "payout_lines", ["ledger_id"], unique=False)
    op.create_index(
        op.f("ix_payout_lines_provider_profile_id_sale_id"),
        "payout_lines",
        ["provider", "profile_id", "sale_id"],
        unique=False,
    )
    op.create_table(
        "payouts",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("payout_id", sa.Text(), nullable=False, comment="The platform's id"),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="What the bank gets, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.Column("status", sa.Text(), nullable=False, comment="As the platform says it"),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="paid, on_the_way, released (came back, or was never sent) or planned",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column(
            "processed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was sent, where the platform tells",
        ),
        sa.Column("period_end", sa.Date(), nullable=True, comment="Last day that it covers, where the platform tells"),
        sa.Column(
            "balance_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What it took from the balance beside its fee; null until its lines are read, in millionths of the currency's unit",
        ),
        sa.Column("balance_currency", sa.Text(), nullable=True, comment="Of the balance, and of the lines"),
        sa.Column(
            "withheld_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Income tax that the platform kept, in the balance's currency, in millionths of the currency's unit",
        ),
        sa.Column(
            "rate",
            sa.Text(),
            nullable=True,
            comment="Printed rate from the balance's currency to the payout's, as text",
        ),
        sa.Column(
            "released_on",
            sa.Date(),
            nullable=True,
            comment="Day on which its money was back in the balance, where it is",
        ),
        sa.Column("estimated", sa.Boolean(), nullable=False, comment="Its lines are not all known"),
        sa.Column(
            "lines_read_at", sa.DateTime(timezone=True), nullable=True, comment="When the lines that count were read"
        ),
        sa.Column(
            "differs", sa.Text(), nullable=True, comment="What a later reading says otherwise; null where nothing does"
        ),
        sa.Column("raw", sa.Text(), nullable=False, comment="The platform's JSON without personal fields"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("provider", "profile_id", "payout_id", name=op.f("pk_payouts")),
        comment="Payments to the bank.",
    )
    op.create_table(
        "platform_balances",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.Column(
            "part",
            sa.Text(),
            nullable=False,
            comment="What it is a part of the balance: available, pending, reserve, upcoming, unpaid",
        ),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="As the platform says it, in millionths of the currency's unit",
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was read"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "currency", "part", name=op.f("pk_platform_balances")),
        comment="The platforms' own balances, as last seen.",
    )
    op.create_table(
        "unexplained",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("scope", sa.Text(), nullable=False, comment="payout, day, month or balance"),
        sa.Column("key", sa.Text(), nullable=False, comment="Which payout, day or month"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.Column("reason", sa.Text(), nullable=False, comment="What doesn't add up"),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="The difference, in millionths of the currency's unit",
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="When it was first found"),
        sa.PrimaryKeyConstraint(
            "provider", "profile_id", "scope", "key", "currency", "reason", name=op.f("pk_unexplained")
        ),
        comment="Money that an identity of the books doesn't explain. It is never spread over other rows.",
    )
    op.create_table(
        "whop_financial_activity",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id, line_…"),
        sa.Column("line_type", sa.Text(), nullable=False, comment="As Whop says it"),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False, comment="When it was booked"),
        sa.Column("posted_on", sa.Date(), nullable=False, comment="UTC day of posted_at"),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=True, comment="When its money is available"),
        sa.Column("payment_id", sa.Text(), nullable=True, comment="pay_…"),
        sa.Column(
            "resource_id",
            sa.Text(),
            nullable=True,
            comment="What it is of beside the payment: a refund, a dispute, a payout",
        ),
        sa.Column("product_id", sa.Text(), nullable=True, comment="prod_…"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Title of the product"),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Signed; rounded once, half to even, in millionths of the currency's unit",
        ),
        sa.Column("amount_exact", sa.Text(), nullable=False, comment="The same as exact decimal text"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.Column(
            "usd_micros",
            sa.BigInteger(),
            nullable=True,
            comment="In US dollars at the rate of the moment, where Whop knows one, in millionths of the currency's unit",
        ),
        sa.Column("raw", sa.Text(), nullable=False, comment="The platform's JSON without personal fields"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_financial_activity")),
        comment="Whop's own ledger: every movement of money.",
    )
    op.create_index(
        op.f("ix_whop_financial_activity_profile_id_payment_id"),
        "whop_financial_activity",
        ["profile_id", "payment_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_whop_financial_activity_profile_id_posted_on"),
        "whop_financial_activity",
        ["profile_id", "posted_on"],
        unique=False,
    )
    op.create_table(
        "whop_financial_reports",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amounts"),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False, comment="Begin of the report"),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False, comment="Its end, exclusive"),
        sa.Column(
            "beginning_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Balance at its begin, where Whop tells it, in millionths of the currency's unit",
        ),
        sa.Column(
            "ending_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Balance at its end, where Whop tells it, in millionths of the currency's unit",
        ),
        sa.Column(
            "total_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Sum of its movements, in millionths of the currency's unit",
        ),
        sa.Column(
            "rows",
            sa.Text(),
            nullable=False,
            comment="JSON: month, line type, family, side of profit and loss, exact amount and lines of each row",
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was read"),
        sa.PrimaryKeyConstraint("profile_id", "currency", name=op.f("pk_whop_financial_reports")),
        comment="Whop's report of an account's movements by month and line type, as last read.",
    )
    op.create_table(
        "whop_payout_statements",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("payout_id", sa.Text(), nullable=False, comment="wdrl_…"),
        sa.Column("line_id", sa.Text(), nullable=False, comment="line_…"),
        sa.Column("line_type", sa.Text(), nullable=False, comment="As Whop says it"),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False, comment="When it was booked"),
        sa.Column("payment_id", sa.Text(), nullable=True, comment="pay_…"),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Signed; rounded once, half to even, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount"),
        sa.PrimaryKeyConstraint("profile_id", "payout_id", "line_id", name=op.f("pk_whop_payout_statements")),
        comment="What moved the available balance from the payout before to this one, without this payout and its fee.",
    )
    op.create_table(
        "whop_money_reads",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column(
            "part",
            sa.Text(),
            nullable=False,
            comment="financial_activity, ledger_accounts, financial_reports or payouts",
        ),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True, comment="When it was last read to its end"),
        sa.Column("refused", sa.Text(), nullable=True, comment="Why it can't be read now; null where it can"),
        sa.PrimaryKeyConstraint("profile_id", "part", name=op.f("pk_whop_money_reads")),
        comment="Which parts of the money of an account can be read.",
    )
    op.add_column(
        "sales_events",
        sa.Column(
            "fee_exact",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="False while the fee is estimated and the platform's own line isn't known",
        ),
    )
    op.add_column(
        "sales_events",
        sa.Column(
            "belongs_to",
            sa.Date(),
            nullable=True,
            comment="Day of a closed month that it belongs to, where it was booked later",
        ),
    )
    op.add_column(
        "sales_events",
        sa.Column(
            "settled_on", sa.Date(), nullable=True, comment="The platform's own day of it, where it tells another"
        ),
    )
    for name, column, condition in _INDEXES:
        where = sa.text(condition)
        op.create_index(name, "sales_events", ["profile_id", column], sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.supports_comments:
        _comments(new=True)
    # Fees of payments were told as one sum, in which tax and shares of partners may be.
    op.execute(
        "UPDATE sales_events SET fee_exact = false WHERE platform = 'whop' AND (gross_micros <> 0 OR fee_micros <> 0)"
    )
    # What was dated as its sale gets the day on which it was first seen, and that day can't be read again.
    op.execute(
        "INSERT INTO ledger_first_seen (id, profile_id, platform, gross_micros, first_seen_at) "
        "SELECT id, profile_id, platform, -gross_micros, first_seen_at FROM sales_events WHERE platform = 'gumroad' "
        "AND event_type IN ('refund', 'chargeback', 'chargeback_reversal')"
    )


def downgrade() -> None:
    if op.get_bind().dialect.supports_comments:
        _comments(new=False)
    for name, _, _ in _INDEXES:
        op.drop_index(name, table_name="sales_events")
    op.drop_column("sales_events", "settled_on")
    op.drop_column("sales_events", "belongs_to")
    op.drop_column("sales_events", "fee_exact")
    for name in ("whop_money_reads", "whop_payout_statements", "whop_financial_reports"):
        op.drop_table(name)
    op.drop_index(op.f("ix_whop_financial_activity_profile_id_posted_on"), table_name="whop_financial_activity")
    op.drop_index(op.f("ix_whop_financial_activity_profile_id_payment_id"), table_name="whop_financial_activity")
    op.drop_table("whop_financial_activity")
    op.drop_table("unexplained")
    op.drop_table("platform_balances")
    op.drop_table("payouts")
    op.drop_index(op.f("ix_payout_lines_provider_profile_id_sale_id"), table_name="payout_lines")
    op.drop_index(op.f("ix_payout_lines_ledger_id"), table_name="payout_lines")
    op.drop_table("payout_lines")
    op.drop_index(op.f("ix_ledger_first_seen_profile_id_platform"), table_name="ledger_first_seen")
    op.drop_table("ledger_first_seen")
    op.drop_index(op.f("ix_kdp_payments_profile_id"), table_name="kdp_payments")
    op.drop_table("kdp_payments")
    op.drop_table("gumroad_earnings")
    op.drop_column("gumroad_sales", "processor")
    op.drop_table("gumroad_unreadable")
    op.drop_table("closed_months")
    op.drop_index(op.f("ix_closed_ledger_profile_id_platform_occurred_on"), table_name="closed_ledger")
    op.drop_table("closed_ledger")
    op.drop_table("balance_movements")


def _comments(*, new: bool) -> None:
    more = ", fee_refund, affiliate_credit, affiliate_share, payout_fee, adjustment, tax" if new else ""
    told = "where it tells none, when it was first seen" if new else "the sale's where it tells no other"
    back = "; negative where it went back" if new else ""
    for name, comment in (
        ("event_type", f"sale, refund, chargeback, chargeback_reversal, royalty, pages_read, fee{more}"),
        ("occurred_at", f"The platform's time of the event; {told}"),
        ("fee_micros", f"The platform's fee, positive{back}, in millionths of the currency's unit"),
    ):
        op.alter_column("sales_events", name, comment=comment)
