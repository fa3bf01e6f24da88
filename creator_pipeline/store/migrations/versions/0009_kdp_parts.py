"""which books an upload covers, uploads that are only a part, and withdrawn ones"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COMMENTS = (
    (
        "kdp_uploads",
        "status",
        "accepted, rejected, quarantined or superseded",
        "accepted, rejected, quarantined, superseded or withdrawn",
    ),
    (
        "kdp_uploads",
        "slices",
        "JSON of what it covers: slice to rows, units, pages; empty ones too",
        "JSON of what it covers: slice to rows, units, pages and books; empty ones too",
    ),
    (
        "kdp_files",
        "state",
        "looked, settled, requested, copy (of an upload that is in) or refused",
        "looked, settled, requested, copy (of an upload that is in), withdrawn or refused",
    ),
)


def upgrade() -> None:
    op.add_column(
        "kdp_uploads",
        sa.Column(
            "partial",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="A person said that it holds only a part, so that what it lacks stays",
        ),
    )
    op.add_column(
        "kdp_uploads",
        sa.Column("authors", sa.Text(), nullable=True, comment="JSON list of the authors that it names"),
    )
    if op.get_bind().dialect.supports_comments:
        for table, column, _, comment in _COMMENTS:
            op.alter_column(table, column, comment=comment)


def downgrade() -> None:
    if op.get_bind().dialect.supports_comments:
        for table, column, comment, _ in _COMMENTS:
            op.alter_column(table, column, comment=comment)
    op.execute("UPDATE kdp_uploads SET status = 'rejected' WHERE status = 'withdrawn'")
    op.execute("UPDATE kdp_files SET state = 'requested' WHERE state = 'withdrawn'")
    with op.batch_alter_table("kdp_uploads", schema=None) as batch_op:
        batch_op.drop_column("authors")
        batch_op.drop_column("partial")
