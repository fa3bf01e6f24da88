"""The shortcut of the tests' engines is one, and leads to the same rows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, literal, select
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler


def test_engines_of_two_files_compile_a_statement_once(tmp_path: Path, monkeypatch) -> None:
    """Guards: a suite that takes a tenth longer after an update of SQLAlchemy, and nobody knows why."""
    compiled, compile_ = list[str](), SQLiteCompiler.visit_select

    def note(self: SQLiteCompiler, *given, **named) -> str:
        compiled.append(compile_(self, *given, **named))
        return compiled[-1]

    monkeypatch.setattr(SQLiteCompiler, "visit_select", note)
    found = []
    for number in range(2):
        with create_engine(f"sqlite:///{tmp_path / str(number)}").connect() as connection:
            found.append(connection.execute(select(literal(number).label("only_in_this_test"))).scalar_one())
    assert found == [0, 1]
    assert len(compiled) == 1
