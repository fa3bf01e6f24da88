"""lines of payouts are found by their sale first: PostgreSQL took the old index for a line's own key, and read them all"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_OLD = "ix_payout_lines_provider_profile_id_sale_id"
_NEW = "ix_payout_lines_sale_id_profile_id_provider"


def upgrade() -> None:
    op.drop_index(op.f(_OLD), table_name="payout_lines")
    op.create_index(op.f(_NEW), "payout_lines", ["sale_id", "profile_id", "provider"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f(_NEW), table_name="payout_lines")
    op.create_index(op.f(_OLD), "payout_lines", ["provider", "profile_id", "sale_id"], unique=False)
