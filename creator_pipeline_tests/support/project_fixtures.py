"""A project with a sandbox behind it, for tests of the real commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from creator_pipeline.core.secrets import new_key
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.project import Project, copy_project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """With a sandbox behind it; no profile yet."""
    copy_project(tmp_path)
    with small.small_sandbox() as server:
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "GUMROAD", "DATABASE"))
        }
        env |= {
            "DAGSTER_HOME": str(tmp_path / "home"),
            "GUMROAD_API_URL": server.gumroad_url,
            "GUMROAD_REQUESTS_PER_MINUTE": "60000000",
            # A daemon that is stopped waits for its tick.
            "WEBHOOK_WAIT_SECONDS": "1",
            "APP_SECRET_KEYS": new_key(),
        }
        yield Project(tmp_path, server, env)
    open_warehouse.cache_clear()


@pytest.fixture
def with_alice(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Alice added by the command that adds profiles."""
    token = project.server.world.gumroad["alice"].token
    code, said = project.fork(
        "creator-pipeline", "profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token", token
    )
    assert code == 0, said
    assert "connected to gumroad" in said
    return project
