"""files of the inbox, and what an upload covers"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kdp_files",
        sa.Column("location", sa.Text(), nullable=False, comment="Path or URL of a file"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes at the last look"),
        sa.Column(
            "modified_ns",
            sa.BigInteger(),
            nullable=False,
            comment="Time of change at the last look, ns since 1970",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="looked, settled, requested, copy (of an upload that is in) or refused",
        ),
        sa.Column(
            "upload_id",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the content; null while it may still be written to",
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why it is refused"),
        sa.PrimaryKeyConstraint("location", name=op.f("pk_kdp_files")),
        comment="Files that were seen, so that each content is taken once.",
    )
    op.create_index(op.f("ix_kdp_files_upload_id"), "kdp_files", ["upload_id"], unique=False)
    op.create_index(op.f("ix_kdp_files_state"), "kdp_files", ["state"], unique=False)
    op.add_column(
        "kdp_uploads",
        sa.Column(
            "slices",
            sa.Text(),
            nullable=True,
            comment="JSON of what it covers: slice to rows, units, pages; empty ones too",
        ),
    )
    op.add_column(
        "kdp_uploads",
        sa.Column(
            "accepted_smaller",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="A person said that it may hold less than what it replaces",
        ),
    )


def downgrade() -> None:
    with op.batch_alter_table("kdp_uploads", schema=None) as batch_op:
        batch_op.drop_column("accepted_smaller")
        batch_op.drop_column("slices")
    op.drop_index(op.f("ix_kdp_files_state"), table_name="kdp_files")
    op.drop_index(op.f("ix_kdp_files_upload_id"), table_name="kdp_files")
    op.drop_table("kdp_files")
