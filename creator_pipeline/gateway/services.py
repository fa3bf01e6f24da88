"""What the routes share, made once for each gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from fastapi import Request
from pydantic import SecretStr

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.gateway.deliveries import DeliveryWriter
from creator_pipeline.gateway.lanes import LOCK_SECONDS, Lanes
from creator_pipeline.gateway.limits import Gate
from creator_pipeline.gateway.metrics import Metrics
from creator_pipeline.gateway.pipeline_metrics import PipelineCollector
from creator_pipeline.platforms.intake import Intake
from creator_pipeline.queue.cache import cache_for
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.limits import Limits
from creator_pipeline.queue.redis_client import connect
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.token_keys import installation_ring


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes share. Settings are those of the start: another value wants a restart.

    Attributes:
        lanes: threads for what blocks.
        readers: limits the uploads that are read at once, each in a process of up to a gigabyte.
    """

    config: Settings
    warehouse: Warehouse
    ring: KeyRing
    queue: JobQueue
    gate: Gate
    deliveries: DeliveryWriter
    metrics: Metrics
    lanes: Lanes
    readers: asyncio.Semaphore

    def secret(self, name: str) -> str | None:
        """The value of a secret setting; None where it is not set."""
        value = getattr(self.config, name)
        return value.get_secret_value() or None if isinstance(value, SecretStr) else None


def build(config: Settings) -> Services:
    """The services of an installation. Connects to nothing yet."""
    lanes = Lanes()
    warehouse = open_warehouse(config.warehouse_url, lanes.connections, LOCK_SECONDS)
    ring = installation_ring(config)
    redis = connect(config)
    queue = JobQueue(warehouse, redis)
    deliveries = DeliveryWriter(Intake(warehouse, queue, config), queue)
    behind = PipelineCollector(warehouse, config)
    metrics = Metrics(queue.depth, queue.ages, lambda: deliveries.waiting, cache_for(config).stats, behind)
    gate = Gate(Limits(redis), lanes.limits)
    return Services(config, warehouse, ring, queue, gate, deliveries, metrics, lanes, asyncio.Semaphore(2))


def services_of(request: Request) -> Services:
    """Those of the application that got the request."""
    return cast("Services", request.app.state.services)
