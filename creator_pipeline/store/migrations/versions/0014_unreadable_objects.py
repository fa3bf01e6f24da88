"""what was told of objects that can't be read"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NEW = {
    "raw": "A single object as it was told, without what is personal; empty where it is the whole part",
    "asked": "JSON: what its list was asked for; only of objects that have no id to be found by",
}


def upgrade() -> None:
    for name, comment in _NEW.items():
        op.add_column("unreadable", sa.Column(name, sa.Text(), nullable=False, server_default="", comment=comment))


def downgrade() -> None:
    # An object without an id would look like one that can be asked for by it.
    op.execute("DELETE FROM unreadable WHERE asked <> ''")
    for name in _NEW:
        op.drop_column("unreadable", name)
