"""The contract of the exported files."""

from __future__ import annotations

import hashlib

import pytest

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import now
from creator_pipeline.datasets.arrow import fields
from creator_pipeline.datasets.declared import DATASETS
from creator_pipeline.export import manifest
from creator_pipeline.export.target import Target
from creator_pipeline_tests.tools import export_tables

SCHEMAS = {1: "65a2b5c514b3d0b8"}
"""Version to the digest of its columns' names and types. A new column at the end changes the digest only."""


def test_columns_are_of_the_version_that_the_page_describes() -> None:
    """Guards: a renamed column that broke other people's queries under the same version."""
    names = [(dataset.name, one.name, one.type) for dataset in DATASETS for one in fields(dataset)]
    assert SCHEMAS[manifest.SCHEMA_VERSION] == hashlib.sha256(repr(names).encode()).hexdigest()[:16]
    assert max(SCHEMAS) == manifest.SCHEMA_VERSION


def test_the_page_describes_these_columns() -> None:
    """Guards: a contract that the files don't keep. Anew: python -m creator_pipeline_tests.tools.export_tables"""
    page = export_tables.PATH.read_text(encoding="utf-8")
    assert page.endswith(export_tables.text())
    assert f"`schema_version` is {manifest.SCHEMA_VERSION}." in page


def test_files_of_a_newer_release_are_left_alone() -> None:
    """Guards: an old server that came up again and wrote over what a newer one had written."""
    target = Target("memory://newer")
    newer = manifest.Manifest(3, now()).dump().replace(b'"schema_version": 1', b'"schema_version": 2')
    target.put(manifest.NAME, newer)
    with pytest.raises(ConfigError, match="schema version 2"):
        manifest.read(target)
