"""``/me``: a creator's own page. A link of a mail becomes a cookie: no address bar, history or referrer keeps it.

The cookie is the whole key: every query here asks by the profile it names, and nothing else names one. A profile that
is erased, or whose mailbox is another one by now, has no page: 404.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from creator_pipeline.core import signing
from creator_pipeline.gateway import creator_page_view
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services
from creator_pipeline.mail import page_link
from creator_pipeline.platforms.gumroad.connect import start_link

COOKIE = "creator_page"
SESSION_SECONDS = 12 * 3600
_PATH = "/me"
_SESSION = "page-session.v1"
_FORM = "page-form.v1"

router = APIRouter(include_in_schema=False)


class Session(NamedTuple):
    """Whose page a browser has open. ``nonce`` ties forms to it."""

    profile_id: str
    mailbox: str
    nonce: str


@router.get("/me/enter/{token}")
async def enter(request: Request, token: str) -> Response:
    """Exchanges a link of a mail for a cookie. Changes nothing else: scanners of mailboxes open links too."""
    house = services(request)
    told = page_link.read(house.ring, token)
    if told is None or not await asyncio.to_thread(page_link.is_current, house.warehouse, house.ring, *told):
        house.gate.refused(request.scope["caller"])
        raise _gone()
    word = Session(*told, secrets.token_urlsafe(18))
    answer = RedirectResponse("/me", 303)
    answer.set_cookie(
        COOKIE,
        signing.sign(house.ring, _SESSION, word),
        max_age=SESSION_SECONDS,
        path=_PATH,
        secure=_secure(house),
        httponly=True,
        # Not strict: a browser that comes from a mail would not send it to the page that the link redirects to.
        samesite="lax",
    )
    return answer


@router.get("/me")
async def show(request: Request) -> Response:
    """The page."""
    house = services(request)
    session = await _session(request)
    if session is None:
        return _out(house)
    view = await asyncio.to_thread(creator_page_view.look, house.warehouse, house.config, session.profile_id)
    form = signing.sign(house.ring, _FORM, session.nonce)
    return page("me.html", view=view, form=form, again=creator_page_view.AGAIN, saved="saved" in request.query_params)


@router.get("/me/revenue.png")
async def revenue(request: Request) -> Response:
    """The picture; ``wide`` for a screen that has room."""
    house = services(request)
    session = await _session(request)
    if session is None:
        raise GatewayError(401, "unauthorized", "There is no page open.", "Open it from a mail of ours.")
    wide = "wide" in request.query_params
    png = await asyncio.to_thread(creator_page_view.picture, house.warehouse, session.profile_id, wide=wide)
    return Response(png, media_type="image/png")


@router.get("/me/connect/gumroad")
async def connect(request: Request) -> Response:
    """On to Gumroad's question, by a fresh link of an hour."""
    house = services(request)
    session = await _session(request)
    if session is None:
        return _out(house)
    return RedirectResponse(start_link(house.ring, "", session.profile_id), 303)


@router.post("/me/notifications")
async def notifications(request: Request) -> Response:
    """Stores which mails are wanted."""
    house = services(request)
    session, fields = await _form(request)
    if session is None:
        return _out(house)
    await asyncio.to_thread(creator_page_view.save, house.warehouse, session.profile_id, fields)
    return RedirectResponse("/me?saved#mails", 303)


@router.post("/me/leave")
async def leave(request: Request) -> Response:
    """Ends this browser's access."""
    house = services(request)
    await _form(request)
    return _out(house, 200)


async def _form(request: Request) -> tuple[Session | None, dict[str, list[str]]]:
    """The session and the fields of a form that its own page has sent.

    Raises:
        GatewayError: 403, another page sent it.
    """
    session = await _session(request)
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    nonce = signing.read(services(request).ring, _FORM, fields.get("form", [""])[0], SESSION_SECONDS)
    if session is not None and not hmac.compare_digest(str(nonce).encode(), session.nonce.encode()):
        services(request).gate.refused(request.scope["caller"])
        raise GatewayError(403, "forbidden", "This form is not of your page.", "Load the page again.", as_page=True)
    return session, fields


async def _session(request: Request) -> Session | None:
    """Whose page it is; None without a cookie, or with an old one.

    Raises:
        GatewayError: 404, that profile is gone.
    """
    house = services(request)
    word = signing.read(house.ring, _SESSION, request.cookies.get(COOKIE, ""), SESSION_SECONDS)
    if word is None:
        return None
    session = Session(*word)
    if not await asyncio.to_thread(
        page_link.is_current, house.warehouse, house.ring, session.profile_id, session.mailbox
    ):
        raise _gone()
    return session


def _secure(house: Services) -> bool:
    return house.config.public_url.startswith("https://")


def _out(house: Services, status: int = 401) -> Response:
    answer = page("me_out.html", status, left=status == 200)
    answer.delete_cookie(COOKIE, path=_PATH, secure=_secure(house), httponly=True, samesite="lax")
    return answer


def _gone() -> GatewayError:
    hint = "A link is good for a week: open the newest mail, or ask whoever runs this for a new link."
    return GatewayError(404, "not_found", "There is no page behind this link.", hint, as_page=True)
