"""Ports of the servers that commands start."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError


@pytest.mark.parametrize("command", ["gateway", "sandbox"])
def test_a_busy_port_says_so_before_anything_begins(command: str) -> None:
    """Incident: a second gateway ended with a page of traceback, or with nothing at all."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        said = CliRunner().invoke(cli, [command, "--port", port])
    assert isinstance(said.exception, ConfigError)
    assert port in said.exception.message
    assert "--port" in said.exception.hint
