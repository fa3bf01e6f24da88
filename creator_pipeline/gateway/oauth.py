"""Connecting a Gumroad account: the way out, the way back, and the page at its end.

What is at stake: linking a stranger's account to a profile, or a profile's account to a stranger's profile. So only
who holds the profile's key or a link made by ``creator-pipeline profiles connect`` may start; the state is signed,
ten minutes old at most, good once, and good only in the browser that started.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from creator_pipeline.core import signing
from creator_pipeline.core.errors import ConfigError, PipelineError
from creator_pipeline.gateway import openapi
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.keys import bearer, profile_of
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services
from creator_pipeline.platforms.gumroad import connect, oauth
from creator_pipeline.store import profiles

STATE_SECONDS = 600
COOKIE = "gumroad_oauth"
_STATE = "oauth-state.v1"
_RESULT = "oauth-result.v1"
_AGAIN = "Start again: creator-pipeline profiles connect ID prints a link."
_log = logging.getLogger(__name__)

router = APIRouter(tags=["connect"])


@router.get(
    "/oauth/gumroad/start",
    status_code=302,
    responses=openapi.answers(401, 404, 422),
    openapi_extra=openapi.bearer(),
)
async def start(request: Request, profile_id: str, link: str = "") -> Response:
    """To Gumroad, to be asked. Wants the profile's key, or a link of ``creator-pipeline profiles connect``."""
    house = services(request)
    if link:
        allowed = connect.profile_of_link(house.ring, link)
        if allowed is None:
            house.gate.refused(request.scope["caller"])
            raise GatewayError(401, "unauthorized", "This link is too old, or not one of ours.", _AGAIN)
    else:
        allowed = await profile_of(request, bearer(request))
    if allowed != profile_id:
        raise GatewayError(401, "unauthorized", "That key or link is another profile's.", _AGAIN)
    try:
        app = oauth.oauth_app(house.config)
        await asyncio.to_thread(profiles.get_profile, house.warehouse, profile_id)
    except ConfigError as error:
        raise GatewayError(404, error.code, error.message, error.hint) from None
    nonce = secrets.token_urlsafe(24)
    state = signing.sign(house.ring, _STATE, [profile_id, nonce])
    answer = RedirectResponse(oauth.authorize_url(app, state, _verifier(house, nonce)), 302)
    answer.set_cookie(
        COOKIE,
        nonce,
        max_age=STATE_SECONDS,
        path=oauth.CALLBACK_PATH,
        secure=house.config.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(oauth.CALLBACK_PATH, status_code=303, responses=openapi.answers(400))
async def callback(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    """Back from Gumroad: stores the tokens, registers the pings, starts the first sync."""
    house = services(request)
    profile_id, nonce = _known(house, request, state)
    if not await asyncio.to_thread(connect.use_once, house.warehouse, nonce, profile_id):
        raise _bad("used_state", "This answer of Gumroad was used already.")
    if error:
        said = "You said no at Gumroad." if error == "access_denied" else "Gumroad refused."
        raise _bad("refused", f"{said} Nothing was connected.")
    if not code:
        raise _bad("no_code", "Gumroad's answer has no code.")
    try:
        made = await asyncio.to_thread(connect.connect_gumroad, house, profile_id, code, _verifier(house, nonce))
    except PipelineError as failure:
        _log.warning("Connecting %s failed: %s", profile_id, failure)
        raise _bad(failure.code, failure.message, failure.hint) from None
    result = signing.sign(house.ring, _RESULT, [profile_id, made.job_id, made.hooks, made.problem])
    answer = RedirectResponse(f"/oauth/gumroad/connected?result={result}", 303)
    answer.delete_cookie(COOKIE, path=oauth.CALLBACK_PATH)
    return answer


@router.get("/oauth/gumroad/connected", responses=openapi.answers(404))
async def connected(request: Request, result: str = "") -> Response:
    """The page at the end: what happens next."""
    house = services(request)
    told = signing.read(house.ring, _RESULT, result, 24 * 3600)
    if told is None:
        raise GatewayError(404, "not_found", "There is nothing to show.", _AGAIN, as_page=True)
    profile_id, job_id, hooks, problem = told
    first = house.config.pipeline_start_date.isoformat()
    return page("connected.html", profile_id=profile_id, job_id=job_id, hooks=hooks, problem=problem, first_day=first)


def _known(house: Services, request: Request, state: str) -> tuple[str, str]:
    told: Any = signing.read(house.ring, _STATE, state, STATE_SECONDS)
    if told is None:
        raise _bad("bad_state", "This answer of Gumroad is too old, or not to a question of ours.")
    profile_id, nonce = told
    if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), nonce.encode()):
        raise _bad("other_browser", "This was started in another browser.")
    return profile_id, nonce


def _verifier(house: Services, nonce: str) -> str:
    """PKCE's secret: derived, so that nothing is kept between the way out and the way back."""
    key = house.ring.purpose_key("oauth-pkce.v1")[0]
    return hmac.digest(key.encode(), nonce.encode(), "sha256").hex()


def _bad(code: str, message: str, hint: str = "") -> GatewayError:
    return GatewayError(400, code, message, f"{hint} {_AGAIN}".strip(), as_page=True)
