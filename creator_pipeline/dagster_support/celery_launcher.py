"""Name that ``run_launcher`` of dagster.yaml files before this release uses. Needs the extra ``celery``."""

from creator_pipeline.runtime.celery_launcher import WatchedCeleryRunLauncher

__all__ = ["WatchedCeleryRunLauncher"]
