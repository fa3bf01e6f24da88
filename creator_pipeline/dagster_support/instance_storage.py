"""Name that ``storage`` of dagster.yaml files before this release uses."""

from creator_pipeline.runtime.storage import EnvStorage

__all__ = ["EnvStorage"]
