"""a job can be canceled: the comment of its status says so"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BEFORE, _NOW = "queued, running, completed, failed or dead", "queued, running, completed, canceled, failed or dead"


def upgrade() -> None:
    _say(_NOW)


def downgrade() -> None:
    _say(_BEFORE)


def _say(comment: str) -> None:
    # SQLite has no comments.
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("ingestion_jobs", "status", comment=comment)
