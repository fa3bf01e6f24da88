"""Connecting an account by OAuth: the way out, the way back, and the page at its end.

What is at stake: linking a stranger's account to a profile, or a profile's account to a stranger's profile. So only
who holds the profile's key or a link made by ``creator-pipeline profiles connect`` may start; the state is signed,
ten minutes old at most, good once, and good only in the browser that started.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from creator_pipeline.core import signing
from creator_pipeline.core.errors import ConfigError, PipelineError, TransientError
from creator_pipeline.gateway import connect_links, connect_pages, openapi
from creator_pipeline.gateway.connect_links import Link
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.keys import bearer, profile_of
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.platforms.contract import Platform
from creator_pipeline.platforms.oauth import Connected, Connecting, OAuth, UnfinishedError
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import OtherAccountError

STATE_SECONDS = 600
CONNECT_SECONDS = 15.0
"""For all requests to the platform; waiting for the pace, and the warehouse, may come on top."""
_RESULT_SECONDS = 24 * 3600
_STATE = "oauth-state.v1"
_RESULT = "oauth-result.v1"
_AGAIN = "Press Connect on your page again, or ask whoever runs this pipeline for a new link."
_log = logging.getLogger(__name__)


def router_of(platforms: Iterable[Platform]) -> APIRouter:
    """Four routes for each platform that connects by OAuth: the page before, start, callback, the page at the end."""
    router = APIRouter(tags=["connect"])
    for platform in platforms:
        if platform.oauth is not None:
            _add_routes(router, _Flow(platform.name, platform.in_ledger, platform.label, platform.oauth.get()))
    return router


def _add_routes(router: APIRouter, flow: _Flow) -> None:
    router.add_api_route(
        f"/oauth/{flow.name}/connect",
        flow.ask,
        description="The page before: which profile is connected, and to which account it was.",
        responses=openapi.answers(401, 404),
    )
    router.add_api_route(
        f"/oauth/{flow.name}/start",
        flow.start,
        description=f"To {flow.label}, to be asked. Wants the profile's key, or a link of "
        "``creator-pipeline profiles connect``.",
        status_code=302,
        response_description=f"To {flow.label}",
        responses=openapi.answers(401, 404, 422),
        openapi_extra=openapi.bearer(),
    )
    router.add_api_route(
        flow.oauth.callback_path,
        flow.callback,
        description=f"Back from {flow.label}: stores the tokens, registers webhooks, starts the first sync.",
        status_code=303,
        responses=openapi.answers(400),
    )
    router.add_api_route(
        f"/oauth/{flow.name}/connected",
        flow.connected,
        description="The page at the end: what happens next.",
        responses=openapi.answers(404),
    )


@dataclass(frozen=True, slots=True)
class _Flow:
    """The routes of one platform."""

    name: str
    provider: str
    label: str
    oauth: OAuth

    @property
    def cookie(self) -> str:
        """Name of the cookie that ties a state to its browser, and by its name and path to this platform."""
        return f"{self.name}_oauth"

    @property
    def kept_cookie(self) -> str:
        """Name of the cookie with the tokens of a try that was not finished, encrypted."""
        return f"{self.cookie}_kept"

    async def ask(self, request: Request, profile_id: str, link: str) -> Response:
        """Says whose account is asked for, before the platform does, which knows nothing of profiles."""
        services = services_of(request)
        allowed = self._of_link(services, request, profile_id, link)
        shown = await services.lanes.pages.run(connect_pages.profile, services.warehouse, self.provider, profile_id)
        return page(
            "connect.html",
            label=self.label,
            shown=shown,
            replace=allowed.replace,
            start=self._url("start", allowed, link),
        )

    def _url(self, step: str, link: Link, signed: str) -> str:
        return f"/oauth/{self.name}/{step}?profile_id={link.profile_id}&link={signed}"

    def _of_link(self, services: Services, request: Request, profile_id: str, link: str) -> Link:
        allowed = connect_links.read_link(services.ring, link)
        if allowed is None:
            services.gate.refused(request.scope["caller"])
            raise GatewayError(401, "unauthorized", "This link is too old, or not one of ours.", _AGAIN)
        if allowed.profile_id != profile_id:
            raise GatewayError(401, "unauthorized", "That key or link is another profile's.", _AGAIN)
        return allowed

    async def start(self, request: Request, profile_id: str, link: str = "") -> Response:
        services = services_of(request)
        if link:
            allowed = self._of_link(services, request, profile_id, link)
        else:
            allowed = Link(await profile_of(request, bearer(request)), replace=False)
        if allowed.profile_id != profile_id:
            raise GatewayError(401, "unauthorized", "That key or link is another profile's.", _AGAIN)
        nonce = secrets.token_urlsafe(24)
        state = signing.sign(services.ring, _STATE, [profile_id, nonce, allowed.replace])
        try:
            self.oauth.check(services.config)
            await services.lanes.pages.run(profiles.get_profile, services.warehouse, profile_id)
            target = self.oauth.authorize_url(services.config, state, _verifier(services, nonce))
        except ConfigError as error:
            raise GatewayError(404, error.code, error.message, error.hint) from None
        answer = RedirectResponse(target, 302)
        self._set_cookie(services, answer, self.cookie, nonce)
        return answer

    async def callback(self, request: Request, code: str = "", state: str = "", error: str = "") -> Response:
        services = services_of(request)
        if "head" in request.scope:
            # Whoever only looks at a link must not use it up.
            raise HTTPException(405, headers={"Allow": "GET"})
        profile_id, nonce, replace = self._known(services, request, state)
        if error:
            said = f"You said no at {self.label}." if error == "access_denied" else f"{self.label} refused."
            raise _bad("refused", f"{said} Nothing was connected.")
        if not code:
            raise _bad("no_code", f"{self.label}'s answer has no code.")
        asked = Connecting(
            services.config,
            services.warehouse,
            services.ring,
            services.queue,
            profile_id,
            code,
            _verifier(services, nonce),
            partial(connect_links.use_once, nonce=nonce, profile_id=profile_id),
            time.monotonic() + CONNECT_SECONDS,
            self._kept(services, request, nonce),
            replace,
        )
        try:
            made = await services.lanes.connect.run(self._connect, asked, nonce)
        except TransientError as failure:
            _log.warning("Connecting %s was not finished: %s", profile_id, failure)
            raise self._once_more(services, failure, nonce) from None
        except OtherAccountError as other:
            _log.warning("%s was not connected: %s", profile_id, other)
            shown = await services.lanes.pages.run(connect_pages.profile, services.warehouse, self.provider, profile_id)
            again = connect_links.start_link(services.ring, "", self.name, profile_id)
            return page("other_account.html", 400, label=self.label, shown=shown, other=other, again=again)
        except PipelineError as failure:
            _log.warning("Connecting %s failed: %s", profile_id, failure)
            raise _bad(failure.code, failure.message, failure.hint) from None
        result = signing.sign(services.ring, _RESULT, [profile_id, *made])
        answer = RedirectResponse(f"/oauth/{self.name}/connected?result={result}", 303)
        answer.delete_cookie(self.cookie, path=self.oauth.callback_path)
        answer.delete_cookie(self.kept_cookie, path=self.oauth.callback_path)
        return answer

    def _connect(self, asked: Connecting, nonce: str) -> Connected:
        if connect_links.is_used(asked.warehouse, nonce):
            raise _bad("used_state", f"This answer of {self.label} was used already.")
        return self.oauth.connect(asked)

    def _once_more(self, services: Services, failure: TransientError, nonce: str) -> GatewayError:
        """503; the answer stays good, with the tokens that were got in the browser's own keeping, encrypted."""
        headers = {"Retry-After": "5"}
        if isinstance(failure, UnfinishedError):
            answer = Response()
            self._set_cookie(services, answer, self.kept_cookie, services.ring.encrypt(f"{nonce} {failure.kept}"))
            headers["Set-Cookie"] = answer.headers["set-cookie"]
        text = f"{self.label} isn't connected yet: {failure.message}"
        hint = f"Load this page again in a moment; what you allowed at {self.label} is good for ten minutes."
        return GatewayError(503, failure.code, text, hint, headers=headers, as_page=True)

    def _kept(self, services: Services, request: Request, nonce: str) -> str:
        """Tokens that an earlier try with the same answer has left; empty where there are none."""
        try:
            told = services.ring.decrypt(request.cookies.get(self.kept_cookie, ""))
        except PipelineError:
            return ""
        of, _, kept = told.partition(" ")
        return kept if hmac.compare_digest(of.encode(), nonce.encode()) else ""

    def _set_cookie(self, services: Services, answer: Response, name: str, value: str) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=STATE_SECONDS,
            path=self.oauth.callback_path,
            secure=services.config.public_url.startswith("https://"),
            httponly=True,
            samesite="lax",
        )

    async def connected(self, request: Request, result: str = "") -> Response:
        services = services_of(request)
        told = signing.read(services.ring, _RESULT, result, _RESULT_SECONDS)
        if told is None:
            raise GatewayError(404, "not_found", "There is nothing to show.", _AGAIN, as_page=True)
        shown = await services.lanes.pages.run(connect_pages.profile, services.warehouse, self.provider, told[0])
        return page(
            "connected.html",
            label=self.label,
            oauth=self.oauth,
            shown=shown,
            made=Connected(*told[1:]),
            first_day=services.config.pipeline_start_date.isoformat(),
        )

    def _known(self, services: Services, request: Request, state: str) -> tuple[str, str, bool]:
        told: Any = signing.read(services.ring, _STATE, state, STATE_SECONDS)
        if told is None:
            raise _bad("bad_state", f"This answer of {self.label} is too old, or not to a question of ours.")
        profile_id, nonce, *more = told
        if not hmac.compare_digest(request.cookies.get(self.cookie, "").encode(), nonce.encode()):
            raise _bad("other_browser", "This was started in another browser.")
        # A state of the release before says nothing of replacing.
        return profile_id, nonce, bool(more and more[0])


def _verifier(services: Services, nonce: str) -> str:
    """PKCE's secret: derived, so that nothing is kept between the way out and the way back."""
    key = services.ring.purpose_key("oauth-pkce.v1")[0]
    return hmac.digest(key.encode(), nonce.encode(), "sha256").hex()


def _bad(code: str, message: str, hint: str = "") -> GatewayError:
    return GatewayError(400, code, message, f"{hint} {_AGAIN}".strip(), as_page=True)
