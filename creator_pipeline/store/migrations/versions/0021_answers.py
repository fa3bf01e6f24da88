"""what the owner of a report says of it, until it is done"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_COMMENT = "What its owner said of it on the page; null again once that is done"


def upgrade() -> None:
    op.add_column("kdp_uploads", sa.Column("answer", sa.Text(), nullable=True, comment=_COMMENT))


def downgrade() -> None:
    op.drop_column("kdp_uploads", "answer")
