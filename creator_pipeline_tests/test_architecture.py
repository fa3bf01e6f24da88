"""The plan of the house, checked: what may import what, who reads the environment, how long a file may be."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from creator_pipeline_tests.support.paths import ROOT

PACKAGE = ROOT / "creator_pipeline"
LEVELS = [
    ("core",),
    ("settings",),
    ("store",),
    ("queue", "ledger"),
    ("mail",),
    ("runtime",),
    ("sandbox",),
    ("platforms",),
    ("fx",),
    ("datasets",),
    ("frames", "export"),
    ("orchestration", "monitoring", "gateway"),
    ("commands", "definitions", "dagster_support"),
    ("cli", "dagster"),
    ("__main__",),
]
"""Rooms of the package, lowest first. A room imports from those below it and from itself; rooms of one level, and the
platforms, don't import each other."""
PLATFORM_NAMES = ("gumroad", "whop", "kdp", "amazon")
NAME_PLATFORMS = re.compile(
    r"^(platforms/(gumroad|whop|kdp)/|settings\.py$|store/tables\.py$|store/migrations/|platforms/__init__\.py$)"
)
"""Files that may name a platform."""
KNOW_DAGSTER = {
    "runtime",
    "platforms",
    "orchestration",
    "monitoring",
    "definitions",
    "commands",
    "cli",
    "dagster_support",
    "dagster",
}
READ_ENVIRONMENT = {
    "settings.py",
    "commands/demo.py",
    # Variables of Dagster's own, OpenSSL's, and libpq's.
    "orchestration/dbt_models.py",
    "runtime/event_batches.py",
    "runtime/storage.py",
    "core/transport.py",
    # What the installation's folder and a project's YAML say, for libraries and processes that read it there.
    "runtime/given.py",
    "runtime/home.py",
    # The environment as a whole, handed on to a process that began earlier.
    "runtime/forked_process.py",
    "runtime/forked_runs.py",
    "runtime/preload.py",
}


@cache
def files() -> tuple[Path, ...]:
    """Modules of the package."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


def name_of(path: Path) -> str:
    """Path below the package."""
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """First part of the path."""
    return name_of(path).split("/")[0].removesuffix(".py")


@cache
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


def level(room: str) -> int:
    """Its number; 0 is the lowest."""
    return next((number for number, rooms in enumerate(LEVELS) if room in rooms), 99)


def place_of(path: Path) -> str:
    """The room of a file; of a platform's, the platform."""
    parts = name_of(path).split("/")
    return "/".join(parts[:2]) if parts[0] == "platforms" and len(parts) > 2 else room_of(path)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_imports_point_down(path):
    """Guards: a table that knows a platform, and a client that can't be used without Dagster."""
    room = room_of(path)
    if room == "__init__":
        return
    assert level(room) < 99, f"{room} is not in the plan: add it to LEVELS"
    assert not {used for used in rooms_used(path) if used != room and level(used) >= level(room)}


def test_platforms_do_not_know_each_other():
    """Guards: a change at one platform that breaks another."""
    wrong = set()
    for path in files():
        place = place_of(path)
        if place.startswith("platforms/"):
            others = {name for name in imports(path) if name.startswith("creator_pipeline.platforms.")}
            wrong |= {
                (name_of(path), other)
                for other in others
                if (part := other.split(".")[2]) not in {place.split("/")[1], "contract"}
                and (PACKAGE / "platforms" / part).is_dir()
            }
    assert not wrong


def names_in(path: Path) -> set[str]:
    """Identifiers and texts of a file, but for its docstrings, that name a platform."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = {
        id(node.value)
        for parent in ast.walk(tree)
        if isinstance(getattr(parent, "body", None), list)
        for node in parent.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    said: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            said.add(node.value)
        said |= {
            str(getattr(node, field)) for field in ("id", "attr", "arg", "name", "module") if getattr(node, field, None)
        }
    return {text for text in said if any(name in text.lower() for name in PLATFORM_NAMES)}


@pytest.mark.parametrize("path", [path for path in files() if not NAME_PLATFORMS.match(name_of(path))], ids=name_of)
def test_only_its_own_folder_names_a_platform(path):
    """Guards: a platform that is forgotten in one of the places where platforms are listed."""
    assert not names_in(path)


def test_only_the_upper_rooms_know_dagster():
    """Guards: a parser that can't be tried without an orchestrator."""
    knowing = {room_of(p) for p in files() if any(n == "dagster" or n.startswith("dagster.") for n in imports(p))}
    assert knowing
    assert knowing <= KNOW_DAGSTER


