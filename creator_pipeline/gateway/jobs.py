"""``GET /jobs/{id}``: how far a job is."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response

from creator_pipeline.gateway import openapi
from creator_pipeline.gateway.errors import GatewayError, json_response
from creator_pipeline.gateway.keys import bearer, profile_of
from creator_pipeline.gateway.services import services_of
from creator_pipeline.mail.wording import without_shell
from creator_pipeline.queue.table import Job

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}", responses=openapi.answers(401, 404), openapi_extra=openapi.bearer())
async def job_status(request: Request, job_id: str) -> Response:
    """A job of the caller's profile. Another profile's doesn't exist for it."""
    profile_id = await profile_of(request, bearer(request))
    services = services_of(request)
    found = await services.lanes.keys.run(services.queue.get, [job_id])
    if not found or found[0].profile_id != profile_id:
        raise GatewayError(404, "not_found", "There is no such job.", "Check the job_id of the answer that named it.")
    return json_response(_shown(found[0]))


def _shown(job: Job) -> dict[str, object]:
    return {
        "job_id": job.id,
        "source": job.source,
        "kind": job.kind,
        "status": job.status,
        "attempts": job.attempts,
        "events_count": job.events_count,
        "error": without_shell(job.error) if job.error else None,
        "created_at": _text(job.created_at),
        "finished_at": _text(job.finished_at),
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
