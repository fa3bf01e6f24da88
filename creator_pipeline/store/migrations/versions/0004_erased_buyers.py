"""buyers who asked to be forgotten"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_buyers",
        sa.Column("address_hash", sa.Text(), nullable=False, comment="Keyed hash of the e-mail, one row for each key"),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, comment="When"),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_erased_buyers")),
        comment="Buyers who are forgotten: a load leaves out what would bring them back.",
    )


def downgrade() -> None:
    op.drop_table("erased_buyers")
