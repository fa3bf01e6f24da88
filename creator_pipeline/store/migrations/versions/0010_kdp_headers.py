"""headers of KDP's reports that a person taught"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kdp_headers",
        sa.Column(
            "header", sa.Text(), nullable=False, comment="Header of a column, in the form in which it is compared"
        ),
        sa.Column("role", sa.Text(), nullable=False, comment="What it is: units_sold, royalty, …"),
        sa.Column("taught_at", sa.DateTime(timezone=True), nullable=False, comment="When a person said so"),
        sa.PrimaryKeyConstraint("header", name=op.f("pk_kdp_headers")),
        comment="Headers of reports in languages that are not known, as a person taught them.",
    )


def downgrade() -> None:
    op.drop_table("kdp_headers")
