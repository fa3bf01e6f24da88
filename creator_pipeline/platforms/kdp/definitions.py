"""What KDP brings to Dagster."""

from __future__ import annotations

from creator_pipeline.platforms.dagster_parts import DagsterParts
from creator_pipeline.platforms.kdp import assets
from creator_pipeline.platforms.kdp.sensor import KDP_INGEST, kdp_inbox

PARTS = DagsterParts(assets=(assets.royalties,), jobs=(KDP_INGEST,), sensors=(kdp_inbox,))
