"""An installation that the doctor looks at, and something that answers at its addresses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from creator_pipeline.cli import cli
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.sandbox import SandboxServer

SECRETS = {
    "GUMROAD_WEBHOOK_SECRET": "ping-secret-of-the-tests",
    "WHOP_WEBHOOK_SECRET": "ws_secret_of_the_tests",
    "RESEND_API_KEY": "re_sandbox_key_of_the_tests",
    "RESEND_WEBHOOK_SECRET": "whsec_c2VjcmV0b2Z0aGV0ZXN0cw==",
    "SUPABASE_HOOK_SECRET": "v1,whsec_c2VjcmV0b2Z0aGV0ZXN0cw==",
}


class Healthz(BaseHTTPRequestHandler):
    """Any path answers as a gateway; the clock may be wrong."""

    ahead = timedelta()

    def do_GET(self) -> None:
        content = b'{"success": true, "data": [], "user": {}, "sales": [], "resource_subscriptions": []}'
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Installation:
    """An installation with everything connected, and what the doctor says of it."""

    warehouse: Warehouse
    server: SandboxServer
    monkeypatch: pytest.MonkeyPatch
    home: Path
    ring: KeyRing

    def doctor(self) -> tuple[int, dict[str, dict[str, str]]]:
        """Exit code and lines by name, of the command."""
        result = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
        assert result.exception is None, result.output
        return int(result.return_value or 0), {line["name"]: line for line in json.loads(result.stdout)}

    def sql(self, statement: str) -> None:
        with self.warehouse.write() as connection:
            connection.execute(text(statement))
