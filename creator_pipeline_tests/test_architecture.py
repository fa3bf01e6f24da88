"""The plan of the house, checked: what may import what, who reads the environment, how long a file may be."""

import ast
import re
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "creator_pipeline"
SOURCES = ("gumroad", "whop", "kdp")
# Rooms by storey, lowest first. A file that isn't named belongs to the storey of its folder.
STOREYS = [
    ("core", "store"),
    ("settings", "queue", "ledger", "gumroad", "whop", "kdp", "mail", "sandbox"),
    ("dagster_support", "automation", "gateway"),
    ("definitions", "cli", "commands", "__main__"),
]
KNOW_DAGSTER = {"dagster_support", "automation", "gateway", "definitions", "commands"}
WORKING_ROOMS = re.compile(r"^(gumroad|whop|kdp|ledger|mail)/(assets|checks|jobs|sensors?|hooks|outbox)\w*\.py$")
READ_ENVIRONMENT = {
    "settings.py",
    "commands/demo.py",
    # Variables of Dagster's own, and OpenSSL's.
    "dagster_support/event_batches.py",
    "dagster_support/instance_storage.py",
    "core/transport.py",
}


@lru_cache
def files() -> tuple[Path, ...]:
    """Modules of the package."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


def name_of(path: Path) -> str:
    """Path below the package."""
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """First part of the path."""
    return name_of(path).split("/")[0].removesuffix(".py")


@lru_cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, anywhere in it, in full."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return frozenset(found)


def rooms_used(path: Path) -> set[str]:
    """Rooms of the house that a file imports from."""
    own = [name.split(".") for name in imports(path) if name.startswith("creator_pipeline.")]
    return {parts[1] for parts in own if not parts[1].startswith("__")}


def storey(room: str) -> int:
    """Its number; 0 is the cellar."""
    return next((number for number, rooms in enumerate(STOREYS) if room in rooms), 99)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_imports_point_down(path):
    """Guards: a table that knows a platform, and a client that can't be used without Dagster."""
    room = room_of(path)
    if room == "__init__":
        return
    assert storey(room) < 99, f"{room} is not in the plan: add it to STOREYS"
    allowed = 3 if room == "commands" or room in ("cli", "definitions", "__main__") else storey(room)
    if WORKING_ROOMS.match(name_of(path)):
        allowed = max(allowed, storey("dagster_support"))
    above = {used for used in rooms_used(path) if storey(used) > allowed}
    # A run in this process needs the definitions; the import stands in the function that starts it.
    if name_of(path) == "automation/backfill.py":
        above -= {"definitions"}
    assert not above


@pytest.mark.parametrize("source", SOURCES)
def test_sources_do_not_know_each_other(source):
    """Guards: a change at one platform that breaks another."""
    others = set(SOURCES) - {source}
    assert not {name_of(path) for path in files() if room_of(path) == source and rooms_used(path) & others}


def test_only_the_upper_storeys_know_dagster():
    """Guards: a parser that can't be tried without an orchestrator."""
    knowing = {name_of(p) for p in files() if any(n == "dagster" or n.startswith("dagster.") for n in imports(p))}
    assert knowing
    assert not {
        n for n in knowing if n.split("/")[0].removesuffix(".py") not in KNOW_DAGSTER and not WORKING_ROOMS.match(n)
    }


def test_the_sandbox_is_for_demos_and_tests_only():
    """Guards: invented sales in production."""
    using = {name_of(path) for path in files() if "sandbox" in rooms_used(path) and room_of(path) != "sandbox"}
    assert using <= {"commands/demo.py", "commands/demo_story.py", "commands/sandbox.py"}
    for name in using:
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        top = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        assert not [module for module in top if module and "sandbox" in module], name


def test_only_settings_read_the_environment():
    """Guards: a variable that no list of variables knows."""
    reading = set()
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"):
                reading.add(name_of(path))
    assert reading <= READ_ENVIRONMENT


LONG = sorted(
    path for path in ROOT.rglob("*.py") if path.is_relative_to(PACKAGE) and "migrations/versions" not in path.as_posix()
)


def test_files_are_short():
    """Guards: rooms in which nobody finds anything. Tables and formats are data, and may be longer."""
    data = {"store/tables.py", "kdp/report.py"}
    long = {name_of(path): n for path in LONG if (n := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert not {name: n for name, n in long.items() if name not in data}


def tracked() -> list[Path]:
    """Text files of the repository, those that are about to be added too."""
    if not (ROOT / ".git").exists():
        return [p for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts and ".data" not in p.parts]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


# Written in two parts: this file is looked at too.
FOREIGN = re.compile(
    "|".join(
        [
            "pypi" + r"\.org",
            "python" + "hosted" + r"\.org",
            r"(?<![\w.])/(?:root|home|Users)/" + r"\w",
            "registry" + r"\.npm" + "js",
        ]
    )
)


def test_no_file_names_a_package_registry_or_a_folder_of_one_machine():
    """Guards: a checkout that only works where it was written."""
    hits = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        hits += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FOREIGN.finditer(text)]
    assert hits == []
