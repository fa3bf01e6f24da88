"""Every command that the product or its docs print is taken by the command line as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from creator_pipeline_tests.support import printed_commands
from creator_pipeline_tests.support.paths import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FILE = ROOT / "README.md"
IS_A_PATTERN = "creator-pipeline [a-z]"
"""What takes commands out of mails to sellers."""


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where commands are given."""
    monkeypatch.chdir(ROOT)


def test_commands_in_hints_errors_and_mails_can_be_given_as_printed() -> None:
    """Incident: each of the commands beside an error was refused itself: an option had gone, another was missing."""
    found = [one for one in printed_commands.of_package() if not one.command.startswith(IS_A_PATTERN)]
    assert len(found) > 50
    # A word in capitals is what the reader fills in.
    wrong = [(*one, why) for one in found if (why := printed_commands.problem(one.command, FILE)) or "…" in one.command]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_can_be_given_as_printed(page: Path) -> None:
    """Incident: the runbook's own line, at three in the morning: "Missing option '--from'"."""
    wrong = [
        (one.command, why)
        for one in printed_commands.of_page(page)
        if not printed_commands.is_name(one.command) and (why := printed_commands.problem(one.command, FILE))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Add it: creator-pipeline profiles add alice --email ADDRESS.", "creator-pipeline profiles add alice --email ADDRESS"),
        ("creator-pipeline webhooks replay --all. They are kept.", "creator-pipeline webhooks replay --all"),
        ("In the UI, or: dagster schedule start --start-all", "dagster schedule start --start-all"),
    ],
)  # fmt: skip
def test_a_command_in_a_sentence_is_found(text: str, command: str) -> None:
    """Incident: a test of commands that found none was green for a year."""
    assert list(printed_commands.commands(text)) == [command]


@pytest.mark.parametrize(
    "command",
    ["creator-pipeline backfill gumroad", "creator-pipeline profiles ad x", "dagster asset materialise", "creator-pipeline keys new prints one"],
)  # fmt: skip
def test_a_command_that_cannot_be_given_is_told(command: str) -> None:
    """Incident: a test of commands that knew no wrong one."""
    assert printed_commands.problem(command, FILE)
