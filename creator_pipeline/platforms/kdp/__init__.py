"""Amazon KDP: reports that a person downloads and uploads."""

from __future__ import annotations

from creator_pipeline.platforms.contract import Later, Origin, Platform
from creator_pipeline.platforms.kdp.owner import file_name_of_partition, owner_of_partition

_HERE = "creator_pipeline.platforms.kdp"

PLATFORM = Platform(
    name="kdp",
    label="Amazon KDP",
    colour="#146eb4",
    provider="amazon_kdp",
    partitions="kdp_uploads",
    origin=Origin(
        "Amazon KDP: reports that the author downloads and uploads here. There is no API.", "https://kdp.amazon.com"
    ),
    page="kdp.md",
    personal=Later(f"{_HERE}.personal", "PERSONAL"),
    owner_of_partition=owner_of_partition,
    named_unit=True,
    unit_name=file_name_of_partition,
    page_line=Later(f"{_HERE}.page", "page_line"),
    dagster=Later(f"{_HERE}.definitions", "PARTS"),
    checks=Later(f"{_HERE}.probes", "CHECKS"),
    books=Later(f"{_HERE}.books", "BOOKS"),
    uploads=Later(f"{_HERE}.upload", "UPLOADS"),
    commands={"kdp": f"{_HERE}.command"},
    own_rates=Later(f"{_HERE}.own_rates", "own_rates"),
    other_ids=Later(f"{_HERE}.other_ids", "other_ids"),
    views=Later(f"{_HERE}.views", "VIEWS"),
    stand_in=Later(f"{_HERE}.sandbox.stand_in", "STAND_IN"),
)
