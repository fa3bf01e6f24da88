"""products"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "products",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column(
            "product_id",
            sa.Text(),
            nullable=False,
            comment="As the ledger has it: Gumroad's or Whop's id, an ASIN or an ISBN",
        ),
        sa.Column("name", sa.Text(), nullable=True, comment="Name at the platform"),
        sa.Column("other_ids", sa.Text(), nullable=True, comment="Further ids of the same, with spaces between"),
        sa.Column("first_sold_on", sa.Date(), nullable=False, comment="Day of its first row in the ledger"),
        sa.Column("last_sold_on", sa.Date(), nullable=False, comment="Day of its newest row in the ledger"),
        sa.Column("work", sa.Text(), nullable=True, comment="The work that it is an edition of, as WORKS_FILE says"),
        sa.Column("series", sa.Text(), nullable=True, comment="Series of the work"),
        sa.Column("author", sa.Text(), nullable=True, comment="Author of the work"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("profile_id", "platform", "product_id", name=op.f("pk_products")),
        comment="Each thing that a profile sold on a platform.",
    )


def downgrade() -> None:
    op.drop_table("products")
