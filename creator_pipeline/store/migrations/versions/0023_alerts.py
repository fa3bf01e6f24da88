"""alerts, and what the running month's pages may be worth"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def _estimates() -> str:
    """Pages that count and have no money yet, at the newest final rate of the same marketplace, at most three months
    old. Rounded once, half away from zero."""
    postgres = op.get_bind().dialect.name == "postgresql"

    def month(column: str, back: int = 0) -> str:
        if postgres:
            return f"CAST(date_trunc('month', {column}) - INTERVAL '{back} months' AS date)"
        return f"date({column}, 'start of month', '-{back} months')"

    return f"""
CREATE VIEW kdp_kenp_estimates AS
WITH told AS (
    SELECT profile_id, {month("occurred_on")} AS month, lower(marketplace) AS shop, max(marketplace) AS marketplace,
           CAST(sum(pages_read) AS bigint) AS pages, max(upload_id) AS upload_id
    FROM kdp_royalties
    WHERE kind = 'kenp' AND finality = 'estimate' AND counted AND currency IS NULL
    GROUP BY profile_id, {month("occurred_on")}, lower(marketplace)
), placed AS (
    SELECT t.profile_id, t.month, t.shop, r.month AS rate_month, r.rate, r.currency,
           CAST(r.pages AS bigint) AS whole, t.pages * r.royalty_micros AS share,
           row_number() OVER (PARTITION BY t.profile_id, t.month, t.shop ORDER BY r.month DESC, r.currency) AS place
    FROM told t JOIN kdp_kenp_rates r ON r.profile_id = t.profile_id AND lower(r.marketplace) = t.shop
        AND r.month < t.month AND r.month >= {month("t.month", 3)}
)
SELECT t.profile_id, t.month, t.marketplace, CAST(t.pages AS integer) AS pages, p.rate, p.rate_month,
       CASE WHEN p.share < 0 THEN -((p.whole - 2 * p.share) / (2 * p.whole))
            ELSE (2 * p.share + p.whole) / (2 * p.whole) END AS estimated_micros,
       p.currency, 'estimate' AS finality, t.upload_id
FROM told t LEFT JOIN placed p ON p.profile_id = t.profile_id AND p.month = t.month AND p.shop = t.shop AND p.place = 1
WHERE NOT EXISTS (SELECT 1 FROM kdp_kenp_rates f
    WHERE f.profile_id = t.profile_id AND f.month = t.month AND lower(f.marketplace) = t.shop)
"""


def upgrade() -> None:
    op.execute(_estimates())
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
    op.execute("DROP VIEW kdp_kenp_estimates")
    op.drop_column("health_reports", "run_id")
    op.drop_column("health_reports", "amount")
    op.drop_index(op.f("ix_alert_messages_status_next_attempt_at"), table_name="alert_messages")
    op.drop_table("alert_messages")
