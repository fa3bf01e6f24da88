"""``/uploads/…``: a report arrives, is described, and goes into the inbox as a whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from creator_pipeline.core.errors import DataError
from creator_pipeline.gateway import inbox, multipart, openapi
from creator_pipeline.gateway.errors import GatewayError, json_response, of_file, wants_page
from creator_pipeline.gateway.inbox import IncomingFile
from creator_pipeline.gateway.keys import KEY_CHARACTERS, bearer, profile_of, refused
from creator_pipeline.gateway.limits import MIB, too_large
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.uploads import Uploads, by_kind


def router_of(platforms: Iterable[Platform]) -> APIRouter:
    """Two routes for each platform that takes uploads: the form for a person, and the upload itself."""
    router = APIRouter(prefix="/uploads", tags=["uploads"])
    for platform in platforms:
        if platform.uploads is not None:
            _add_routes(router, _Receiver(platform.name, platform.label, platform.uploads.get()))
    return router


def _add_routes(router: APIRouter, receiver: _Receiver) -> None:
    router.add_api_route(
        f"/{receiver.name}", receiver.form, description="The form for a person.", responses=openapi.answers()
    )
    label = receiver.label
    key = {"type": "string", "description": "The profile's key, where no header brings it; before the file"}
    file = {"type": "string", "format": "binary", "description": f"The report, as {label} made it"}
    form = {"type": "object", "required": ["file"], "properties": {"file": file, "key": key}}
    router.add_api_route(
        f"/{receiver.name}",
        receiver.upload,
        methods=["POST"],
        description=f"A report of {label}, as {receiver.endings}. Sending the same file again is the same job.",
        status_code=202,
        responses=openapi.answers(400, 401, 413, 415, 422, 507),
        openapi_extra={**openapi.body("multipart/form-data", form), **openapi.bearer()},
    )


@dataclass(frozen=True, slots=True)
class _Received:
    profile_id: str
    name: str | None
    file: IncomingFile


@dataclass(frozen=True, slots=True)
class _Receiver:
    """The routes of one platform."""

    name: str
    label: str
    uploads: Uploads

    @property
    def endings(self) -> str:
        """Endings of files, for people."""
        return " or ".join(self.uploads.endings)

    async def form(self) -> Response:
        return page("upload.html", route=self, max_mib=self.uploads.max_bytes // MIB)

    async def upload(self, request: Request) -> Response:
        services = services_of(request)
        received = await self._receive(request, services)
        try:
            await services.lanes.uploads.run(received.file.close)
            name, described = await self._describe(received, services)
            stored = await services.lanes.uploads.run(received.file.store, received.profile_id, name)
        finally:
            received.file.discard()
        job_id = await services.lanes.uploads.run(
            self.uploads.enqueue, services.warehouse, services.queue, received.profile_id, stored
        )
        answer: dict[str, Any] = {"job_id": job_id, "upload_id": stored.sha256, **described}
        if wants_page(request):
            shown = {**answer, "problems": by_kind(described["problems"])}
            return page("uploaded.html", 202, route=self, name=name, **shown)
        return json_response(answer, 202)

    async def _receive(self, request: Request, services: Services) -> _Received:
        key = bearer(request)
        profile_id = await profile_of(request, key) if key else None
        trust = multipart.Trust(lambda: refused(request))
        if profile_id:
            trust.known()
        current: multipart.Part | None = None
        typed, incoming, name = b"", None, None
        try:
            async for item in multipart.read(request, trust):
                if isinstance(item, multipart.Part):
                    current = item
                    if item.name == "file" and item.file_name is not None:
                        if incoming is not None:
                            raise GatewayError(422, "invalid", "There is more than one file.", "Send one at a time.")
                        # Before the file's first byte is written: nobody without a key writes to this disk.
                        profile_id = profile_id or await profile_of(request, _text(typed))
                        trust.known()
                        incoming, name = self._begin(services), item.file_name
                elif current is not None and current.name == "file" and incoming is not None:
                    incoming.write(item)
                    if incoming.size > self.uploads.max_bytes:
                        raise too_large(self.uploads.max_bytes)
                elif current is not None and current.name == "key":
                    typed = (typed + item)[: KEY_CHARACTERS + 1]
            profile_id = profile_id or await profile_of(request, _text(typed))
            if incoming is None or incoming.size == 0:
                raise GatewayError(
                    422, "invalid", "There is no file in the form.", "Send the report as its field file."
                )
        except BaseException:
            if incoming is not None:
                incoming.discard()
            raise
        return _Received(profile_id, name, incoming)

    def _begin(self, services: Services) -> IncomingFile:
        return IncomingFile(*_folders(services, self.name, self.uploads), hint=self.uploads.inbox_hint)

    async def _describe(self, received: _Received, services: Services) -> tuple[str, Mapping[str, Any]]:
        """The name to store the file under, and what is in it."""
        path = received.file.path
        try:
            name = await services.lanes.uploads.run(self.uploads.name_of, path, received.name)
        except DataError as error:
            raise of_file(error, 415) from None
        try:
            async with services.readers:
                return name, await services.lanes.uploads.run(self.uploads.describe, services.warehouse, path, name)
        except DataError as error:
            raise of_file(error) from None


def _folders(services: Services, name: str, uploads: Uploads) -> tuple[str, Path]:
    return uploads.inbox(services.config), services.config.home / f"{name}_incoming"


def sweep_drafts(services: Services) -> None:
    """Delete what gateways that were killed have left of uploads."""
    for platform in PLATFORMS:
        if platform.uploads is not None:
            with contextlib.suppress(OSError):
                inbox.sweep(inbox.drafts_of(*_folders(services, platform.name, platform.uploads.get())))


def _text(key: bytes) -> str:
    return key.decode("utf-8", "replace").strip()
