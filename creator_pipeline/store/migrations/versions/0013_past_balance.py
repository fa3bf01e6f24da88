"""money that a payment processor moved by itself is marked in the ledger"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LEDGERS = ("sales_events", "closed_ledger")
# Payouts of Gumroad took such money out of the balance, with the line that sums it up; now the rows of the sales do.
_GROUPS = """
UPDATE payouts SET balance_micros = balance_micros {sign} (
    SELECT sum(lines.net_micros) FROM payout_lines AS lines
    WHERE lines.provider = payouts.provider AND lines.profile_id = payouts.profile_id
    AND lines.payout_id = payouts.payout_id AND lines.type IN ('PayPal Payouts', 'Stripe Connect Payouts')
)
WHERE provider = 'gumroad' AND balance_micros IS NOT NULL AND EXISTS (
    SELECT 1 FROM payout_lines AS lines
    WHERE lines.provider = payouts.provider AND lines.profile_id = payouts.profile_id
    AND lines.payout_id = payouts.payout_id AND lines.type IN ('PayPal Payouts', 'Stripe Connect Payouts')
)
"""
_MARK = """
UPDATE {ledger} SET past_balance = true WHERE platform = 'gumroad' AND event_type <> 'fee_refund' AND (
    EXISTS (
        SELECT 1 FROM gumroad_sales AS sales
        WHERE sales.profile_id = {ledger}.profile_id AND sales.id = {ledger}.external_id AND sales.processor IS NOT NULL
    )
    OR EXISTS (
        SELECT 1 FROM payout_lines AS lines
        WHERE lines.provider = 'gumroad' AND lines.profile_id = {ledger}.profile_id AND lines.ledger_id = {ledger}.id
        AND lines.type IN (
            'PayPal Refund', 'Stripe Connect Refund', 'PayPal Connect Affiliate Fees', 'Stripe Connect Affiliate Fees'
        )
    )
)
"""


def upgrade() -> None:
    for ledger in _LEDGERS:
        op.add_column(
            ledger,
            sa.Column(
                "past_balance",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="True where a payment processor moved the money by itself: it is in no balance of the platform",
            ),
        )
        op.execute(_MARK.format(ledger=ledger))
    op.execute(_GROUPS.format(sign="+"))


def downgrade() -> None:
    op.execute(_GROUPS.format(sign="-"))
    for ledger in reversed(_LEDGERS):
        op.drop_column(ledger, "past_balance")
