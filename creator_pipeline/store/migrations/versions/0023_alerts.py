"""alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_messages",
        sa.Column("id", sa.Text(), nullable=False, comment="Key of the event, and the channel"),
        sa.Column("channel", sa.Text(), nullable=False, comment="Name of an entry of ALERT_URLS: slack, pagerduty-2"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="Notice: failure/books, mended/books, backfill, files, lost or test",
        ),
        sa.Column(
            "profile_id", sa.Text(), nullable=True, comment="Whose event; null for several or the installation's"
        ),
        sa.Column(
            "payload", sa.Text(), nullable=False, comment="What is sent, JSON; empty once it was sent or given up"
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="queued, sending, sent, failed or unknown"),
        sa.Column("attempts", sa.Integer(), autoincrement=False, nullable=False, comment="Times it was handed out"),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it is not sent"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the event happened"),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Not tried before; while it is sent, the end of the lease",
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True, comment="When the channel took it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_messages")),
        comment="Notices for chat and on-call channels: one row for each event and channel.",
    )
    op.create_index(
        op.f("ix_alert_messages_status_next_attempt_at"), "alert_messages", ["status", "next_attempt_at"], unique=False
    )
    op.add_column(
        "health_reports",
        sa.Column("amount", sa.Text(), nullable=True, comment="Money that it is about, for people: 12.34 USD"),
    )
    op.add_column(
        "health_reports",
        sa.Column("run_id", sa.Text(), nullable=True, comment="Dagster run that failed, where it is one"),
    )


def downgrade() -> None:
    op.drop_column("health_reports", "run_id")
    op.drop_column("health_reports", "amount")
    op.drop_index(op.f("ix_alert_messages_status_next_attempt_at"), table_name="alert_messages")
    op.drop_table("alert_messages")
