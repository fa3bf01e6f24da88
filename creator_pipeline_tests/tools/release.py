"""Build the release, look into it, and try it where nothing else is. Needs the network for its dependencies.

``python -m creator_pipeline_tests.tools.release [--demo] [PYTHON …]`` writes ``dist/``; each PYTHON (default: this one) gets an
empty environment, an empty home and an empty folder. ``--demo`` plays the whole demo there, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.metadata import Metadata

from creator_pipeline import __version__
from creator_pipeline_tests.support.paths import ROOT

BIN = Path(sys.executable).parent
NAME = f"creator_pipeline-{__version__}"
MUST = (
    "dagster.yaml",
    "dbt_project/dbt_project.yml",
    "py.typed",
    "gateway/pages/me.html",
    "gateway/pages/style.css",
    "mail/templates/base.html.j2",
    "store/migrations/env.py",
    "store/migrations/versions/0001_first_tables.py",
)
_TRIALS = (
    ["creator-pipeline", "--version"],
    ["creator-pipeline", "--help"],
    ["dagster", "definitions", "validate", "-m", "creator_pipeline.definitions"],
    ["creator-pipeline", "migrate"],
    ["creator-pipeline", "profiles", "add", "alice", "--email", "alice@example.com"],
    ["creator-pipeline", "profiles", "page", "alice"],
)


def build(dist: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    for old in dist.glob("creator_pipeline-*"):
        old.unlink()
    hatchling = [sys.executable, "-m", "hatchling", "build", "-d", str(dist), "-t"]
    subprocess.run([*hatchling, "sdist"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    sdist = dist / f"{NAME}.tar.gz"
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        subprocess.run([*hatchling, "wheel"], cwd=Path(folder) / NAME, check=True, stdout=subprocess.DEVNULL)
    return sdist, dist / f"{NAME}-py3-none-any.whl"


def contents(sdist: Path, wheel: Path) -> list[str]:
    """What is wrong with what is in them."""
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        built = set(archive.namelist())
        text = archive.read(f"{NAME}.dist-info/METADATA")
    inside = {name for name in built if name.startswith("creator_pipeline/")}
    allowed = inside | {name for name in built if name.startswith(f"{NAME}.dist-info/")}
    wrong = [f"wheel has {name}" for name in sorted(built - allowed)]
    top = {
        "creator_pipeline",
        "dbt",
        "dagster.yaml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
        "",
    }
    wrong += [f"sdist has {name}" for name in sorted(source) if name.partition("/")[0] not in top]
    never = (".env", ".data", "__pycache__", "_tests", ".sqlite", "app_secret_keys")
    wrong += [f"{name} is in" for name in sorted(built | source) for part in never if part in name]
    listed = subprocess.run(
        ["git", "ls-files", "creator_pipeline"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    wanted = {*listed.stdout.split(), *(f"creator_pipeline/{name}" for name in MUST)}
    wrong += [f"wheel lacks {name}" for name in sorted(wanted - built)]
    wrong += [] if f"{NAME}.dist-info/licenses/LICENSE" in built else ["wheel lacks LICENSE"]
    return wrong + metadata(text)


def metadata(text: bytes) -> list[str]:
    """What an index would refuse, or show badly."""
    said = Metadata.from_email(text, validate=True)
    wrong = [] if str(said.version) == __version__ else [f"version {said.version} is not {__version__}"]
    wrong += [] if said.license_expression == "MIT" else ["no licence"]
    wrong += [] if said.description_content_type == "text/markdown" and said.description else ["no description"]
    return wrong + ([] if "Typing :: Typed" in (said.classifiers or []) else ["not typed"])


def run(arguments: Sequence[str], folder: Path, environment: Path) -> bool:
    """One command of an environment, with nothing of this one."""
    variables = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(arguments, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
    say(f"  {'ok  ' if not done.returncode else 'FAIL'} {' '.join(arguments)}: {''.join(last)[:110]}")
    if done.returncode:
        say(done.stdout[-2000:] + done.stderr[-2000:])
    return not done.returncode


def attempt(python: str, wheel: Path, *, demo: bool) -> bool:
    """Whether all of it works in an empty environment of an interpreter."""
    uv = str(BIN / "uv")
    with tempfile.TemporaryDirectory() as folder:
        environment, empty = Path(folder) / "environment", Path(folder) / "empty"
        empty.mkdir()
        subprocess.run([uv, "venv", "-q", "--python", python, str(environment)], check=True)
        into = [uv, "pip", "install", "-q", "--python", str(environment / "bin" / "python")]
        subprocess.run([*into, "--require-hashes", "-r", str(ROOT / "requirements" / "main.txt")], check=True)
        subprocess.run([*into, "--no-deps", str(wheel)], check=True)
        say(
            subprocess.run(
                [environment / "bin" / "python", "-V"], capture_output=True, text=True, check=True
            ).stdout.strip()
        )
        trials = [*_TRIALS, *([["creator-pipeline", "demo", "--exit"]] if demo else [])]
        done = [run(trial, empty, environment) for trial in trials]
        return all(done)


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code: 0 when everything is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m creator_pipeline_tests.tools.release", description=__doc__)
    parser.add_argument("pythons", nargs="*", default=[sys.executable], metavar="PYTHON")
    parser.add_argument("--demo", action="store_true", help="play the demo in each environment")
    asked = parser.parse_args()
    os.environ.pop("DAGSTER_HOME", None)
    sdist, wheel = build(ROOT / "dist")
    wrong = contents(sdist, wheel)
    for file in (sdist, wheel):
        say(f"{file.name}: {file.stat().st_size / 1024:.0f} kB")
    say("\n".join(wrong) or "Contents and metadata are as they should be.")
    good = [attempt(python, wheel, demo=asked.demo) for python in asked.pythons]
    return 0 if all(good) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
