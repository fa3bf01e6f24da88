"""Jobs over assets, as every part of the pipeline defines them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from creator_pipeline.runtime.keys import own_tags


def asset_job(name: str, keys: Iterable[dg.AssetKey], description: str) -> Any:
    """A job over these assets, its steps in the run's own process whatever the code location's executor is.

    Args:
        name: of the job.
        keys: the assets; never a group, which others may have too.
        description: for the UI.
    """
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*keys),
        description=description,
        # Half the latency and twice the runs per minute of a process for each step.
        executor_def=dg.in_process_executor,
        tags=own_tags(),
    )