def test_private_parts_of_dagster_are_in_one_folder():
    """Guards: an upgrade of Dagster that breaks nineteen places, each in its own way."""
    private = re.compile(r"^dagster\w*(\.\w+)*\._")
    using = {name_of(path) for path in files() if any(private.match(name) for name in imports(path))}
    assert {name.rpartition("/")[0] for name in using} == {"runtime/dagster_internals"}


def test_the_sandbox_is_for_demos_and_tests_only():
    """Guards: invented sales in production."""
    own = re.compile(r"^(sandbox/|platforms/\w+/sandbox/)")
    using = {
        name_of(path)
        for path in files()
        if not own.match(name_of(path)) and any(re.search(r"\.sandbox(\.|$)", name) for name in imports(path))
    }
    assert using <= {
        "commands/demo.py",
        "commands/demo_books.py",
        "commands/demo_story.py",
        "commands/sandbox.py",
    }
    for name in using:
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        top = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        assert not [module for module in top if module and "sandbox" in module], name


def test_only_settings_read_the_environment():
    """Guards: a variable that no list of variables knows."""
    reading = set()
    for path in files():
        source = path.read_text(encoding="utf-8")
        if "environ" not in source and "getenv" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"):
                reading.add(name_of(path))
    assert reading <= READ_ENVIRONMENT


LONG = [path for path in files() if "migrations/versions" not in path.as_posix()]


def test_files_are_short():
    """Guards: rooms in which nobody finds anything. Tables and formats are data, and may be longer."""
    data = {"store/tables.py", "platforms/kdp/formats.py"}
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


TESTS = ROOT / "creator_pipeline_tests"


def test_what_tests_share_is_in_support():
    """Guards: a fixture that can't be changed because another module's tests took it by import."""
    wrong = [
        f"{path.relative_to(TESTS)}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in sorted(imports(path))
        if name.startswith("creator_pipeline_tests.") and re.search(r"\.(test_\w+|conftest)(\.|$)", name)
    ]
    assert wrong == []


def test_a_test_module_stands_where_what_it_tests_stands():
    """Guards: a module whose tests nobody finds. ``test_NAME.py`` or ``test_NAME_ASPECT.py`` tests ``NAME.py``."""
    of_several = {"platforms/test_new_platform.py"}
    lost = []
    for path in sorted(TESTS.rglob("test_*.py")):
        folder = path.relative_to(TESTS).parent
        if folder == Path() or not (PACKAGE / folder).is_dir():
            continue
        name = path.stem.removeprefix("test_")
        modules = {found.stem for found in (PACKAGE / folder).iterdir()}
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            lost.append((folder / path.name).as_posix())
    assert set(lost) <= of_several


def public_functions(body):
    """Public functions of a module and methods of its public classes, but commands and routes: people read those."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
            a_route = node.returns is not None and ast.unparse(node.returns) == "Response"
            if not a_route and not re.search(r"command|router|click", decorators):
                yield node


@pytest.mark.parametrize("path", [path for path in LONG if path.name != "env.py"], ids=name_of)
def test_public_functions_say_what_they_take_and_raise(path):
    """Guards: a reader who must read five functions to learn the unit of an argument."""
    for node in public_functions(ast.parse(path.read_text(encoding="utf-8")).body):
        said = ast.get_docstring(node) or ""
        taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if len([each for each in taken if each.arg not in ("self", "cls")]) >= 4:
            assert "Args:" in said, node.name
        if any(isinstance(each, ast.Raise) and each.exc is not None for each in ast.walk(node)):
            assert "Raises:" in said, node.name
