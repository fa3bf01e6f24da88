"""Parts of the code location by name."""

from __future__ import annotations

import dagster as dg

from creator_pipeline.definitions import defs


def schedule_named(name: str) -> dg.ScheduleDefinition:
    """A schedule of the definitions."""
    return defs.resolve_schedule_def(name)


def sensor_named(name: str) -> dg.SensorDefinition:
    """A sensor of the definitions."""
    return defs.resolve_sensor_def(name)
