"""Name that ``python_logs`` of dagster.yaml files before this release uses."""

from creator_pipeline.runtime.run_logs import RunLines

__all__ = ["RunLines"]
