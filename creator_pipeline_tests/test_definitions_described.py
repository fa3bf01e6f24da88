"""Whatever the UI lists says what it is."""

from __future__ import annotations

from typing import Any

import dagster as dg

from creator_pipeline import __version__
from creator_pipeline.definitions import defs
from creator_pipeline.runtime.liveness import PROCESS_TAG

REPOSITORY = defs.get_repository_def()


def test_every_schedule_sensor_job_and_check_has_a_description() -> None:
    """Incident: nine sensors in a list, and of none was it said what it is for and whether it may be switched off."""
    own = [job for job in REPOSITORY.get_all_jobs() if not job.name.startswith("__")]
    listed = [*REPOSITORY.schedule_defs, *REPOSITORY.sensor_defs, *own]
    assert [one.name for one in listed if not one.description] == []
    checks = [spec for asset in defs.resolve_asset_graph().asset_check_keys for spec in [asset]]
    assert checks
    for check in checks:
        assert REPOSITORY.asset_graph.get(check).description, check


def fields(schema: Any, path: str = "") -> list[str]:
    """Paths of the fields of our own without a description."""
    lacking = list[str]()
    for name, field in getattr(schema, "fields", {}).items():
        if not field.description:
            lacking.append(f"{path}{name}")
        lacking += fields(field.config_type, f"{path}{name}.")
    return lacking


def test_every_field_of_a_job_s_configuration_has_a_description() -> None:
    """Incident: "profile_id", "leases" and "week" in the launchpad, and nothing beside them."""
    found = dict[str, list[str]]()
    for job in REPOSITORY.get_all_jobs():
        for node in job.all_node_defs:
            schema = getattr(node, "config_schema", None)
            if isinstance(node, dg.OpDefinition) and schema is not None and (lacking := fields(schema.config_type)):
                found[f"{job.name}.{node.name}"] = lacking
    assert found == {}


def test_the_version_stands_beside_the_code_location() -> None:
    """Incident: two machines, one of them a release behind, and nobody could see which."""
    assert defs.metadata["version"].value == __version__


def test_the_tag_of_a_process_is_hidden() -> None:
    """Incident: a line of numbers on every run's page."""
    assert PROCESS_TAG.startswith(".dagster/")
