"""``/uploads/…``: a report arrives, is described, and goes into the inbox as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from creator_pipeline.core.errors import DataError
from creator_pipeline.gateway import multipart, openapi
from creator_pipeline.gateway.errors import GatewayError, json_response, of_file, wants_page
from creator_pipeline.gateway.keys import bearer, profile_of
from creator_pipeline.gateway.limits import MIB, too_large
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.uploads import IncomingFile, Uploads

KEY_BYTES = 200


@dataclass(frozen=True, slots=True)
class _Upload:
    profile_id: str
    name: str | None
    file: IncomingFile


def router_of(platforms: Iterable[Platform]) -> APIRouter:
    """The routes of the platforms' uploads: a form for a person, and the upload itself."""
    router = APIRouter(prefix="/uploads", tags=["uploads"])
    for platform in platforms:
        if platform.uploads is not None:
            _add(router, platform.uploads.get())
    return router


def _add(router: APIRouter, uploads: Uploads) -> None:
    endings = " or ".join(uploads.endings)
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": f"The report, as {uploads.label} made it"},
            "key": {
                "type": "string",
                "description": "The profile's key, where no header brings it; before the file",
            },
        },
    }

    @router.get(f"/{uploads.path}", responses=openapi.answers())
    async def form() -> Response:
        """The form for a person."""
        return page("upload.html", uploads=uploads, endings=endings, max_mib=uploads.max_bytes // MIB)

    @router.post(
        f"/{uploads.path}",
        status_code=202,
        description=f"A report of {uploads.label}, as {endings}. Sending the same file again is the same job.",
        responses=openapi.answers(400, 401, 413, 415, 422),
        openapi_extra={**openapi.body("multipart/form-data", schema), **openapi.bearer()},
    )
    async def upload(request: Request) -> Response:
        return await _take(request, uploads)


async def _take(request: Request, uploads: Uploads) -> Response:
    services = services_of(request)
    received = await _receive(request, uploads, services)
    try:
        await asyncio.to_thread(received.file.close)
        name, described = await _describe(received, uploads, services)
        stored = await asyncio.to_thread(received.file.store, received.profile_id, name)
    finally:
        received.file.discard()
    job_id = await asyncio.to_thread(uploads.enqueue, services.warehouse, services.queue, received.profile_id, stored)
    answer: dict[str, Any] = {"job_id": job_id, "upload_id": stored.sha256, **described}
    if wants_page(request):
        return page("uploaded.html", 202, uploads=uploads, name=name, **answer)
    return json_response(answer, 202)


async def _receive(request: Request, uploads: Uploads, services: Services) -> _Upload:
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
                    # Before the file's first byte is written: nobody without a key writes to this disk.
                    profile_id = profile_id or await profile_of(request, typed.decode("utf-8", "replace").strip())
                    incoming, name = uploads.begin(services.config), item.file_name
            elif current is not None and current.name == "file" and incoming is not None:
                incoming.write(item)
                if incoming.size > uploads.max_bytes:
                    raise too_large(uploads.max_bytes)
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


async def _describe(received: _Upload, uploads: Uploads, services: Services) -> tuple[str, dict[str, object]]:
    """The name to store the file under, and what is in it."""
    path = received.file.path
    try:
        name = await asyncio.to_thread(uploads.name_of, path, received.name)
    except DataError as error:
        raise of_file(error, 415) from None
    try:
        async with services.readers:
            return name, await asyncio.to_thread(uploads.describe, path, name)
    except DataError as error:
        raise of_file(error) from None
