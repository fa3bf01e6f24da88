"""An inbox with its sensor, and runs as the daemon starts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from creator_pipeline.definitions import defs
from creator_pipeline.platforms.kdp.sensor import kdp_inbox
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import installation as small


@dataclass
class Inbox:
    """A folder, a warehouse and an instance; ticks as the daemon makes them."""

    root: Path
    warehouse: Warehouse
    instance: dg.DagsterInstance
    cursor: str | None = None
    run_keys: set[str] = field(default_factory=set)

    def tick(self, *, ends_well: bool = True) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = kdp_inbox(context, warehouse=WarehouseResource())
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or ():
            if ends_well:
                self.instance.add_dynamic_partitions("kdp_uploads", list(request.partition_keys))
        if ends_well:
            # A result without a cursor leaves it as it was.
            self.cursor = result.cursor or self.cursor
        return result

    def asked(self) -> list[dg.RunRequest]:
        """Two ticks: the first look, and the one that finds the files settled."""
        return [*(self.tick().run_requests or ()), *(self.tick().run_requests or ())]

    def run(self, request: dg.RunRequest) -> Any:
        """As the daemon does: a run key is good for one run."""
        assert request.run_key not in self.run_keys
        self.run_keys.add(request.run_key)
        return defs.resolve_job_def("kdp_ingest").execute_in_process(
            instance=self.instance,
            tags=request.tags,
            partition_key=request.partition_key,
            raise_on_error=False,
            run_config=small.QUIET,
        )
