"""The docs are true: what they name exists, and what exists is named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from creator_pipeline import __version__
from creator_pipeline.core import errors
from creator_pipeline.definitions import defs
from creator_pipeline.gateway.metrics import Metrics
from creator_pipeline.gateway.pipeline_metrics import PipelineCollector
from creator_pipeline.platforms import declared
from creator_pipeline.settings import Settings
from creator_pipeline.store import migrate
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import printed_commands
from creator_pipeline_tests.support.commands import COMMANDS, VARIABLES
from creator_pipeline_tests.support.paths import ROOT
from creator_pipeline_tests.tools import dictionary, tables_page

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")])
DECLARED = declared()
REPOSITORY = defs.get_repository_def()
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)


def listed(page: str, heading: str) -> set[str]:
    """The code words of the first column of the table below a heading."""
    content = (DOCS / page).read_text(encoding="utf-8")
    part = re.split(rf"^## {heading}\n", content, flags=re.MULTILINE)[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    assert cells, f"{page} has no table below {heading}"
    return {word for cell in cells for word in CODE.findall(cell)}


def codes(kind: type[errors.PipelineError]) -> set[str]:
    """Codes of an error's subclasses."""
    return {sub.code for sub in kind.__subclasses__() if sub.__module__ == errors.__name__}


def jobs() -> set[str]:
    return {job.name for job in REPOSITORY.get_all_jobs() if not job.name.startswith("__")}


def metric_names() -> set[str]:
    warehouse = open_warehouse("sqlite://")
    behind = PipelineCollector(warehouse, Settings(dagster_home=Path("nowhere")))
    made = Metrics(
        lambda: {"queued": 1}, lambda: {("x", "webhook"): 1.0}, lambda: 0, lambda: {"x": {"hits": 1}}, behind
    )
    made.request("GET", "/", 200, 0.1)
    made.delivery("whop", "stored")
    names = set(re.findall(r"^# TYPE (\S+)", made.text().decode(), flags=re.MULTILINE))
    return {name for name in names if not name.endswith("_created")}


