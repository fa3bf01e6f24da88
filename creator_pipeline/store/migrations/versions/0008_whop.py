"""one table of what can't be read; units and alerts of payments; whose a delivery is"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BRINGS = "What connecting again brings the seller; empty where it is no help"


def upgrade() -> None:
    op.create_table(
        "unreadable",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad, whop or amazon_kdp"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("part", sa.Text(), nullable=False, comment="Of the account: payouts, payments, refunds …"),
        sa.Column(
            "object_id", sa.Text(), nullable=False, comment="The platform's id; empty where it is the whole part"
        ),
        sa.Column("detail", sa.Text(), nullable=False, comment="Why it can't be read"),
        sa.Column("hint", sa.Text(), nullable=False, comment="What to do about it"),
        sa.Column("brings", sa.Text(), nullable=False, comment=_BRINGS),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="When it was first found so"),
        sa.PrimaryKeyConstraint("provider", "profile_id", "part", "object_id", name=op.f("pk_unreadable")),
        comment="What of an account can't be read, and counts nowhere: whole parts, and single objects.",
    )
    op.execute(
        "INSERT INTO unreadable (provider, profile_id, part, object_id, detail, hint, brings, since) "
        "SELECT 'gumroad', profile_id, part, '', detail, hint, brings, since FROM gumroad_unreadable"
    )
    # The next reading of the part writes the hint.
    op.execute(
        "INSERT INTO unreadable (provider, profile_id, part, object_id, detail, hint, brings, since) "
        "SELECT 'whop', profile_id, part, '', refused, '', '', COALESCE(read_at, CURRENT_TIMESTAMP) "
        "FROM whop_money_reads WHERE refused IS NOT NULL"
    )
    op.drop_table("gumroad_unreadable")
    op.execute("DELETE FROM whop_money_reads WHERE read_at IS NULL")
    with op.batch_alter_table("whop_money_reads") as table:
        table.drop_column("refused")
        table.alter_column("read_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    units = sa.Column("units", sa.Integer(), server_default="1", nullable=False, comment="Sold, of all its line items")
    alerts = sa.Column(
        "alerts",
        sa.Text(),
        server_default="[]",
        nullable=False,
        comment="JSON list of dispute alerts: {id, micros, at, fee_micros, fee_currency}",
    )
    op.add_column("whop_payments", units)
    op.add_column("whop_payments", alerts)
    account = sa.Column("account_id", sa.Text(), nullable=True, comment="The platform's account, where told")
    note = sa.Column("note", sa.Text(), nullable=True, comment="Why nothing followed from it, where something should")
    op.add_column("webhook_events", account)
    op.add_column("webhook_events", note)
    if op.get_bind().dialect.supports_comments:
        _comments(new=True)


def downgrade() -> None:
    if op.get_bind().dialect.supports_comments:
        _comments(new=False)
    op.drop_column("webhook_events", "note")
    op.drop_column("webhook_events", "account_id")
    op.drop_column("whop_payments", "alerts")
    op.drop_column("whop_payments", "units")
    with op.batch_alter_table("whop_money_reads") as table:
        table.alter_column("read_at", existing_type=sa.DateTime(timezone=True), nullable=True)
        table.add_column(
            sa.Column("refused", sa.Text(), nullable=True, comment="Why it can't be read now; null where it can")
        )
    op.execute(
        "UPDATE whop_money_reads SET refused = (SELECT detail FROM unreadable WHERE provider = 'whop' AND "
        "object_id = '' AND unreadable.profile_id = whop_money_reads.profile_id "
        "AND unreadable.part = whop_money_reads.part)"
    )
    op.execute(
        "INSERT INTO whop_money_reads (profile_id, part, refused) SELECT profile_id, part, detail FROM unreadable "
        "WHERE provider = 'whop' AND object_id = '' AND NOT EXISTS (SELECT 1 FROM whop_money_reads AS known "
        "WHERE known.profile_id = unreadable.profile_id AND known.part = unreadable.part)"
    )
    op.create_table(
        "gumroad_unreadable",
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("part", sa.Text(), nullable=False, comment="payouts, transactions or earnings"),
        sa.Column("detail", sa.Text(), nullable=False, comment="Why it can't be read"),
        sa.Column("hint", sa.Text(), nullable=False, comment="What to do about it"),
        sa.Column("brings", sa.Text(), nullable=False, comment=_BRINGS),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="When it was first refused"),
        sa.PrimaryKeyConstraint("profile_id", "part", name=op.f("pk_gumroad_unreadable")),
        comment="Parts of an account's money that its token or server doesn't give.",
    )
    op.execute(
        "INSERT INTO gumroad_unreadable (profile_id, part, detail, hint, brings, since) "
        "SELECT profile_id, part, detail, hint, brings, since FROM unreadable "
        "WHERE provider = 'gumroad' AND object_id = ''"
    )
    op.drop_table("unreadable")


def _comments(*, new: bool) -> None:
    table = "When each part of the money of an account was read." if new else None
    op.create_table_comment("whop_money_reads", table or "Which parts of the money of an account can be read.")
