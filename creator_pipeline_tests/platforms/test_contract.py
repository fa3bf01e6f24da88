"""Every platform fits the contract, and its face is cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.checks import Checks
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.dagster_parts import DagsterParts
from creator_pipeline.platforms.oauth import OAuth
from creator_pipeline.platforms.uploads import Uploads
from creator_pipeline.platforms.webhooks import Webhooks
from creator_pipeline.sandbox.stand_in import StandIn
from creator_pipeline.store.personal import Personal

PARTS = {
    "dagster": DagsterParts,
    "personal": Personal,
    "oauth": OAuth,
    "webhooks": Webhooks,
    "uploads": Uploads,
    "checks": Checks,
    "stand_in": StandIn,
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_what_a_face_names_is_there_and_of_its_kind(platform: Platform, part: str) -> None:
    """Guards: a part that is misspelt in a face, and found out by the first webhook."""
    named = getattr(platform, part)
    assert named is None or isinstance(named.get(), PARTS[part])


def test_names_labels_and_flags_are_each_platform_s_own() -> None:
    """Guards: two platforms whose rows go by one name."""
    for attribute in ("name", "label", "colour", "in_ledger", "partitions"):
        values = [getattr(platform, attribute) for platform in PLATFORMS]
        assert len(set(values)) == len(values), attribute


def test_the_process_that_reads_a_report_loads_no_database_and_no_dagster() -> None:
    """Incident: each report cost six times the processor time, because the list of platforms brought everything."""
    code = (
        "import sys, creator_pipeline.platforms.kdp.child_process\n"
        "print(sorted({'sqlalchemy', 'pydantic', 'dagster', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
