"""`.env`: as it is copied from the example, as `make setup` makes it, and beside what the environment says."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import dotenv
import pytest

from creator_pipeline import settings
from creator_pipeline.core import env_file
from creator_pipeline_tests.support.paths import ROOT


def test_a_copy_of_the_example_says_nothing(tmp_path: Path) -> None:
    """Incident: the example was copied as told, and its empty lines took DAGSTER_HOME and DATABASE_URL from Dagster's
    commands, which worked on another instance and another warehouse than `creator-pipeline` from then on."""
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    assert dotenv.dotenv_values(tmp_path / ".env") == {}


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (None, {}),
        ("OPS_EMAIL=ops@example.com", {"OPS_EMAIL": "ops@example.com"}),
        ("DAGSTER_HOME=\nOPS_EMAIL=ops@example.com\n", {"OPS_EMAIL": "ops@example.com"}),
        ("DAGSTER_HOME=/srv/mine\n", {"DAGSTER_HOME": "/srv/mine"}),
    ],
)
def test_setup_leaves_one_home_in_it(tmp_path: Path, before: str | None, kept: dict[str, str]) -> None:
    """Incident: a .env that was made by hand first kept `make setup` from writing DAGSTER_HOME; runs were gone with
    each end of `dagster dev`."""
    for name in ("Makefile", ".env.example"):
        shutil.copy(ROOT / name, tmp_path)
    if before is not None:
        (tmp_path / ".env").write_text(before, encoding="utf-8")
    for _ in range(2):
        subprocess.run(["make", "--silent", "env"], cwd=tmp_path, check=True, timeout=20)
    assert dotenv.dotenv_values(tmp_path / ".env") == {"DAGSTER_HOME": str(tmp_path / ".data")} | kept
    if before is None:
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        assert (tmp_path / ".env").read_text(encoding="utf-8").startswith(example)


def test_an_empty_value_is_none_on_either_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: DAGSTER_POSTGRES_URL= in a unit's file, which hid the one of .env, and runs in two storages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        os, "environ", {"DAGSTER_POSTGRES_URL": "", "DATABASE_URL": "sqlite:////there", "OPS_EMAIL": "a@x"}
    )
    lines = ("DAGSTER_POSTGRES_URL=postgresql://a", "DATABASE_URL=", "OPS_EMAIL=b@x", "REDIS_URL=")
    Path(".env").write_text("\n".join(lines), encoding="utf-8")
    settings.load_env_file()
    assert os.environ == {
        "DAGSTER_POSTGRES_URL": "postgresql://a",
        "DATABASE_URL": "sqlite:////there",
        "OPS_EMAIL": "a@x",
    }


def test_a_change_of_it_or_of_what_it_names_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a key that was changed in .env, and a code server that went on with the one it had read before."""
    monkeypatch.chdir(tmp_path)
    said = list[str | None]()
    for domain, line in (("x", "a@x"), ("x", "b@x"), ("x", "c@${DOMAIN}"), ("y", "c@${DOMAIN}")):
        monkeypatch.setenv("DOMAIN", domain)
        Path(".env").write_text(f"FROM_EMAIL={line}\n", encoding="utf-8")
        said.append(dict(env_file.read())["FROM_EMAIL"])
    assert said == ["a@x", "b@x", "c@x", "c@y"]
    Path(".env").unlink()
    assert env_file.read() == frozenset()
