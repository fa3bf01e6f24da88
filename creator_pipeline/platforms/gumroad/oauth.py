"""Gumroad's OAuth: the way to a pair of tokens, and to the next pair.

Access tokens don't expire, so nothing is refreshed by a clock. A refresh ends both tokens of the old pair at once,
which is why it happens under a lock and is stored before anyone uses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import orjson
from sqlalchemy import select, update

from creator_pipeline import __version__
from creator_pipeline.core.errors import AuthError, ConfigError, DataError, RejectedError, TransientError
from creator_pipeline.core.http import is_temporary, retry_after
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.transport import ConnectionFailedError, ConnectionPool, Response, TooLargeError
from creator_pipeline.platforms.gumroad.catalog import SALES_SCOPES, SCOPES
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.locks import lock
from creator_pipeline.store.tables import platform_connections

CALLBACK_PATH = "/api/platforms/oauth/gumroad/callback"
FULL_ACCESS = "account"
"""A scope that holds all others; never asked for, but a token of an older app may have it."""
SECONDS = 8.0
"""For the whole exchange of a code or a token."""
MAX_BYTES = 64 * 1024
_WORD = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The application registered at Gumroad."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    redirect_uri: str

    def __repr__(self) -> str:
        return f"OAuthApp({self.client_id})"


@dataclass(frozen=True, slots=True)
class Grant:
    """A pair of tokens. ``scopes`` is empty where the answer names none."""

    access_token: str
    refresh_token: str | None
    scopes: frozenset[str]

    def __repr__(self) -> str:
        return f"Grant({' '.join(sorted(self.scopes))})"

    def packed(self) -> str:
        """As text; secret."""
        return orjson.dumps([self.access_token, self.refresh_token, sorted(self.scopes)]).decode()

    @classmethod
    def unpacked(cls, text: str) -> Grant:
        """The pair of :meth:`packed`."""
        access_token, refresh_token, scopes = orjson.loads(text)
        return cls(access_token, refresh_token, frozenset(scopes))

    def missing_scopes(self) -> list[str]:
        """Scopes without which nothing can be read, and that were not given. Without the one of payouts sales go on."""
        if not self.scopes or FULL_ACCESS in self.scopes:
            return []
        return [scope for scope in SALES_SCOPES if scope not in self.scopes]


def oauth_app(config: Settings) -> OAuthApp:
    """The application of this installation.

    Raises:
        ConfigError: names the variable that is not set.
    """
    return OAuthApp(
        authorize_url=config.gumroad_authorize_url,
        token_url=f"{config.gumroad_api_url}/oauth/token",
        client_id=config.require("GUMROAD_CLIENT_ID"),
        client_secret=config.require("GUMROAD_CLIENT_SECRET"),
        redirect_uri=config.gumroad_redirect_uri or config.public_url + CALLBACK_PATH,
    )


def authorize_url(app: OAuthApp, state: str, verifier: str) -> str:
    """Where the seller says yes. ``verifier`` is kept for :func:`exchange` (PKCE, ignored by older servers)."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    return str(
        prepare_grant_uri(
            app.authorize_url,
            client_id=app.client_id,
            response_type="code",
            redirect_uri=app.redirect_uri,
            scope=" ".join(SCOPES),
            state=state,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
    )


def exchange(app: OAuthApp, code: str, verifier: str) -> Grant:
    """The tokens of a code, which works once and for ten minutes.

    Raises:
        AuthError: the code is wrong, old or used.
        ConfigError: Gumroad doesn't know the application.
        TransientError: Gumroad can't answer now.
    """
    return _ask(
        app,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": verifier,
        },
    )


