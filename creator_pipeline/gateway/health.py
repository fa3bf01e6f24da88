"""``/healthz``, ``/readyz``, ``/metrics``: whether it lives, whether it is ready, what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from creator_pipeline.core.errors import PipelineError, TransientError
from creator_pipeline.core.windows import now
from creator_pipeline.gateway import openapi
from creator_pipeline.gateway.dagster_storage import last_sensor_tick
from creator_pipeline.gateway.errors import GatewayError, json_response
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.settings import Settings

TICK_SECONDS = 600
"""A sensor that hasn't ticked for so long is dead; the slowest of ours ticks every minute or so."""
WEBHOOK_SECONDS = 900
"""A webhook that nobody has worked off for so long: something holds the queue."""
_HANDED_ON = frozenset({"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"})

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=openapi.answers())
async def healthz() -> Response:
    """The process answers. Asks nobody else."""
    return json_response({"status": "ok"})


@router.get("/readyz", responses=openapi.answers())
async def readyz(request: Request) -> Response:
    """The database is there and someone works off the queue; else 503 with the reason.

    For alarms; with details for whoever asks this process itself, and not through a proxy. A load balancer asks
    ``/healthz``: deliveries are taken while nobody works off the queue.
    """
    services = services_of(request)
    try:
        state, reason = await services.lanes.health.run(_state, services)
    except TransientError as error:
        state, reason = {"database": False}, error.message
    word, status = ("ready", 200) if reason is None else ("not_ready", 503)
    # What is wrong here is nobody's business outside.
    details = {} if came_through_a_proxy(request) else {"reason": reason, **state}
    return json_response({"status": word, **details}, status)


@router.get("/metrics", responses=openapi.answers())
async def metrics(request: Request) -> Response:
    """Prometheus' text format, for whoever asks this process itself; 404 through a proxy."""
    if came_through_a_proxy(request):
        raise GatewayError(404, "not_found", "There is nothing here.", "Ask the gateway itself, behind the proxy.")
    services = services_of(request)
    content = await services.lanes.health.run(services.metrics.text)
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


def came_through_a_proxy(request: Request) -> bool:
    """Whether it was handed on by a proxy: then it may be anybody's."""
    return not _HANDED_ON.isdisjoint(request.headers)


def _state(services: Services) -> tuple[dict[str, object], str | None]:
    try:
        depth, ages = services.queue.depth(), services.queue.ages()
    except PipelineError:
        return {"database": False}, "The warehouse can't be reached."
    tick = last_sensor_tick(services.config)
    age = None if tick is None else round((now() - tick).total_seconds(), 1)
    oldest = max((one for (source, kind), one in ages.items() if _awaited(services.config, source, kind)), default=0.0)
    state: dict[str, object] = {
        "database": True,
        "queue": depth,
        "waiting": services.deliveries.waiting,
        "sensor_tick_age_seconds": age,
        "webhook_age_seconds": round(oldest, 1),
    }
    if age is not None and age > TICK_SECONDS:
        return state, f"No sensor has ticked for {age:.0f} s: is dagster-daemon running?"
    if oldest > WEBHOOK_SECONDS:
        return (
            state,
            f"A webhook has waited for {oldest:.0f} s: what holds the queue is told by: creator-pipeline doctor",
        )
    return state, None


def _awaited(config: Settings, source: str, kind: str) -> bool:
    return kind in {"webhook", "refresh"} and config.enabled(source)
