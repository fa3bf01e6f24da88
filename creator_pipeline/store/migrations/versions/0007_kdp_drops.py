"""files that come together are told together"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "kdp_files",
        sa.Column(
            "untold",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="One of many files that came together, and the one mail about them isn't written yet",
        ),
    )


def downgrade() -> None:
    op.drop_column("kdp_files", "untold")
