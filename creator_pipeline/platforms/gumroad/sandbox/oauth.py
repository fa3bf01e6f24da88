"""Gumroad's OAuth: a code of ten minutes, tokens that don't expire, a refresh that kills the old pair at once."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from creator_pipeline.platforms.gumroad.sandbox.account import Grant, GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.data import GumroadPart

CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret"
CODE_SECONDS = 600
MESSAGES = {
    "invalid_grant": "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
    "URI used in the authorization request, or was issued to another client.",
    "invalid_client": "Client authentication failed due to unknown client, no client authentication included, or "
    "unsupported authentication method.",
    "unsupported_grant_type": "The authorization grant type is not supported by the authorization server.",
}


@dataclass
class Code:
    """An authorization code waiting to be exchanged."""

    seller: GumroadSeller
    redirect_uri: str
    scopes: set[str]
    born: float


def _refusal(status: int, error: str, description: str | None = None) -> Response:
    text = description or MESSAGES[error]
    header = f'Bearer realm="Doorkeeper", error="{error}", error_description="{text}"'
    body = orjson.dumps({"error": error, "error_description": text})
    headers = {"www-authenticate": header, "cache-control": "no-store, no-cache"}
    return Response(body, status, headers, "application/json; charset=utf-8")


def _client(request: Request, form: dict[str, str]) -> tuple[str | None, str | None]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id"), form.get("client_secret")
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return name, secret


@dataclass
class OAuth:
    """The two OAuth pages; ``clock`` gives seconds, to age codes in tests."""

    part: GumroadPart
    clock: Callable[[], float] = time.time
    codes: dict[str, Code] = field(default_factory=dict[str, Code])
    issued: int = 0

    def routes(self) -> list[Route]:
        """``/oauth/authorize`` and ``/oauth/token``."""
        return [
            Route("/oauth/authorize", self.authorize, methods=["GET"]),
            Route("/oauth/token", self.token, methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """Says yes for ``profile`` (default: the first seller) without asking; ``deny=1`` says no."""
        asked = request.query_params
        seller = self.part.get(asked.get("profile") or next(iter(self.part)))
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != CLIENT_ID or not redirect_uri or seller is None:
            return HTMLResponse("<!DOCTYPE html><title>An error has occurred</title>", 401)
        state = {"state": asked["state"]} if "state" in asked else {}
        joint = "&" if "?" in redirect_uri else "?"
        if asked.get("deny"):
            why = "The resource owner or authorization server denied the request."
            answer = {"error": "access_denied", "error_description": why, **state}
            return RedirectResponse(f"{redirect_uri}{joint}{urlencode(answer)}", 302)
        with self.part.lock:
            self.issued += 1
            code = f"sandbox-code-{self.issued}"
            scopes = set((asked.get("scope") or "view_public").split())
            self.codes[code] = Code(seller, redirect_uri, scopes, self.clock())
        return RedirectResponse(f"{redirect_uri}{joint}{urlencode({'code': code, **state})}", 302)

    async def token(self, request: Request) -> Response:
        """Exchanges a code, or a refresh token, for a pair of tokens."""
        form = {key: str(value) for key, value in (await request.form()).items()}
        if _client(request, form) != (CLIENT_ID, CLIENT_SECRET):
            return _refusal(401, "invalid_client")
        kind = form.get("grant_type") or "authorization_code"
        needed = {"authorization_code": ("code", "redirect_uri"), "refresh_token": ("refresh_token",)}.get(kind)
        if needed is None:
            return _refusal(400, "unsupported_grant_type")
        for name in needed:
            if not form.get(name):
                return _refusal(400, "invalid_request", f"Missing required parameter: {name}.")
        with self.part.lock:
            grant = self._exchange(form) if kind == "authorization_code" else self._refresh(form)
        if grant is None:
            return _refusal(400, "invalid_grant")
        answer = {
            "access_token": grant.token,
            "token_type": "Bearer",
            "refresh_token": grant.refresh_token,
            "scope": " ".join(sorted(grant.scopes)),
            "created_at": int(self.clock()),
        }
        headers = {"cache-control": "no-store"}
        return Response(orjson.dumps(answer), 200, headers, "application/json; charset=utf-8")

    def _exchange(self, form: dict[str, str]) -> Grant | None:
        code = self.codes.get(form["code"])
        if code is None or code.redirect_uri != form["redirect_uri"]:
            return None
        del self.codes[form["code"]]
        return None if self.clock() - code.born > CODE_SECONDS else code.seller.grant(code.scopes)

    def _refresh(self, form: dict[str, str]) -> Grant | None:
        for seller in self.part.values():
            for grant in seller.grants:
                if grant.refresh_token == form["refresh_token"] and not grant.revoked:
                    grant.revoked = True
                    return seller.grant(set(grant.scopes))
        return None
