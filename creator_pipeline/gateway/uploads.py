"""``/uploads/kdp``: a report comes in, is looked at, and goes into the inbox whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.gateway import multipart, openapi
from creator_pipeline.gateway.errors import GatewayError, json_response, of_file, wants_page
from creator_pipeline.gateway.inbox import Incoming, kind_of, safe_name
from creator_pipeline.gateway.keys import bearer, profile_of
from creator_pipeline.gateway.limits import MIB, too_large
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.platforms.kdp.inspect import describe
from creator_pipeline.platforms.kdp.parse import MAX_BYTES
from creator_pipeline.platforms.kdp.supervised import parse_guarded
from creator_pipeline.platforms.kdp.uploads import close_known

KEY_BYTES = 200
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The report, as KDP made it"},
        "key": {"type": "string", "description": "The profile's key, where no header brings it; before the file"},
    },
}
_log = logging.getLogger(__name__)

router = APIRouter(prefix="/uploads", tags=["uploads"])


@dataclass(frozen=True, slots=True)
class _Upload:
    profile_id: str
    name: str | None
    incoming: Incoming


@router.get("/kdp", responses=openapi.answers())
async def form() -> Response:
    """The form for a person."""
    return page("upload.html", max_mib=MAX_BYTES // MIB)


@router.post(
    "/kdp",
    status_code=202,
    responses=openapi.answers(400, 401, 413, 415, 422),
    openapi_extra={**openapi.body("multipart/form-data", _FORM), **openapi.bearer()},
)
async def upload(request: Request) -> Response:
    """A report of Amazon KDP, as .xlsx or .csv. Sending the same file again is the same job."""
    services = services_of(request)
    received = await _receive(request, services)
    try:
        await asyncio.to_thread(received.incoming.close)
        name, told = await _look(services, received)
        location = await asyncio.to_thread(received.incoming.keep, received.profile_id, name)
    finally:
        received.incoming.discard()
    sha256 = received.incoming.sha256
    job_id = await asyncio.to_thread(_enqueue, services, received.profile_id, sha256, name, location)
    answer: dict[str, Any] = {"job_id": job_id, "upload_id": sha256, **told}
    return page("uploaded.html", 202, name=name, **answer) if wants_page(request) else json_response(answer, 202)


async def _receive(request: Request, services: Services) -> _Upload:
    key = bearer(request)
    profile_id = await profile_of(request, key) if key else None
    current: multipart.Part | None = None
    typed, incoming, name = b"", None, None
    try:
        async for item in multipart.read(request):
            if isinstance(item, multipart.Part):
                current = item
                if item.name == "file" and item.file_name is not None:
                    if incoming is not None:
                        raise GatewayError(422, "invalid", "There is more than one file.", "Send one at a time.")
                    # Before a byte of it is kept: nobody without a key writes to this disk.
                    profile_id = profile_id or await profile_of(request, typed.decode("utf-8", "replace").strip())
                    incoming, name = Incoming(services.config.inbox, services.config.home), item.file_name
            elif current is not None and current.name == "file" and incoming is not None:
                incoming.write(item)
                if incoming.size > MAX_BYTES:
                    raise too_large(MAX_BYTES)
            elif current is not None and current.name == "key":
                typed = (typed + item)[:KEY_BYTES]
        profile_id = profile_id or await profile_of(request, typed.decode("utf-8", "replace").strip())
        if incoming is None or incoming.size == 0:
            raise GatewayError(422, "invalid", "There is no file in the form.", "Send the report as its field file.")
    except BaseException:
        if incoming is not None:
            incoming.discard()
        raise
    return _Upload(profile_id, name, incoming)


async def _look(services: Services, received: _Upload) -> tuple[str, dict[str, Any]]:
    """The file's safe name, and what is in it."""
    path = received.incoming.path
    try:
        kind = await asyncio.to_thread(kind_of, path)
    except DataError as error:
        raise of_file(error, 415) from None
    name = safe_name(received.name, kind)
    try:
        async with services.readers:
            report = await asyncio.to_thread(parse_guarded, path, file_name=name)
    except DataError as error:
        raise of_file(error) from None
    except (RuntimeError, PipelineError) as error:
        # A fault of ours is no verdict about the file: the asset reads it again, where failures are seen.
        _log.exception("A report couldn't be looked at", exc_info=error)
        return name, {"verdict": "unread", "period": None, "problems": []}
    told = describe(report)
    return name, {part: told[part] for part in ("verdict", "kind", "period", "sales_rows", "problems")}


def _enqueue(services: Services, profile_id: str, sha256: str, name: str, location: str) -> str:
    job_id = hashlib.sha256(f"kdp/{profile_id}/{sha256}".encode()).hexdigest()[:32]
    payload = {"sha256": sha256, "name": name, "location": location}
    services.queue.enqueue(profile_id, "kdp", "file", payload, job_id=job_id)
    # The same file once more, after it failed: whoever sends it wants it tried again.
    services.queue.replay([job_id])
    # It may lie in the inbox since before. Looked at after the job is there: a run that ends later ends the job too.
    with services.warehouse.write() as connection:
        close_known(connection, profile_id, sha256)
    return job_id
