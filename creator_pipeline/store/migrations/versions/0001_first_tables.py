"""first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REVENUE = """
CREATE VIEW revenue AS
SELECT occurred_on, occurred_at, profile_id, platform, event_type, product_id, product_name, quantity,
       gross_micros / 1000000.0 AS gross, fee_micros / 1000000.0 AS fee, net_micros / 1000000.0 AS net, currency, id
FROM sales_events
"""


def upgrade() -> None:
    op.create_table(
        "daily_revenue",
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="UTC day"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amounts"),
        sa.Column("units", sa.Integer(), autoincrement=False, nullable=False, comment="Units sold"),
        sa.Column("refunds", sa.Integer(), autoincrement=False, nullable=False, comment="Refunds and lost disputes"),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Gross less what went back, in millionths of the currency's unit",
        ),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Fees, in millionths of the currency's unit",
        ),
        sa.Column("net_micros", sa.BigInteger(), nullable=False, comment="Net, in millionths of the currency's unit"),
        sa.PrimaryKeyConstraint("occurred_on", "profile_id", "platform", "currency", name=op.f("pk_daily_revenue")),
    )
    op.create_table(
        "email_messages",
        sa.Column("id", sa.Text(), nullable=False, comment="Idempotency key of the event"),
        sa.Column("kind", sa.Text(), nullable=False, comment="Template"),
        sa.Column("to", sa.Text(), nullable=False, comment="Recipient"),
        sa.Column("profile_id", sa.Text(), nullable=True, comment="Owner"),
        sa.Column("subject", sa.Text(), nullable=False, comment="Subject"),
        sa.Column("payload", sa.Text(), nullable=False, comment="Rendered message, JSON, as handed to Resend"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="queued, sent, delivered, bounced, complained, failed, held or suppressed",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Times it was handed to Resend",
        ),
        sa.Column("provider_id", sa.Text(), nullable=True, comment="Resend's id"),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it is not sent"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the event happened"),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False, comment="Not tried before"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True, comment="When Resend took it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_messages")),
    )
    with op.batch_alter_table("email_messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_email_messages_provider_id"), ["provider_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_email_messages_status_next_attempt_at"),
            ["status", "next_attempt_at"],
            unique=False,
        )

    op.create_table(
        "email_suppressions",
        sa.Column("email", sa.Text(), nullable=False, comment="Address"),
        sa.Column("category", sa.Text(), nullable=False, comment="Kind of mail, or * for all"),
        sa.Column("reason", sa.Text(), nullable=False, comment="unsubscribed, bounced or complained"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When"),
        sa.PrimaryKeyConstraint("email", "category", name=op.f("pk_email_suppressions")),
    )
    op.create_table(
        "gumroad_products",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id"),
        sa.Column("name", sa.Text(), nullable=False, comment="Current name"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Currency the product is listed in"),
        sa.Column(
            "price_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Listed price, in millionths of the currency's unit",
        ),
        sa.Column("published", sa.Boolean(), nullable=False, comment="False for drafts"),
        sa.Column("url", sa.Text(), nullable=True, comment="Public address"),
        sa.Column(
            "sales_count",
            sa.Integer(),
            autoincrement=False,
            nullable=True,
            comment="Gumroad's own count of sales; null without the scope view_sales",
        ),
        sa.Column(
            "sales_usd_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Gumroad's own revenue net of refunds, US dollars, in millionths of the currency's unit",
        ),
        sa.Column("raw", sa.Text(), nullable=False, comment="The platform's JSON, as read"),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this product was first read",
        ),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was first missing from the catalogue",
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_products")),
    )
    op.create_table(
        "gumroad_sales",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id"),
        sa.Column("partition_day", sa.Date(), nullable=False, comment="UTC day of created_at"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was sold"),
        sa.Column(
            "local_day",
            sa.Date(),
            nullable=True,
            comment="Day in the seller's time zone, as Gumroad's own totals count it",
        ),
        sa.Column("order_id", sa.BigInteger(), nullable=True, comment="Numeric alias of the sale"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Gumroad's id of the product"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Name at the time it was read"),
        sa.Column("quantity", sa.Integer(), autoincrement=False, nullable=False, comment="Units"),
        sa.Column(
            "price_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Whole line with tip, shipping and seller's tax; before fees and refunds; US dollars, in millionths of the currency's unit",
        ),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Gumroad's fee; not reduced by a refund; US dollars, in millionths of the currency's unit",
        ),
        sa.Column(
            "refunded_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Given back so far; null when it can't be derived; US dollars, in millionths of the currency's unit",
        ),
        sa.Column(
            "refund_exact",
            sa.Boolean(),
            nullable=False,
            comment="False while the refund is derived by proportion and not settled with Gumroad's totals",
        ),
        sa.Column(
            "affiliate_micros",
            sa.BigInteger(),
            nullable=True,
            comment="An affiliate's share, not part of the fee; US dollars, in millionths of the currency's unit",
        ),
        sa.Column("listed_currency", sa.Text(), nullable=True, comment="Currency the product was listed in"),
        sa.Column("refunded", sa.Boolean(), nullable=False, comment="Given back in full"),
        sa.Column("partially_refunded", sa.Boolean(), nullable=False, comment="Given back in part"),
        sa.Column("chargedback", sa.Boolean(), nullable=False, comment="Disputed and not won back"),
        sa.Column("disputed", sa.Boolean(), nullable=False, comment="A dispute ever happened"),
        sa.Column("dispute_won", sa.Boolean(), nullable=False, comment="The dispute was won back"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="sale, trial (nothing was charged), bundle_part or gift_receipt (the money is on another row)",
        ),
        sa.Column("subscription_id", sa.Text(), nullable=True, comment="Set for memberships"),
        sa.Column("recurring_charge", sa.Boolean(), nullable=False, comment="A renewal"),
        sa.Column("buyer_hash", sa.Text(), nullable=True, comment="Keyed hash of the checkout e-mail"),
        sa.Column("country", sa.Text(), nullable=True, comment="ISO code of the buyer's country"),
        sa.Column(
            "raw",
            sa.Text(),
            nullable=False,
            comment="The platform's JSON without personal and ever-changing fields",
        ),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_sales")),
    )
    with op.batch_alter_table("gumroad_sales", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_gumroad_sales_profile_id_partition_day"),
            ["profile_id", "partition_day"],
            unique=False,
        )

    op.create_table(
        "ingestion_jobs",
        sa.Column("id", sa.Text(), nullable=False, comment="Job"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("source", sa.Text(), nullable=False, comment="gumroad, whop or kdp"),
        sa.Column("kind", sa.Text(), nullable=False, comment="initial_sync, refresh, file, webhook or backfill"),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON: what to do"),
        sa.Column("status", sa.Text(), nullable=False, comment="queued, running, completed, failed or dead"),
        sa.Column("attempts", sa.Integer(), autoincrement=False, nullable=False, comment="Times it was handed out"),
        sa.Column("visible_at", sa.DateTime(timezone=True), nullable=False, comment="Not handed out before"),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Dagster run that works on it"),
        sa.Column("events_count", sa.Integer(), autoincrement=False, nullable=True, comment="Ledger rows it brought"),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it failed, without secrets"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was asked for"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingestion_jobs")),
        comment="The durable truth of the queue.",
    )
    with op.batch_alter_table("ingestion_jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ingestion_jobs_status_visible_at"), ["status", "visible_at"], unique=False)

    op.create_table(
        "kdp_royalties",
        sa.Column("upload_id", sa.Text(), nullable=False, comment="The upload"),
        sa.Column("sheet", sa.Text(), nullable=False, comment="Tab of the workbook"),
        sa.Column(
            "source_row",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Row as a spreadsheet counts, from 1",
        ),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("event_key", sa.Text(), nullable=False, comment="Rows of one key are one ledger event"),
        sa.Column("slice", sa.Text(), nullable=False, comment="kind by month or day: the unit that is replaced"),
        sa.Column("finality", sa.Text(), nullable=False, comment="final or estimate"),
        sa.Column("counted", sa.Boolean(), nullable=False, comment="False where a better snapshot counts instead"),
        sa.Column("kind", sa.Text(), nullable=False, comment="sales, kenp, orders or payments"),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="Day, or first of the month"),
        sa.Column("asin", sa.Text(), nullable=True, comment="Amazon's id"),
        sa.Column("isbn", sa.Text(), nullable=True, comment="ISBN of print"),
        sa.Column("title", sa.Text(), nullable=True, comment="As in this file"),
        sa.Column("author", sa.Text(), nullable=True, comment="As in this file"),
        sa.Column("marketplace", sa.Text(), nullable=True, comment="Amazon.com, …"),
        sa.Column("royalty_type", sa.Text(), nullable=True, comment="70%, 35%, …"),
        sa.Column("transaction", sa.Text(), nullable=True, comment="Transaction type or payout plan"),
        sa.Column("units_sold", sa.Integer(), autoincrement=False, nullable=False, comment="Units"),
        sa.Column("units_refunded", sa.Integer(), autoincrement=False, nullable=False, comment="Units given back"),
        sa.Column("free_units", sa.Integer(), autoincrement=False, nullable=False, comment="Units given away"),
        sa.Column("pages_read", sa.Integer(), autoincrement=False, nullable=False, comment="KENP pages"),
        sa.Column(
            "royalty_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Royalty, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the royalty"),
        sa.PrimaryKeyConstraint("upload_id", "sheet", "source_row", name=op.f("pk_kdp_royalties")),
    )
    with op.batch_alter_table("kdp_royalties", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kdp_royalties_profile_id_slice"), ["profile_id", "slice"], unique=False)

    op.create_table(
        "kdp_uploads",
        sa.Column("id", sa.Text(), nullable=False, comment="SHA-256 of the content"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("file_name", sa.Text(), nullable=False, comment="As uploaded; text, never trusted"),
        sa.Column("location", sa.Text(), nullable=False, comment="Where the file is kept"),
        sa.Column("kind", sa.Text(), nullable=True, comment="Which report it is"),
        sa.Column("format", sa.Text(), nullable=True, comment="csv or xlsx"),
        sa.Column("finality", sa.Text(), nullable=True, comment="final or estimate"),
        sa.Column("period_start", sa.Date(), nullable=True, comment="First day covered"),
        sa.Column("period_end", sa.Date(), nullable=True, comment="Day after the last one covered"),
        sa.Column("rows", sa.Integer(), autoincrement=False, nullable=False, comment="Source rows stored"),
        sa.Column("status", sa.Text(), nullable=False, comment="accepted, rejected, quarantined or superseded"),
        sa.Column("snapshot_at", sa.DateTime(timezone=True), nullable=True, comment="When KDP made the export"),
        sa.Column("totals", sa.Text(), nullable=True, comment="JSON of the workbook's own totals"),
        sa.Column("error", sa.Text(), nullable=True, comment="JSON: what was wrong, where, and the mend"),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first seen"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kdp_uploads")),
    )
    with op.batch_alter_table("kdp_uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kdp_uploads_profile_id_status"), ["profile_id", "status"], unique=False)

    op.create_table(
        "ledger_changes",
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="Day of the ledger that changed"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column(
            "change_id",
            sa.Text(),
            nullable=False,
            comment="Names the last change, so that a roll-up forgets only what it has seen",
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, comment="When"),
        sa.PrimaryKeyConstraint("occurred_on", "profile_id", "platform", name=op.f("pk_ledger_changes")),
    )
    op.create_table(
        "platform_connections",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("external_account_id", sa.Text(), nullable=True, comment="The platform's id of the account"),
        sa.Column("access_token", sa.Text(), nullable=True, comment="Encrypted"),
        sa.Column("refresh_token", sa.Text(), nullable=True, comment="Encrypted"),
        sa.Column("scopes", sa.Text(), nullable=True, comment="Space-separated, as granted"),
        sa.Column("status", sa.Text(), nullable=False, comment="active, revoked or error"),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the status is not active"),
        sa.Column("last_synced_at", sa.DateTime(timezone=True), nullable=True, comment="End of the last good sync"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was connected"),
        sa.PrimaryKeyConstraint("provider", "profile_id", name=op.f("pk_platform_connections")),
    )
    op.create_table(
        "platform_totals",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="The platform's own day or period"),
        sa.Column("units", sa.Integer(), autoincrement=False, nullable=False, comment="The platform's count"),
        sa.Column(
            "gross_micros",
            sa.BigInteger(),
            nullable=False,
            comment="The platform's gross, in millionths of the currency's unit",
        ),
        sa.Column(
            "refunded_micros",
            sa.BigInteger(),
            nullable=False,
            comment="The platform's refunds, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amounts"),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was read"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "bucket", name=op.f("pk_platform_totals")),
    )
    op.create_table(
        "profiles",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            comment="Name of the profile; lower-case letters, digits, - and _",
        ),
        sa.Column("email", sa.Text(), nullable=False, comment="Where this profile's mails go"),
        sa.Column("display_name", sa.Text(), nullable=True, comment="Name for people"),
        sa.Column(
            "subscription_tier",
            sa.Text(),
            nullable=False,
            comment="Decided by the Whop memberships; free without one",
        ),
        sa.Column("plan_name", sa.Text(), nullable=True, comment="Title of the plan behind the tier"),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA zone of the seller"),
        sa.Column("notify", sa.Text(), nullable=False, comment="Which notices are wanted: every, failures, none"),
        sa.Column("upload_key_hash", sa.Text(), nullable=True, comment="SHA-256 of the bearer key for uploads"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the profile was added"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
    )
    op.create_table(
        "sales_events",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            comment="Deterministic: platform, profile, the platform's id, event",
        ),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column(
            "event_type",
            sa.Text(),
            nullable=False,
            comment="sale, refund, chargeback, chargeback_reversal, royalty, pages_read, fee",
        ),
        sa.Column("external_id", sa.Text(), nullable=False, comment="The platform's id"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="The platform's id of the product"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Name for people"),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The platform's time of the event; the sale's where it tells no other",
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
            comment="The platform's fee, positive, in millionths of the currency's unit",
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
            "first_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the pipeline first learned of it",
        ),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_events")),
        comment="The ledger. Money that went back is its own negative row: a sum over any range is the truth.",
    )
    with op.batch_alter_table("sales_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sales_events_profile_id_platform_occurred_on"),
            ["profile_id", "platform", "occurred_on"],
            unique=False,
        )

    op.create_table(
        "webhook_events",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop, resend or auth"),
        sa.Column(
            "delivery_id",
            sa.Text(),
            nullable=False,
            comment="The provider's id of the delivery, or a digest of the body",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="First arrival"),
        sa.Column("verified", sa.Boolean(), nullable=False, comment="The signature or the secret path was right"),
        sa.Column("profile_id", sa.Text(), nullable=True, comment="Whose it is, where known"),
        sa.Column("event_type", sa.Text(), nullable=True, comment="The provider's word"),
        sa.Column("payload", sa.Text(), nullable=False, comment="What is needed to re-read; no personal data"),
        sa.Column("status", sa.Text(), nullable=False, comment="stored, queued, done, ignored or failed"),
        sa.Column("job_id", sa.Text(), nullable=True, comment="Job it became part of"),
        sa.Column("repeats", sa.Integer(), autoincrement=False, nullable=False, comment="Deliveries after the first"),
        sa.PrimaryKeyConstraint("provider", "delivery_id", name=op.f("pk_webhook_events")),
    )
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_events_status"), ["status"], unique=False)

    op.create_table(
        "whop_payments",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id, pay_…"),
        sa.Column("partition_day", sa.Date(), nullable=False, comment="UTC day of created_at"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True, comment="When the money came"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="Whop's last change"),
        sa.Column("status", sa.Text(), nullable=False, comment="As Whop says it"),
        sa.Column("substatus", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column("billing_reason", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column("membership_id", sa.Text(), nullable=True, comment="mem_…"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="prod_…"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Title of the product"),
        sa.Column("plan_id", sa.Text(), nullable=True, comment="plan_…"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Settlement currency"),
        sa.Column(
            "total_micros",
            sa.BigInteger(),
            nullable=False,
            comment="What the buyer paid, in millionths of the currency's unit",
        ),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Total less what remains after fees, in millionths of the currency's unit",
        ),
        sa.Column(
            "refunded_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Given back so far, in millionths of the currency's unit",
        ),
        sa.Column("refunds", sa.Text(), nullable=False, comment="JSON list of {id, micros, status, at}"),
        sa.Column("disputes", sa.Text(), nullable=False, comment="JSON list of {id, micros, status, at}"),
        sa.Column("final", sa.Boolean(), nullable=False, comment="Nothing about it can change any more"),
        sa.Column("raw", sa.Text(), nullable=False, comment="The platform's JSON without personal fields"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_payments")),
    )
    with op.batch_alter_table("whop_payments", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_whop_payments_profile_id_partition_day"),
            ["profile_id", "partition_day"],
            unique=False,
        )

    op.create_table(
        "whop_subscriptions",
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's membership id, mem_…"),
        sa.Column(
            "account_profile_id",
            sa.Text(),
            nullable=False,
            comment="Profile whose Whop account sells this membership",
        ),
        sa.Column("profile_id", sa.Text(), nullable=True, comment="The person who holds it, where known"),
        sa.Column(
            "matched_by",
            sa.Text(),
            nullable=True,
            comment="connection, whop_user or email; null when nobody matched",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="As Whop says it"),
        sa.Column("has_access", sa.Boolean(), nullable=False, comment="Whether the holder may use what was bought"),
        sa.Column("plan_id", sa.Text(), nullable=False, comment="Whop's id of the plan"),
        sa.Column("plan_name", sa.Text(), nullable=True, comment="Title of the plan"),
        sa.Column("tier", sa.Text(), nullable=True, comment="Tier the plan maps to"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Whop's id of the product"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Title of the product"),
        sa.Column("whop_user_id", sa.Text(), nullable=True, comment="user_…"),
        sa.Column("member_id", sa.Text(), nullable=True, comment="mber_…"),
        sa.Column("holder_hash", sa.Text(), nullable=True, comment="Keyed hash of the holder's e-mail"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was bought"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="Whop's last change"),
        sa.Column(
            "current_period_start",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Begin of the paid period",
        ),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True, comment="Renewal or expiry"),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False, comment="Ends with the period"),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True, comment="When the end was asked for"),
        sa.Column(
            "price_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Next charge, else the first price, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of price_micros"),
        sa.Column("raw", sa.Text(), nullable=False, comment="The platform's JSON without personal fields"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whop_subscriptions")),
    )
    with op.batch_alter_table("whop_subscriptions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_whop_subscriptions_account_profile_id"), ["account_profile_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_whop_subscriptions_profile_id"), ["profile_id"], unique=False)
    op.execute(REVENUE)


def downgrade() -> None:
    op.execute("DROP VIEW revenue")
    with op.batch_alter_table("whop_subscriptions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_whop_subscriptions_profile_id"))
        batch_op.drop_index(batch_op.f("ix_whop_subscriptions_account_profile_id"))

    op.drop_table("whop_subscriptions")
    with op.batch_alter_table("whop_payments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_whop_payments_profile_id_partition_day"))

    op.drop_table("whop_payments")
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_events_status"))

    op.drop_table("webhook_events")
    with op.batch_alter_table("sales_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sales_events_profile_id_platform_occurred_on"))

    op.drop_table("sales_events")
    op.drop_table("profiles")
    op.drop_table("platform_totals")
    op.drop_table("platform_connections")
    op.drop_table("ledger_changes")
    with op.batch_alter_table("kdp_uploads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kdp_uploads_profile_id_status"))

    op.drop_table("kdp_uploads")
    with op.batch_alter_table("kdp_royalties", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kdp_royalties_profile_id_slice"))

    op.drop_table("kdp_royalties")
    with op.batch_alter_table("ingestion_jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ingestion_jobs_status_visible_at"))

    op.drop_table("ingestion_jobs")
    with op.batch_alter_table("gumroad_sales", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gumroad_sales_profile_id_partition_day"))

    op.drop_table("gumroad_sales")
    op.drop_table("gumroad_products")
    op.drop_table("email_suppressions")
    with op.batch_alter_table("email_messages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_email_messages_status_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_email_messages_provider_id"))

    op.drop_table("email_messages")
    op.drop_table("daily_revenue")
