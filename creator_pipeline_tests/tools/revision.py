"""A revision of the schema for tables that were declared: ``python -m creator_pipeline_tests.tools.revision NAME``.

It compares the tables of the code with a database of the newest revision, writes ``NNNN_NAME.py``, and raises ``HEAD``.
Look at it before you commit it: a column that was renamed reads as one that went and one that came.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from creator_pipeline import platforms
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import metadata
from creator_pipeline.store.types import PlainText, UtcDateTime

_HEAD = '''"""{about}"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''


def _plain(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Types of this package as the database knows them: a revision must not change with the code."""
    if kind == "type" and isinstance(item, PlainText):
        return "sa.Text()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def write(name: str) -> Path:
    """Write the revision; returns its file.

    Args:
        name: a few words.
    """
    platforms.declared()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = open_warehouse(f"sqlite:///{folder}/warehouse.sqlite")
        migrate.upgrade(warehouse.engine)
        with warehouse.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"render_item": _plain})
            found = produce_migrations(context, metadata)
            parts = found.upgrade_ops, found.downgrade_ops
            up, down = (render_python_code(part, render_item=_plain) for part in parts if part is not None)
        warehouse.engine.dispose()
    before, number = migrate.HEAD, f"{int(migrate.HEAD) + 1:04d}"
    clean = re.compile(r"^ *# ###.*\n?", re.MULTILINE)
    told = {"about": name, "number": number, "before": before}
    text = _HEAD.format(**told, up=clean.sub("", up).strip(), down=clean.sub("", down).strip())
    folder = Path(migrate.__file__).parent
    words = re.sub(r"\W+", "_", name)
    file = folder / "migrations" / "versions" / f"{number}_{words}.py"
    file.write_text(text, encoding="utf-8")
    code = folder / "migrate.py"
    code.write_text(code.read_text(encoding="utf-8").replace(f'HEAD = "{before}"', f'HEAD = "{number}"'), "utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(file)], check=True)
    return file


if __name__ == "__main__":
    sys.stdout.write(f"{write(' '.join(sys.argv[1:]))}\n")
