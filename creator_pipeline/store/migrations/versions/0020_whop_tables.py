"""whop tables"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "whop_affiliates",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the affiliate"),
        sa.Column("status", sa.Text(), nullable=True, comment="active, archived or deleted"),
        sa.Column(
            "active_members", sa.Integer(), nullable=False, comment="Members who came by this affiliate and are there"
        ),
        sa.Column("referrals", sa.Integer(), nullable=False, comment="All who came"),
        sa.Column("retention_percent", sa.Text(), nullable=True, comment="Per cent of them who stayed"),
        sa.Column("retention_90_days_percent", sa.Text(), nullable=True, comment="The same of ninety days"),
        sa.Column(
            "mrr_usd_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Monthly recurring revenue, US dollars, in millionths of the currency's unit",
        ),
        sa.Column(
            "earned_usd_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What the affiliate earned, US dollars, in millionths of the currency's unit",
        ),
        sa.Column(
            "revenue_usd_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What was sold, US dollars, in millionths of the currency's unit",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_affiliates")),
        comment="A person who sells for the account, and what that brought. The name is not kept.",
    )
    op.create_table(
        "whop_dispute_alerts",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the alert"),
        sa.Column("payment_id", sa.Text(), nullable=True, comment="Payment that it is of"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Its product"),
        sa.Column(
            "type", sa.Text(), nullable=False, comment="early_fraud_warning, dispute_alert or rapid_dispute_resolution"
        ),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Amount of the payment, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amounts"),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What the alert costs; an early warning costs nothing, in millionths of the currency's unit",
        ),
        sa.Column("fee_currency", sa.Text(), nullable=True, comment="Of that"),
        sa.Column("fee_charged", sa.Boolean(), nullable=False, comment="The fee was taken"),
        sa.Column("auto_refunded", sa.Boolean(), nullable=False, comment="The payment was refunded"),
        sa.Column("transaction_at", sa.DateTime(timezone=True), nullable=True, comment="When was paid"),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False, comment="When the bank told it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_dispute_alerts")),
        comment="A bank's word before a dispute.",
    )
    op.create_table(
        "whop_disputes",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the dispute"),
        sa.Column("payment_id", sa.Text(), nullable=True, comment="Payment that it is of"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Product of the payment"),
        sa.Column("variant_id", sa.Text(), nullable=True, comment="Variant of the payment"),
        sa.Column("status", sa.Text(), nullable=False, comment="As Whop says it; won, lost and prevented are ends"),
        sa.Column("inquiry", sa.Boolean(), nullable=False, comment="A question of the bank, which moves no money"),
        sa.Column("reason", sa.Text(), nullable=True, comment="The bank's reason"),
        sa.Column("reason_code", sa.Text(), nullable=True, comment="Its code"),
        sa.Column(
            "amount_micros", sa.BigInteger(), nullable=True, comment="Amount, in millionths of the currency's unit"
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amount; may differ from the payment's"),
        sa.Column(
            "fee_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What the dispute costs, in millionths of the currency's unit",
        ),
        sa.Column("fee_currency", sa.Text(), nullable=True, comment="Of that"),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True, comment="Until when evidence counts"),
        sa.Column("evidence_submitted_at", sa.DateTime(timezone=True), nullable=True, comment="When it was handed in"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_disputes")),
        comment="A dispute of a payment. What was said and shown for it is not kept.",
    )
    op.create_table(
        "whop_invoices",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the invoice"),
        sa.Column("number", sa.Text(), nullable=False, comment="As the buyer sees it"),
        sa.Column("buyer_hash", sa.Text(), nullable=True, comment="Keyed hash of the e-mail it went to"),
        sa.Column("status", sa.Text(), nullable=False, comment="draft, open, paid, past_due, uncollectible or void"),
        sa.Column("variant_id", sa.Text(), nullable=True, comment="Variant that it bills"),
        sa.Column(
            "total_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Sum of its lines, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amounts"),
        sa.Column("payment_processing", sa.Boolean(), nullable=False, comment="A payment is under way"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="When it is due"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_invoices")),
        comment="An invoice of the account. What opens it without a login is not kept.",
    )
    op.create_table(
        "whop_leads",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the lead"),
        sa.Column("buyer_hash", sa.Text(), nullable=True, comment="Keyed hash of the e-mail"),
        sa.Column("user_id", sa.Text(), nullable=True, comment="Whop's id of the person"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="What it was about"),
        sa.Column("member_id", sa.Text(), nullable=True, comment="Member that the lead became; null while none"),
        sa.Column("referrer_host", sa.Text(), nullable=True, comment="Host of the page that led here"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_leads")),
        comment="A person who came and had not bought. Of where from only the host is kept.",
    )
    op.create_table(
        "whop_members",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the member"),
        sa.Column("buyer_hash", sa.Text(), nullable=True, comment="Keyed hash of the member's e-mail"),
        sa.Column("user_id", sa.Text(), nullable=True, comment="Whop's id of the person"),
        sa.Column("access_level", sa.Text(), nullable=True, comment="no_access, admin or customer"),
        sa.Column("status", sa.Text(), nullable=False, comment="joined or left"),
        sa.Column("last_action", sa.Text(), nullable=True, comment="As Whop says it: renewing, canceling, churned…"),
        sa.Column(
            "spent_micros", sa.BigInteger(), nullable=True, comment="Spent so far, in millionths of the currency's unit"
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of what was spent"),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True, comment="When the member joined"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_members")),
        comment="A person who buys, or bought, from the account. Names and numbers are not kept.",
    )
    op.create_table(
        "whop_products",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the product"),
        sa.Column("title", sa.Text(), nullable=False, comment="Its name"),
        sa.Column("route", sa.Text(), nullable=True, comment="End of its address"),
        sa.Column("headline", sa.Text(), nullable=True, comment="What stands below its name"),
        sa.Column("visibility", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column("members", sa.Integer(), nullable=True, comment="Members; 0 where the counts are hidden"),
        sa.Column("reviews", sa.Integer(), nullable=True, comment="Published reviews"),
        sa.Column(
            "rating_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Average of its stars, in millionths of a star, in millionths of the currency's unit",
        ),
        sa.Column("external_id", sa.Text(), nullable=True, comment="The seller's own id"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_products")),
        comment="A product of the account.",
    )
    op.create_table(
        "whop_promo_codes",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the code"),
        sa.Column("code", sa.Text(), nullable=True, comment="What the buyer types"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Product that it is of; null for all"),
        sa.Column("promo_type", sa.Text(), nullable=False, comment="percentage or flat_amount"),
        sa.Column(
            "part_off_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Part of the price as a fraction, in millionths of the currency's unit",
        ),
        sa.Column(
            "amount_off_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Amount; null where it is a part, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amount"),
        sa.Column("duration", sa.Text(), nullable=False, comment="forever, once or repeating"),
        sa.Column("months", sa.Integer(), nullable=True, comment="Months in which it counts"),
        sa.Column("uses", sa.Integer(), nullable=False, comment="Memberships that used it"),
        sa.Column("stock", sa.Integer(), nullable=True, comment="Uses at most, where there is a limit"),
        sa.Column("unlimited_stock", sa.Boolean(), nullable=False, comment="There is no limit"),
        sa.Column("one_per_customer", sa.Boolean(), nullable=False, comment="A buyer can use it once"),
        sa.Column("new_users_only", sa.Boolean(), nullable=False, comment="For new buyers only"),
        sa.Column("churned_users_only", sa.Boolean(), nullable=False, comment="For buyers who left only"),
        sa.Column(
            "existing_memberships_only", sa.Boolean(), nullable=False, comment="For those who have a membership only"
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="active, inactive or archived"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="When it ends"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_promo_codes")),
        comment="A promo code of the account.",
    )
    op.create_table(
        "whop_refunds",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the refund"),
        sa.Column("payment_id", sa.Text(), nullable=False, comment="Payment that it is of"),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="pending, requires_action, succeeded, failed or canceled"
        ),
        sa.Column(
            "amount_micros",
            sa.BigInteger(),
            nullable=True,
            comment="As it was settled, at the rate of its own day, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amount as settled"),
        sa.Column(
            "original_amount_micros",
            sa.BigInteger(),
            nullable=True,
            comment="As it was asked for, in millionths of the currency's unit",
        ),
        sa.Column("original_currency", sa.Text(), nullable=True, comment="Of that"),
        sa.Column("reason", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column("failure_reason", sa.Text(), nullable=True, comment="Why it failed"),
        sa.Column("provider", sa.Text(), nullable=True, comment="Who paid it"),
        sa.Column("visa_rdr", sa.Boolean(), nullable=False, comment="The bank's own way before a dispute"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_refunds")),
        comment="A refund of a payment. Only one that succeeded moved money.",
    )
    op.create_table(
        "whop_reviews",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the review"),
        sa.Column("stars", sa.Integer(), nullable=False, comment="1 to 5"),
        sa.Column("title", sa.Text(), nullable=True, comment="Its heading, without addresses"),
        sa.Column("message", sa.Text(), nullable=True, comment="What was written, without addresses"),
        sa.Column("status", sa.Text(), nullable=False, comment="As Whop says it"),
        sa.Column("paid", sa.Boolean(), nullable=False, comment="The writer paid for the product"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True, comment="When it was published"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_reviews")),
        comment="A published review. Who wrote it is not kept.",
    )
    op.create_table(
        "whop_transfers",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("side", sa.Text(), nullable=False, comment="What this account is: origin or destination"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the transfer"),
        sa.Column("status", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column(
            "amount_micros", sa.BigInteger(), nullable=True, comment="Amount, in millionths of the currency's unit"
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amounts"),
        sa.Column(
            "fee_micros", sa.BigInteger(), nullable=True, comment="What it cost, in millionths of the currency's unit"
        ),
        sa.Column("fee_currency", sa.Text(), nullable=True, comment="Of that"),
        sa.Column("origin_id", sa.Text(), nullable=True, comment="Account that it left"),
        sa.Column("destination_id", sa.Text(), nullable=True, comment="Account that it came to"),
        sa.Column("failure_code", sa.Text(), nullable=True, comment="Why it failed"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("status_changed_at", sa.DateTime(timezone=True), nullable=True, comment="Last change of its status"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "side", "id", name=op.f("pk_whop_transfers")),
        comment="Money between two accounts of Whop: no revenue. One between own accounts stands on either side.",
    )
    op.create_table(
        "whop_variants",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the variant, plan_…"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Whop's id of the product"),
        sa.Column("title", sa.Text(), nullable=True, comment="Its name"),
        sa.Column("plan_type", sa.Text(), nullable=False, comment="renewal or one_time"),
        sa.Column("billing_days", sa.Integer(), nullable=True, comment="Days of a period; null where it is paid once"),
        sa.Column(
            "first_price_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What is paid at first, in millionths of the currency's unit",
        ),
        sa.Column(
            "renewal_price_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What each further period costs, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="Of the amounts"),
        sa.Column("trial_days", sa.Integer(), nullable=True, comment="Days of the free trial"),
        sa.Column("expires_after_days", sa.Integer(), nullable=True, comment="Days after which access ends"),
        sa.Column("payments", sa.Integer(), nullable=True, comment="Payments of a plan in parts"),
        sa.Column("members", sa.Integer(), nullable=True, comment="Members"),
        sa.Column("stock", sa.Integer(), nullable=True, comment="How many are left; null where there is no limit"),
        sa.Column("unlimited_stock", sa.Boolean(), nullable=False, comment="There is no limit"),
        sa.Column("sku", sa.Text(), nullable=True, comment="The seller's own id"),
        sa.Column("price_text", sa.Text(), nullable=True, comment="The price as Whop shows it"),
        sa.Column("release_method", sa.Text(), nullable=True, comment="buy_now or waitlist"),
        sa.Column("visibility", sa.Text(), nullable=True, comment="As Whop says it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_variants")),
        comment="A variant of a product, which was called plan: what it costs, and how often.",
    )
    op.create_table(
        "whop_waiting_list",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Whop's id of the entry"),
        sa.Column("status", sa.Text(), nullable=False, comment="pending, approved, denied or canceled"),
        sa.Column("variant_id", sa.Text(), nullable=False, comment="Variant that is waited for"),
        sa.Column("product_id", sa.Text(), nullable=True, comment="Its product"),
        sa.Column("membership_id", sa.Text(), nullable=True, comment="Membership that it became"),
        sa.Column("failure", sa.Text(), nullable=True, comment="Why it could not be approved"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True, comment="Last change at Whop"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first read"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.Column(
            "removed_at", sa.DateTime(timezone=True), nullable=True, comment="When the platform's list first lacked it"
        ),
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_whop_waiting_list")),
        comment="Somebody who waits to be let in. Who, and what was answered, is not kept.",
    )


def downgrade() -> None:
    op.drop_table("whop_waiting_list")
    op.drop_table("whop_variants")
    op.drop_table("whop_transfers")
    op.drop_table("whop_reviews")
    op.drop_table("whop_refunds")
    op.drop_table("whop_promo_codes")
    op.drop_table("whop_products")
    op.drop_table("whop_members")
    op.drop_table("whop_leads")
    op.drop_table("whop_invoices")
    op.drop_table("whop_disputes")
    op.drop_table("whop_dispute_alerts")
    op.drop_table("whop_affiliates")
