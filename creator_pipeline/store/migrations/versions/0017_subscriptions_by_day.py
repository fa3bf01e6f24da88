"""subscriptions by day"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions_daily",
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("platform", sa.Text(), nullable=False, comment="gumroad or whop"),
        sa.Column("currency", sa.Text(), nullable=False, comment="Of mrr_micros"),
        sa.Column(
            "active",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Subscriptions with access at the end of the day, trials among them",
        ),
        sa.Column(
            "new", sa.Integer(), autoincrement=False, nullable=False, comment="Of them, those that began on the day"
        ),
        sa.Column(
            "cancelling",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Of them, those that were cancelled and still have access",
        ),
        sa.Column(
            "churned",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Subscriptions whose first day without access it is",
        ),
        sa.Column(
            "mrr_micros",
            sa.BigInteger(),
            nullable=False,
            comment="Monthly recurring revenue at the end of the day, before fees, in millionths of the currency's unit",
        ),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("day", "profile_id", "platform", "currency", name=op.f("pk_subscriptions_daily")),
        comment="Subscriptions by day; the formula is in docs/subscriptions.md.",
    )


def downgrade() -> None:
    op.drop_table("subscriptions_daily")
