"""Amazon KDP: reports that a person downloads and uploads."""

from __future__ import annotations

from typing import Any

from creator_pipeline.platforms.contract import Checks, DagsterParts, Later, Platform
from creator_pipeline.platforms.kdp.owner import owner_of_partition
from creator_pipeline.platforms.kdp.personal import PERSONAL

_HERE = "creator_pipeline.platforms.kdp"

PLATFORM = Platform(
    name="kdp",
    label="Amazon KDP",
    colour="#146eb4",
    provider="amazon_kdp",
    partitions="kdp_uploads",
    personal=PERSONAL,
    owner_of_partition=owner_of_partition,
    named_unit=True,
    dagster=Later[DagsterParts](f"{_HERE}.definitions", "PARTS"),
    checks=Later[Checks](f"{_HERE}.probes", "CHECKS"),
    stand_in=Later[Any](f"{_HERE}.sandbox.stand_in", "STAND_IN"),
)
