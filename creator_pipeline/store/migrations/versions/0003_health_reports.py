"""what the health sensor has found"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "health_reports",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            comment="What is wrong with what: one row for each, used again when it comes back",
        ),
        sa.Column(
            "text", sa.Text(), nullable=False, comment="What was found, for people; without secrets and addresses"
        ),
        sa.Column("mend", sa.Text(), nullable=False, comment="The command or the step that mends it"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="When it was first seen, this time"),
        sa.Column(
            "told_at", sa.DateTime(timezone=True), nullable=True, comment="When it was told; null until it could be"
        ),
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was found mended; null while it is open",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_health_reports")),
        comment="What the sensor pipeline_health has found: each problem is told once, and once when it is mended.",
    )
    op.create_index(op.f("ix_health_reports_resolved_at"), "health_reports", ["resolved_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_health_reports_resolved_at"), table_name="health_reports")
    op.drop_table("health_reports")
