"""The real commands in processes of their own, in a folder that is a project's root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline_tests.support import forkserver
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.support.sandbox import SandboxServer

BIN = Path(sys.executable).parent


@dataclass
class Project:
    """A folder with workspace.yaml, dagster.yaml and a home; commands run in it."""

    root: Path
    server: SandboxServer
    env: dict[str, str] = field(default_factory=dict)

    @property
    def warehouse(self) -> Warehouse:
        """Its warehouse."""
        return open_warehouse(f"sqlite:///{self.root / 'home' / 'warehouse.sqlite'}")

    def start(self, command: str, *arguments: str, **options) -> subprocess.Popen[str]:
        """A command of this environment. Who leaves it running and doesn't read it gives a file as ``stdout``: nobody
        goes on writing into a pipe that is full.
        """
        return subprocess.Popen(
            [str(BIN / command), *arguments],
            cwd=options.pop("cwd", self.root),
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, command: str, *arguments: str) -> tuple[int, str]:
        """Exit code, and all that was said, of a command by a new interpreter, as a person starts it."""
        process = self.start(command, *arguments)
        try:
            said, _ = process.communicate(timeout=200)
        finally:
            process.kill()
        return process.returncode, said

    def fork(self, command: str, *arguments: str) -> tuple[int, str]:
        """As :meth:`run`, of a process whose code is loaded already: a tenth of the processor time."""
        return forkserver.run(command, *arguments, environment=self.env, folder=self.root)


def copy_project(root: Path) -> None:
    """The files that Dagster reads in a project's root, and a daemon that doesn't dawdle."""
    shutil.copy(ROOT / "workspace.yaml", root)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "home").mkdir()
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    (root / "home" / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (root / "creator_pipeline").symlink_to(ROOT / "creator_pipeline")
