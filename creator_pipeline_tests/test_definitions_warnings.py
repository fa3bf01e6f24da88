"""What the pinned Dagster calls beta or preview is chosen on purpose: nobody who runs a command is warned of it."""

import os
import signal
import subprocess

import pytest

COMMANDS = {
    "a command of this package": (
        "creator-pipeline backfill gumroad --profile nobody --from 2026-01-01 --to 2026-01-02"
    ),
    "the list of definitions": "dg list defs",
    "the definitions' check": "dg check defs",
    "a code server": "dagster job list -w workspace.yaml",
}


def warnings_in(said: str) -> list[str]:
    """Lines that tell of an unfinished part of Dagster."""
    return [line for line in said.splitlines() if "BetaWarning" in line or "PreviewWarning" in line]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_begins_with_warnings_about_dagster(project, command):
    """Incident: each command began with a page of warnings, in which a real one was lost."""
    _, said = project.run(*command.split())
    assert said
    assert "Usage:" not in said
    assert warnings_in(said) == []


def test_the_log_of_dagster_dev_has_no_warnings_about_dagster(project):
    """Incident: the first page of the log was about what Dagster calls beta."""
    server = project.start("dagster", "dev", "-p", "0", start_new_session=True)
    said, ready = "", "Serving dagster-webserver"
    try:
        for line in server.stdout:
            said += line
            if ready in line:
                break
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            # A code server that is told to end while it begins may run on, until nobody has asked it for 45 seconds.
            rest, _ = server.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            rest, _ = server.communicate()
    assert ready in said
    assert warnings_in(said + rest) == []
