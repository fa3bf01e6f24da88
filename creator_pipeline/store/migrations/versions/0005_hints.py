"""what to do about a problem is called its hint"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLE = "What the sensor pipeline_health has found: each problem is told once, and once when it is {}."


def upgrade() -> None:
    op.alter_column("health_reports", "mend", new_column_name="hint")
    if op.get_bind().dialect.supports_comments:
        _comments("hint", "fixes", "solved")


def downgrade() -> None:
    if op.get_bind().dialect.supports_comments:
        _comments("mend", "mends", "mended")
    op.alter_column("health_reports", "hint", new_column_name="mend")


def _comments(noun: str, verb: str, past: str) -> None:
    op.create_table_comment("health_reports", _TABLE.format(past))
    for table, name, comment in (
        ("health_reports", "hint", f"The command or the step that {verb} it"),
        ("health_reports", "resolved_at", f"When it was found {past}; null while it is open"),
        ("kdp_uploads", "error", f"JSON: what was wrong, where, and the {noun}"),
    ):
        op.alter_column(table, name, comment=comment)