def refresh(warehouse: Warehouse, ring: KeyRing, app: OAuthApp, profile_id: str, refused: str) -> str | None:
    """The access token to go on with after Gumroad refused one; None where there is no way but to connect again.

    One caller at a time per profile, over all processes: whoever comes second finds the first one's new pair.

    Args:
        refused: the access token that was refused.

    Raises:
        AuthError: the refresh token is used up or revoked: the connection is marked.
        TransientError: Gumroad can't answer now; the old pair is still good for a later try.
    """
    connections = platform_connections
    mine = (connections.c.provider == "gumroad") & (connections.c.profile_id == profile_id)
    with warehouse.write() as connection:
        lock(connection, f"gumroad-refresh/{profile_id}")
        row = connection.execute(select(connections).where(mine)).mappings().first()
        if row is None or row["status"] == "revoked" or not row["access_token"]:
            return None
        stored = ring.decrypt(row["access_token"])
        if stored != refused:
            return stored
        if not row["refresh_token"]:
            return None
        outcome = _try_refresh(app, ring.decrypt(row["refresh_token"]))
        if isinstance(outcome, AuthError):
            profiles.mark_revoked(connection, "gumroad", profile_id, outcome.message)
        else:
            values = {"access_token": ring.encrypt(outcome.access_token)}
            if outcome.refresh_token:
                values["refresh_token"] = ring.encrypt(outcome.refresh_token)
            connection.execute(update(connections).where(mine).values(**values))
    # After the commit: the mark stays, and nobody uses a pair that could still be lost.
    if isinstance(outcome, AuthError):
        raise outcome
    return outcome.access_token


def _try_refresh(app: OAuthApp, refresh_token: str) -> Grant | AuthError:
    try:
        return _ask(app, {"grant_type": "refresh_token", "refresh_token": refresh_token})
    except AuthError as error:
        return error


def _ask(app: OAuthApp, form: Mapping[str, str]) -> Grant:
    body = urlencode({**form, "client_id": app.client_id, "client_secret": app.client_secret})
    headers = {"Accept": "application/json", "User-Agent": f"creator_pipeline/{__version__}"}
    # Follows no redirect, which would carry the secrets to another address; bounds the whole answer and not a byte's
    # wait: an address that drips would hold a thread for hours.
    connections = ConnectionPool(app.token_url, headers, size=1)
    try:
        response = connections.send("POST", "", body, seconds=SECONDS, max_bytes=MAX_BYTES).receive()
    except ConnectionFailedError as error:
        raise TransientError(f"Gumroad's token address can't be reached ({error}).") from None
    except TooLargeError:
        raise TransientError(f"Gumroad's token address answers with more than {MAX_BYTES >> 10} KiB.") from None
    finally:
        connections.close()
    try:
        told = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        told = None
    answer = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    if response.status == 200:
        return _grant(answer)
    raise _refusal(response, answer)


def _grant(answer: Mapping[str, Any]) -> Grant:
    access, renewal, scope = (answer.get(name) for name in ("access_token", "refresh_token", "scope"))
    if not isinstance(access, str) or not access:
        raise DataError("Gumroad's token answer has no access_token.", hint="Nothing was stored. Try again.")
    return Grant(
        access,
        renewal if isinstance(renewal, str) and renewal else None,
        frozenset(scope.split()) if isinstance(scope, str) else frozenset(),
    )


def _refusal(response: Response, answer: Mapping[str, Any]) -> AuthError | ConfigError | TransientError | RejectedError:
    status, word = response.status, str(answer.get("error", ""))
    if is_temporary(status):
        return TransientError(f"Gumroad's token address: HTTP {status}.", retry_after=retry_after(response.headers))
    if word == "invalid_grant":
        return AuthError(
            "Gumroad says this authorization is used up, too old or revoked.",
            hint="Connect the account again.",
            revoked=True,
        )
    if word == "invalid_client":
        return ConfigError(
            "Gumroad doesn't know this application.",
            hint="Check GUMROAD_CLIENT_ID and GUMROAD_CLIENT_SECRET. Gumroad: Settings, Advanced, Applications.",
        )
    told = word if _WORD.fullmatch(word) else "no reason given"
    return RejectedError(f"Gumroad's token address: HTTP {status}, {told}.", hint="Check GUMROAD_REDIRECT_URI.")
