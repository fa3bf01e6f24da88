"""daily rates of exchange"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fx_rates",
        sa.Column("day", sa.Date(), nullable=False, comment="Day on which the rate was published"),
        sa.Column("base", sa.Text(), nullable=False, comment="One of this currency"),
        sa.Column("currency", sa.Text(), nullable=False, comment="is so many of this one"),
        sa.Column("rate", sa.Text(), nullable=False, comment="Exact decimal text"),
        sa.Column("source", sa.Text(), nullable=False, comment="Who tells it: ECB"),
        sa.Column(
            "ingested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version of the row was written",
        ),
        sa.PrimaryKeyConstraint("day", "base", "currency", name=op.f("pk_fx_rates")),
        comment="Daily rates of exchange. A day without rates (weekend, holiday) has no row.",
    )


def downgrade() -> None:
    op.drop_table("fx_rates")
