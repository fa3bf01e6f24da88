"""``/me``: a creator's own page. A link of a mail becomes a cookie, so no address bar, history or referrer has it.

The cookie is the whole key: every query here asks by the profile it names, and nothing else names one. A profile that
is erased, or whose mailbox is another one by now, has no page: 404.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from creator_pipeline.core import signing
from creator_pipeline.core.windows import now
from creator_pipeline.gateway import creator_page_view
from creator_pipeline.gateway.connect_links import start_link
from creator_pipeline.gateway.errors import GatewayError
from creator_pipeline.gateway.pages import page
from creator_pipeline.gateway.services import Services, services_of
from creator_pipeline.mail import page_link
from creator_pipeline.platforms.contract import Platform

COOKIE = "creator_page"
SESSION_SECONDS = 12 * 3600
_PATH = "/me"
_SESSION = "page-session.v1"
_FORM = "page-form.v1"


def router_of(platforms: Iterable[Platform]) -> APIRouter:
    """The routes of the page; a button to connect for each platform that connects by OAuth."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/me/enter/{token}", enter)
    router.add_api_route("/me", show)
    router.add_api_route("/me/revenue.png", revenue)
    for platform in platforms:
        if platform.oauth is not None:
            router.add_api_route(f"/me/connect/{platform.name}", partial(connect, platform.name))
        if platform.uploads is not None:
            told = partial(told_of_file, platform)
            router.add_api_route(f"/me/uploads/{platform.name}", told, methods=["POST"])
    router.add_api_route("/me/notifications", notifications, methods=["POST"])
    router.add_api_route("/me/leave", leave, methods=["POST"])
    return router


class Session(NamedTuple):
    """Whose page a browser has open. ``nonce`` ties forms to it; ``since`` is when it began, seconds since 1970."""

    profile_id: str
    mailbox: str
    nonce: str
    since: float


async def enter(request: Request, token: str) -> Response:
    """Exchanges a link of a mail for a cookie. Changes nothing else: scanners of mailboxes open links too."""
    services = services_of(request)
    told = page_link.read(services.ring, token)
    if told is None or not await services.lanes.pages.run(
        page_link.is_current, services.warehouse, services.ring, *told
    ):
        services.gate.refused(request.scope["caller"])
        raise _gone()
    word = Session(*told, secrets.token_urlsafe(18), now().timestamp())
    answer = RedirectResponse("/me", 303)
    answer.set_cookie(
        COOKIE,
        signing.sign(services.ring, _SESSION, word),
        max_age=SESSION_SECONDS,
        path=_PATH,
        secure=_secure(services),
        httponly=True,
        # Not strict: a browser that comes from a mail would not send it to the page that the link redirects to.
        samesite="lax",
    )
    return answer


async def show(request: Request) -> Response:
    """The page."""
    services = services_of(request)
    session = await _session(request)
    if session is None:
        return _out(services)
    view = await services.lanes.pages.run(
        creator_page_view.read, services.warehouse, services.config, session.profile_id
    )
    form = signing.sign(services.ring, _FORM, session.nonce)
    return page("me.html", view=view, form=form, again=creator_page_view.AGAIN, saved="saved" in request.query_params)


async def revenue(request: Request) -> Response:
    """The picture; ``wide`` for a screen that has room."""
    services = services_of(request)
    session = await _session(request)
    if session is None:
        raise GatewayError(401, "unauthorized", "There is no page open.", "Open it from a mail of ours.")
    wide = "wide" in request.query_params
    png = await services.lanes.pages.run(creator_page_view.picture, services.warehouse, session.profile_id, wide=wide)
    return Response(png, media_type="image/png")


async def connect(platform: str, request: Request) -> Response:
    """On to the platform's question, by a fresh link of an hour."""
    services = services_of(request)
    session = await _session(request)
    if session is None:
        return _out(services)
    return RedirectResponse(start_link(services.ring, "", platform, session.profile_id), 303)


async def notifications(request: Request) -> Response:
    """Stores which mails are wanted."""
    services = services_of(request)
    session, fields = await _form(request)
    if session is None:
        return _out(services)
    await services.lanes.pages.run(creator_page_view.save, services.warehouse, session.profile_id, fields)
    return RedirectResponse("/me?saved#mails", 303)


async def told_of_file(platform: Platform, request: Request) -> Response:
    """Does what the owner says of a file that is held back."""
    services = services_of(request)
    session, fields = await _form(request)
    if session is None:
        return _out(services)
    upload, word = (fields.get(name, [""])[0] for name in ("upload", "choice"))
    answer = platform.uploads.get().answer if platform.uploads is not None else None
    if answer is None or not await services.lanes.pages.run(
        answer, services.warehouse, session.profile_id, upload, word
    ):
        hint = "It may be decided already: load your page again."
        raise GatewayError(404, "not_found", "No such file of yours is waiting.", hint, as_page=True)
    return RedirectResponse(f"/me?saved#uploads-{platform.name}", 303)


async def leave(request: Request) -> Response:
    """Ends the access of every browser: who signs out in one may have left another one open."""
    services = services_of(request)
    session, _ = await _form(request)
    if session is not None:
        await services.lanes.pages.run(creator_page_view.sign_out, services.warehouse, session.profile_id)
    return _out(services, 200)


async def _form(request: Request) -> tuple[Session | None, dict[str, list[str]]]:
    """The session and the fields of a form that its own page has sent.

    Raises:
        GatewayError: 403, another page sent it.
    """
    session = await _session(request)
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    nonce = signing.read(services_of(request).ring, _FORM, fields.get("form", [""])[0], SESSION_SECONDS)
    if session is not None and not hmac.compare_digest(str(nonce).encode(), session.nonce.encode()):
        services_of(request).gate.refused(request.scope["caller"])
        raise GatewayError(403, "forbidden", "This form is not of your page.", "Load the page again.", as_page=True)
    return session, fields


async def _session(request: Request) -> Session | None:
    """Whose page it is; None without a cookie, with an old one, or after a sign-out in any browser.

    Raises:
        GatewayError: 404, that profile is gone.
    """
    services = services_of(request)
    word = signing.read(services.ring, _SESSION, request.cookies.get(COOKIE, ""), SESSION_SECONDS)
    if word is None or len(word) != len(Session._fields):
        return None
    session = Session(*word)
    pages = services.lanes.pages
    if await pages.run(creator_page_view.is_over, services.warehouse, session.profile_id, session.since):
        return None
    if not await pages.run(
        page_link.is_current, services.warehouse, services.ring, session.profile_id, session.mailbox
    ):
        raise _gone()
    return session


def _secure(services: Services) -> bool:
    return services.config.public_url.startswith("https://")


def _out(services: Services, status: int = 401) -> Response:
    answer = page("me_out.html", status, left=status == 200)
    answer.delete_cookie(COOKIE, path=_PATH, secure=_secure(services), httponly=True, samesite="lax")
    return answer


def _gone() -> GatewayError:
    hint = "A link is good for a week: open the newest mail, or ask whoever runs this for a new link."
    return GatewayError(404, "not_found", "There is no page behind this link.", hint, as_page=True)
