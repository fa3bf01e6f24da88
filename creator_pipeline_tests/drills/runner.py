"""Runs, one after another, as a command would do them: ``python -m creator_pipeline_tests.drills.runner PROFILE…``.

Reads nothing, writes the profile's name before each run, so that its owner can kill it in the middle of one. A run is
that of ``dagster asset materialize``: recorded in the instance, in no code location.
"""

from __future__ import annotations

import sys

from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.context import instance
from creator_pipeline.runtime.run_here import run_here
from creator_pipeline.runtime.tags import range_tags

DAYS = DayWindow(today().fromordinal(today().toordinal() - 1), today().fromordinal(today().toordinal() + 1))


def main(profiles: list[str]) -> None:
    """One run for each profile."""
    with instance() as dagster:
        for profile in profiles:
            print(profile, flush=True)
            tags = range_tags(DAYS, profile) | {liveness.PROCESS_TAG: liveness.this_process()}
            run_here(defs, dagster, "gumroad_sync", tags)


if __name__ == "__main__":
    main(sys.argv[1:])
