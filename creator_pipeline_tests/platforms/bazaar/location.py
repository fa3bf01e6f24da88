"""A code location with Bazaar in it."""

from creator_pipeline_tests.platforms.bazaar.registered import register

register()

from creator_pipeline.definitions import defs  # noqa: E402 - it reads the list

__all__ = ["defs"]
