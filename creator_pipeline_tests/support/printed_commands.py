"""Commands that the product prints: found in its texts and in the docs, and parsed by the real command lines."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
from dagster._cli import create_dagster_cli

from creator_pipeline.cli import cli
from creator_pipeline_tests.support.commands import COMMANDS
from creator_pipeline_tests.support.paths import ROOT

PACKAGE = ROOT / "creator_pipeline"
_CALL = re.compile(
    r"(?<![\w/.`'-])`?((?:creator-pipeline(?!-)|dagster (?=asset|schedule|sensor|job|run|definitions)) ?(?![\[\]])(?:(?! creator-pipeline )[^`\n;#&])*)"
)
_END = re.compile(r"[,.:)](?=\s|$)|\s\(|\s-\s|\s>|\s\|\s")
"""A command in a sentence ends with a sign of the sentence."""
_IN_HINT = re.compile(r"\{[^}]*\}")
_VALUES = {
    "option": "--gumroad-token",
    "connect_option": "--gumroad-token",
    "month": "2026-01",
    "months[0]": "2026-01",
    "begin": "2026-01-01",
    "today()": "2026-01-31",
    "options[0]": "--gumroad-token",
    "source": "gumroad",
    "platform.name": "gumroad",
    "unit": "gumroad/products",
    "first": "2026-01-01",
    "last": "2026-01-31",
    "off[0].day": "2026-01-01",
    "off[-1].day": "2026-01-31",
    "shlex.quote(upload.location)": "FILE",
    "location": "FILE",
}
"""What stands in a text's gap, by the expression that fills it; else a profile's id."""
_WORDS = {
    "COMMAND": "doctor",
    "SOURCE": "gumroad",
    "DAY": "2026-01-01",
    "MONTH": "2026-01",
    "YYYY-MM": "2026-01",
    "YYYY-MM-DD": "2026-01-01",
}
"""What a reader writes for a word in capitals."""


_FILE = re.compile(r"FILE…?|[\w-]+\.(xlsx|csv|zip)")


class Printed(NamedTuple):
    """A command and where it stands."""

    command: str
    place: str


def of_package() -> Iterator[Printed]:
    """Every command in a text of the package; docstrings are no texts of the product's but those of commands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
            node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        }
        documentation = set(_docstrings(tree))
        for node in ast.walk(tree):
            if node in parts or node in documentation:
                continue
            text = _text(node)
            for command in commands(text) if text else ():
                yield Printed(command, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    for pattern in ("*.html", "*.txt", "*.yaml"):
        for path in sorted(PACKAGE.rglob(pattern)):
            for command in commands(path.read_text(encoding="utf-8")):
                yield Printed(command, str(path.relative_to(ROOT)))


def _docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.value


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _IN_HINT.sub(lambda gap: _value(gap.group()[1:-1]), node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _value(ast.unparse(part.value))
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    return None


def _value(expression: str) -> str:
    return _VALUES.get(expression, _VALUES.get(expression.rpartition(".")[2], "alice"))


def of_page(page: Path) -> Iterator[Printed]:
    """Every command of a page of the docs that stands as code."""
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL)
    rest = re.sub(r"```[a-z]*\n.*?```", "", text, flags=re.DOTALL)
    for code in [*re.findall(r"`([^`\n]+)`", rest), *(re.sub(r"\\\n", "", fence) for fence in fences)]:
        for command in commands(code.replace("\\|", "|")):
            yield Printed(command, page.name)


def commands(text: str) -> Iterator[str]:
    """Commands of a text, each without what the sentence around it says."""
    for found in _CALL.findall(text):
        yield _END.split(found.strip(), maxsplit=1)[0].strip()


def is_name(command: str) -> bool:
    """Whether a text only names a command, as a table of the docs does."""
    return tuple(command.split()[1:]) in COMMANDS or command in {"dagster asset materialize", "dagster run delete"}


def problem(command: str, file: Path) -> str | None:
    """What the command line says against a command; None where it takes it.

    Args:
        command: as printed.
        file: stands for a FILE.
    """
    try:
        words = [str(file) if _FILE.fullmatch(word) else _WORDS.get(word, word) for word in shlex.split(command)]
    except ValueError as error:
        return str(error)
    root = cli if words[0] == "creator-pipeline" else create_dagster_cli()
    try:
        _parse(root, words[1:], words[0])
    except click.ClickException as error:
        return error.format_message()
    except click.exceptions.Exit:
        return None
    return None


def _parse(command: click.Command, words: list[str], name: str, parent: click.Context | None = None) -> None:
    if not isinstance(command, click.Group):
        command.make_context(name, words, parent=parent)
        return
    context = click.Context(command, info_name=name, parent=parent)
    if words and words[0] not in {"--help", "--version"}:
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"No such command {words[0]!r}.")
        _parse(found, words[1:], words[0], context)
