"""The tables of docs/export.md, made from the datasets. ``python -m creator_pipeline_tests.tools.export_tables`` writes
them anew; a column that is renamed, retyped or gone raises ``SCHEMA_VERSION``."""

from __future__ import annotations

from creator_pipeline.datasets.arrow import fields
from creator_pipeline.datasets.declared import DATASETS, Dataset
from creator_pipeline_tests.support import paths

PATH = paths.ROOT / "docs" / "export.md"
HEADING = "## Tables\n"


def _table(dataset: Dataset) -> str:
    lines = [f"### {dataset.name}", f"{dataset.about} Key: {', '.join(dataset.key)}.", ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.type} | {one.about} |" for one in fields(dataset)]
    return "\n".join(lines)


def text() -> str:
    """The page's last part."""
    return HEADING + "\n".join(["", *(f"{_table(dataset)}\n" for dataset in DATASETS)])


if __name__ == "__main__":
    head = PATH.read_text(encoding="utf-8").split(HEADING)[0]
    PATH.write_text(head + text(), encoding="utf-8")
