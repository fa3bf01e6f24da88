"""Bazaar in the list of platforms."""

from __future__ import annotations

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline_tests.platforms.bazaar import PLATFORM


def register() -> None:
    """Put Bazaar into the list, once."""
    if PLATFORM not in PLATFORMS:
        PLATFORMS.append(PLATFORM)
