"""declared tables"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gumroad_custom_fields",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the question"),
        sa.Column("type", sa.Text(), nullable=True, comment="As Gumroad says it: text, checkbox, terms"),
        sa.Column("name", sa.Text(), nullable=False, comment="The question"),
        sa.Column("required", sa.Boolean(), nullable=False, comment="It must be answered"),
        sa.Column("everywhere", sa.Boolean(), nullable=False, comment="It is asked for all products"),
        sa.Column(
            "for_each_product", sa.Boolean(), nullable=False, comment="It is asked once for each product of a cart"
        ),
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
        sa.PrimaryKeyConstraint("profile_id", "product_id", "id", name=op.f("pk_gumroad_custom_fields")),
        comment="A question that buyers of a product are asked. Their answers are not kept.",
    )
    op.create_table(
        "gumroad_offer_codes",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the code"),
        sa.Column("code", sa.Text(), nullable=False, comment="What the buyer types"),
        sa.Column("universal", sa.Boolean(), nullable=False, comment="It is of all products"),
        sa.Column("percent_off", sa.Integer(), nullable=True, comment="Per cent; null where it is an amount"),
        sa.Column(
            "amount_off_micros",
            sa.BigInteger(),
            nullable=True,
            comment="Amount; null where it is per cent, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of the amount: the product's"),
        sa.Column("max_uses", sa.Integer(), nullable=True, comment="Uses at most; null for no limit"),
        sa.Column("times_used", sa.Integer(), nullable=True, comment="Uses so far"),
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
        sa.PrimaryKeyConstraint("profile_id", "product_id", "id", name=op.f("pk_gumroad_offer_codes")),
        comment="An offer code of a product. A universal one stands under each product, each time with all its uses.",
    )
    op.create_table(
        "gumroad_reviews",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the review"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("sale_id", sa.Text(), nullable=True, comment="Sale that it is of"),
        sa.Column("rating", sa.Integer(), nullable=False, comment="Stars, 1 to 5"),
        sa.Column("message", sa.Text(), nullable=True, comment="What was written, without addresses"),
        sa.Column("response", sa.Text(), nullable=True, comment="The seller's answer, without addresses"),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True, comment="When the seller answered"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was written"),
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
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_reviews")),
        comment="A review of a product that has words or a video. The name of who wrote it is not kept.",
    )
    op.create_table(
        "gumroad_subscribers",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the subscription"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("product_name", sa.Text(), nullable=True, comment="Name of the product"),
        sa.Column("buyer_hash", sa.Text(), nullable=True, comment="Keyed hash of the subscriber's e-mail"),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="As Gumroad says it: alive, pending_cancellation, cancelled…"
        ),
        sa.Column(
            "recurrence", sa.Text(), nullable=True, comment="monthly, quarterly, biannually, yearly or every_two_years"
        ),
        sa.Column(
            "charges", sa.Integer(), nullable=True, comment="Charges until it ends, where it is of a fixed length"
        ),
        sa.Column("purchase_ids", sa.Text(), nullable=True, comment="Ids of its sales, with spaces between"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it began"),
        sa.Column(
            "cancel_asked_at", sa.DateTime(timezone=True), nullable=True, comment="When the subscriber cancelled"
        ),
        sa.Column(
            "cancelled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is over because of that; may lie ahead",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When it reached its fixed end"),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True, comment="When a charge failed for good"),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True), nullable=True, comment="End of the free trial"),
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
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_subscribers")),
        comment="A person who has, or had, a membership of a product.",
    )
    op.create_table(
        "gumroad_utm_links",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the link"),
        sa.Column("title", sa.Text(), nullable=True, comment="Its name"),
        sa.Column("permalink", sa.Text(), nullable=True, comment="End of its short address"),
        sa.Column("target_type", sa.Text(), nullable=True, comment="What it leads to"),
        sa.Column("target_id", sa.Text(), nullable=True, comment="Id of what it leads to"),
        sa.Column("utm_source", sa.Text(), nullable=True, comment="UTM parameter"),
        sa.Column("utm_medium", sa.Text(), nullable=True, comment="UTM parameter"),
        sa.Column("utm_campaign", sa.Text(), nullable=True, comment="UTM parameter"),
        sa.Column("utm_term", sa.Text(), nullable=True, comment="UTM parameter"),
        sa.Column("utm_content", sa.Text(), nullable=True, comment="UTM parameter"),
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
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_utm_links")),
        comment="A link with UTM parameters that the seller made, on servers that have them.",
    )
    op.create_table(
        "gumroad_variant_categories",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the category"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("title", sa.Text(), nullable=False, comment="Its name"),
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
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_variant_categories")),
        comment="What a product's variants differ in, as its licence or its format.",
    )
    op.create_table(
        "gumroad_variants",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("id", sa.Text(), nullable=False, comment="Gumroad's id of the variant"),
        sa.Column("product_id", sa.Text(), nullable=False, comment="Gumroad's id of the product"),
        sa.Column("category_id", sa.Text(), nullable=False, comment="Id of its category"),
        sa.Column("name", sa.Text(), nullable=False, comment="Its name"),
        sa.Column("description", sa.Text(), nullable=True, comment="Its description"),
        sa.Column(
            "price_difference_micros",
            sa.BigInteger(),
            nullable=True,
            comment="What it costs beyond the product's price, in millionths of the currency's unit",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="The product's"),
        sa.Column("max_sales", sa.Integer(), nullable=True, comment="Sales at most; null for no limit"),
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
        sa.PrimaryKeyConstraint("profile_id", "id", name=op.f("pk_gumroad_variants")),
        comment="A variant of a product, or a tier of a membership.",
    )
    op.create_table(
        "stream_reads",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("stream", sa.Text(), nullable=False, comment="Name of the table's stream"),
        sa.Column(
            "parent",
            sa.Text(),
            nullable=False,
            comment="What the list belongs to, as a product's id; empty where one list has all",
        ),
        sa.Column(
            "hint", sa.Text(), nullable=False, comment="Differs where the list may differ; empty where nothing tells"
        ),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False, comment="When the list was last read whole"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "stream", "parent", name=op.f("pk_stream_reads")),
        comment="When each list of a platform was last read whole, so that a night asks for those that may have changed.",
    )


def downgrade() -> None:
    op.drop_table("stream_reads")
    op.drop_table("gumroad_variants")
    op.drop_table("gumroad_variant_categories")
    op.drop_table("gumroad_utm_links")
    op.drop_table("gumroad_subscribers")
    op.drop_table("gumroad_reviews")
    op.drop_table("gumroad_offer_codes")
    op.drop_table("gumroad_custom_fields")