@pytest.mark.parametrize(
    ("page", "heading", "real"),
    [
        ("settings.md", "Variables", VARIABLES),
        ("commands.md", "Commands", {" ".join(("creator-pipeline", *path)) for path in COMMANDS}),
        (
            "dagster.md",
            "Assets",
            {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()} - {one.asset for one in DECLARED},
        ),
        ("dagster.md", "Jobs", jobs()),
        ("dagster.md", "Schedules", {schedule.name for schedule in REPOSITORY.schedule_defs}),
        ("dagster.md", "Sensors", {sensor.name for sensor in REPOSITORY.sensor_defs}),
        ("dagster.md", "Asset checks", {key.name for key in REPOSITORY.asset_graph.asset_check_keys}),
        ("metrics.md", "Metrics", metric_names()),
        ("errors.md", "Codes", codes(errors.PipelineError)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_there_is_is_listed_and_what_is_listed_there_is(page: str, heading: str, real: set[str]) -> None:
    """Incident: a variable nobody knew of, and a job that had been renamed a year ago."""
    assert listed(page, heading) == real


def test_the_example_names_every_variable_with_its_default() -> None:
    """Incident: a variable that nobody could find, and one whose default in the example was last year's."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", text, flags=re.MULTILINE))
    assert given.keys() == VARIABLES
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        wanted = {default, default.lower(), default.removesuffix(".0")}
        assert given[name.upper()] in wanted, name


def test_the_data_dictionary_is_of_these_tables() -> None:
    """Incident: a report on a column that had changed its unit. Anew: python -m creator_pipeline_tests.tools.dictionary"""
    assert dictionary.PATH.read_text(encoding="utf-8") == dictionary.text()
    assert all(column.comment for table in metadata.sorted_tables for column in table.columns)


def test_the_page_of_declared_tables_is_of_these_declarations() -> None:
    """Incident: a table that nobody knew was there. Anew: python -m creator_pipeline_tests.tools.tables_page"""
    assert tables_page.PATH.read_text(encoding="utf-8") == tables_page.text()
    assert {one.asset for one in DECLARED} <= {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}


def snippets(page: Path) -> list[str]:
    """Every piece of code of a page, one line each."""
    text = page.read_text(encoding="utf-8")
    return [line.strip() for block in FENCE.findall(text) for line in block.splitlines()] + CODE.findall(
        FENCE.sub("", text)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_docs_make_is_in_the_makefile(page: Path) -> None:
    """Incident: `make check`, which never was."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in snippets(page):
        for target in re.findall(r"^make ([a-z]+)", line):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"{page.name}: {line}"


# Words in capitals that are no variables of ours.
FOREIGN = re.compile(
    r"^(DAGSTER_HOME|DAGSTER_EVENT_BATCH_SIZE|CELERY_BROKER_URL|CELERY_RESULT_BACKEND|FORWARDED_ALLOW_IPS|MALLOC_ARENA_MAX|DEMO_EXIT|ON_SERVER|DEPLOYMENT|POSTGRES_PASSWORD|TEST_(DATABASE|REDIS)_URL|STOREYS|HEAD|PASSWORD|TOKEN|REVISION|ANOTHER)$"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_and_tables_in_the_docs_exist(page: Path) -> None:
    """Incident: an afternoon with a variable of another product's docs."""
    for line in snippets(page):
        for word in re.findall(r"(?<![\w/{…$.-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w(…])", line):
            assert word in VARIABLES or FOREIGN.match(word), f"{page.name}: {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Incident: "see the runbook", and there was none."""
    for target in re.findall(r"\]\(([^)#\s]+)?(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        path, anchor = target
        if path.startswith(("http://", "https://")):
            continue
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {path}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings}


def test_the_tests_that_show_a_defence_are_there() -> None:
    """Incident: a threat model whose proofs had been renamed away."""
    named = re.findall(r"`([\w/]*test_\w+\.py)`", (DOCS / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 15
    assert [name for name in named if not (ROOT / "creator_pipeline_tests" / name).is_file()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    """Incident: the answer was written down, and nobody found it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {page.name for page in DOCS.glob("*.md")} == set(re.findall(r"\(docs/([\w-]+\.md)\)", readme))


def test_version_changelog_and_table_of_releases_agree() -> None:
    """Incident: three releases with one version, and nobody could say which revision to go back to."""
    assert project()["tool"]["hatch"]["version"]["path"] == "creator_pipeline/__init__.py"
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", heading) for heading in headings[1:]]
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").partition("\n## Upgrades\n")[2]
    table = re.findall(r"^\| (\d+\.\d+\.\d+) \| (\S+) \| (\d{4}) \| (\S+) \|$", page, flags=re.MULTILINE)
    assert [found.groups() for found in released if found] == [(row[0], row[1]) for row in table]
    assert all(released)
    version, _, revision, dagster = table[0]
    assert version == __version__
    assert f"dagster=={dagster}" in project()["project"]["dependencies"]
    unreleased = text.partition("## Unreleased\n")[2].partition("\n## ")[0].strip()
    # What is not released yet may have revisions of its own.
    assert revision <= migrate.HEAD if unreleased else revision == migrate.HEAD
    assert [row[2] for row in table] == sorted((row[2] for row in table), reverse=True)


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


GENERATED = {"data-dictionary.md", "tables.md"}


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == DOCS], ids=lambda page: page.name)
def test_a_page_with_commands_says_how_one_is_given_on_a_server(page: Path) -> None:
    """Incident: the runbook's commands as root on the server, with another home and another warehouse than the units'."""
    commands = [one for one in printed_commands.of_page(page) if not printed_commands.is_name(one.command)]
    if commands and page.name not in GENERATED | {"commands.md"}:
        assert "commands.md#on-a-server" in page.read_text(encoding="utf-8")
