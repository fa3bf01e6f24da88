"""The data dictionary, made from the tables. ``python -m creator_pipeline_tests.tools.dictionary`` writes it anew."""

from __future__ import annotations

from sqlalchemy import Table

from creator_pipeline import platforms
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import paths

PATH = paths.ROOT / "docs" / "data-dictionary.md"
_HEAD = """# Data dictionary

Made from `creator_pipeline/store/tables.py` and the [declared tables](tables.md); the same on SQLite and PostgreSQL. Columns that end in `_micros` are integer
millionths of the unit of the row's currency. Times are UTC. The view `revenue` shows `sales_events` in decimal units.
"""


def _table(table: Table) -> str:
    lines = [f"## {table.name}", ""]
    if table.comment:
        lines += [table.comment, ""]
    lines += ["| column | type | key | may be null | meaning |", "|---|---|---|---|---|"]
    for column in table.columns:
        kind = str(column.type).lower().replace("datetime", "timestamp")
        key, null = "yes" if column.primary_key else "", "yes" if column.nullable else ""
        meaning = (column.comment or "").replace("|", "\\|")
        lines.append(f"| `{column.name}` | {kind} | {key} | {null} | {meaning} |")
    return "\n".join(lines)


def text() -> str:
    """The whole document."""
    platforms.declared()
    return "\n\n".join([_HEAD.rstrip(), *(_table(table) for table in metadata.sorted_tables)]) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
