"""Values reach the database bound, never as a part of a statement's text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from creator_pipeline_tests.support import paths

PACKAGE = paths.ROOT / "creator_pipeline"
OF_TEXT = {"exec_driver_sql", "executemany", "executescript", "copy_expert"}
"""Methods that take a statement as text only."""
MAKERS = {"text", "literal_column", "DDL"}
"""Functions of SQLAlchemy that make an expression of text."""
ALLOWED = {
    ("store/pg_copy.py", "copy_expert"): "COPY has no parameters: names of tables.py; the rows are its input",
    ("store/migrations/versions/0011_accounts.py", "execute"): "a literal of the two dialects' word for false",
    ("store/migrations/versions/0013_past_balance.py", "execute"): "a list of our own tables and signs",
    ("store/migrations/versions/0019_sync_status.py", "execute"): "views in the two dialects' words; names of its own",
    ("store/migrations/versions/0022_kdp_views.py", "execute"): "views in the two dialects' words; names of its own",
    (
        "runtime/run_events.py",
        "text",
    ): "VACUUM and REINDEX have no parameters: names of Dagster's tables and their indexes",
    ("store/move.py", "text"): "LOCK TABLE has no parameters: names of tables.py",
    ("store/load.py", "exec_driver_sql"): "a stage's CREATE and DROP: names of tables.py",
}


def put_together(tree: ast.Module) -> Iterator[str]:
    """Names of the calls whose statement is neither a literal, a literal's name, nor an expression of SQLAlchemy's."""
    literals = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    makers = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
        if alias.name in MAKERS
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        literal = isinstance(first, ast.Constant) or (isinstance(first, ast.Name) and first.id in literals)
        made = isinstance(first, ast.JoinedStr | ast.BinOp) or (
            isinstance(first, ast.Call) and getattr(first.func, "attr", "") in {"format", "join"}
        )
        is_method = isinstance(node.func, ast.Attribute)
        only_text = (is_method and name in OF_TEXT) or (not is_method and name in makers)
        if (only_text and not _chosen(first, literal=literal)) or (is_method and name == "execute" and made):
            yield name


def _chosen(first: ast.expr, *, literal: bool) -> bool:
    both = isinstance(first, ast.IfExp) and {type(first.body), type(first.orelse)} == {ast.Constant}
    return literal or both


def test_no_statement_is_put_together_from_values():
    """Guards: a product named "'); DROP TABLE sales_events" that does as it says."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in put_together(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED.keys()


HEAD = "from sqlalchemy import text\n"


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        (HEAD + "c.execute(text(f'SELECT {x}'))", True),
        (HEAD + "c.execute(text(statement))", True),
        ("c.execute('SELECT %s' % x)", True),
        ("c.execute('SELECT {}'.format(x))", True),
        ("c.exec_driver_sql('SELECT ' + x)", True),
        ("c.exec_driver_sql(statement)", True),
        (HEAD + "c.execute(text('SELECT :x'), {'x': x})", False),
        ("S = 'SELECT 1'\nc.exec_driver_sql(S)", False),
        ("c.execute(select(t.c.x).where(t.c.x == x))", False),
    ],
)
def test_this_test_sees_what_it_looks_for(source: str, bad: bool):
    """Guards: a rule that passes because it looks past what it forbids."""
    assert bool(list(put_together(ast.parse(source)))) is bad
