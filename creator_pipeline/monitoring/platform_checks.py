"""Probes of what is outside: each connected account at Gumroad and Whop, and the gateway as the platforms see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, cast

import httpx
from sqlalchemy import inspect, select

from creator_pipeline.core.caller import TIMEOUT, Caller
from creator_pipeline.core.errors import AuthError, ConfigError, PipelineError, RejectedError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.monitoring.doctor import Finding, Probe
from creator_pipeline.monitoring.installation import known_warehouse
from creator_pipeline.platforms.gumroad import oauth
from creator_pipeline.platforms.gumroad.client import classify as classify_gumroad
from creator_pipeline.platforms.gumroad.ping_checks import hint_of, missing_pings
from creator_pipeline.platforms.whop import catalog as whop_catalog
from creator_pipeline.platforms.whop.answers import NotFoundError
from creator_pipeline.platforms.whop.answers import classify as classify_whop
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import translated
from creator_pipeline.store.tables import platform_connections

KeyRingOf = Callable[[], KeyRing]
_DEFAULT_URL = "http://127.0.0.1:8088"


class Account(NamedTuple):
    """A connection as it is stored."""

    provider: str
    profile_id: str
    access_token: str
    scopes: str | None
    status: str
    last_error: str | None
    external_account_id: str | None


def probes(config: Settings, ring: KeyRingOf) -> list[Probe]:
    """All of this file; one for each connected account."""
    try:
        found = accounts(config)
    except PipelineError:
        found = []  # the line "warehouse" says why
    return [
        Probe("gumroad app", lambda: gumroad_app(config)),
        *_of_source(config, ring, found, "gumroad", gumroad_account),
        *_of_source(config, ring, found, "whop", whop_account),
        Probe("whop webhooks", lambda: whop_secret(config)),
        Probe("gateway", lambda: gateway(config)),
    ]


def accounts(config: Settings) -> list[Account]:
    """Connections with a token, as stored; none where there is no warehouse yet."""
    house = known_warehouse(config)
    if house is None:
        return []
    table = platform_connections.c
    with translated(house.engine), house.engine.connect() as connection:
        if not inspect(connection).has_table(platform_connections.name):
            return []
        asked = select(*(table[name] for name in Account._fields)).where(table.access_token.is_not(None))
        return [Account._make(row) for row in connection.execute(asked.order_by(table.provider, table.profile_id))]


def _of_source(
    config: Settings,
    ring: KeyRingOf,
    found: list[Account],
    source: str,
    look: Callable[[Settings, Account, str], Iterator[Finding]],
) -> list[Probe]:
    if not config.enabled(source):
        return [Probe(source, lambda: [Finding(source, "off", f"ENABLE_{source.upper()} is off.")])]
    mine = [account for account in found if account.provider == source]
    if not mine:
        option = "--gumroad-token …" if source == "gumroad" else "--whop-key …"
        hint = f"creator-pipeline profiles add alice --email alice@example.com {option}"
        return [Probe(source, lambda: [Finding(source, "off", "No profile is connected.", hint)])]

    def looking(account: Account) -> Callable[[], Iterator[Finding]]:
        return lambda: _account(config, ring, account, look)

    return [Probe(f"{source} {account.profile_id}", looking(account)) for account in mine]


def _account(
    config: Settings, ring: KeyRingOf, account: Account, look: Callable[[Settings, Account, str], Iterator[Finding]]
) -> Iterator[Finding]:
    name = f"{account.provider} {account.profile_id}"
    again = hint_of(account.provider, account.profile_id)
    try:
        token = ring().decrypt(account.access_token)
    except ConfigError as error:
        yield Finding(f"{name} token", "no", error.message, error.hint)
        return
    if account.status == "revoked":
        yield Finding(f"{name} token", "no", account.last_error or "It was revoked.", again)
        return
    yield Finding(f"{name} token", "ok", "can be decrypted")
    try:
        yield from look(config, account, token)
    except AuthError as error:
        yield Finding(f"{name} {'token' if error.revoked else 'scopes'}", "no", error.message, error.hint or again)
    except PipelineError as error:
        yield Finding(f"{name} api", "no", error.message, error.hint)


def gumroad_app(config: Settings) -> Iterator[Finding]:
    """The OAuth application, where any of its variables is set."""
    if not any((config.gumroad_client_id, config.gumroad_client_secret, config.gumroad_redirect_uri)):
        yield Finding("gumroad app", "off", "No OAuth application: sellers connect by a token of their own.")
        return
    app = oauth.oauth_app(config)
    wanted = f"{config.public_url}{oauth.CALLBACK_PATH}"
    if app.redirect_uri != wanted:
        text = f"GUMROAD_REDIRECT_URI is {app.redirect_uri}; the gateway listens at {wanted}."
        yield Finding("gumroad app", "no", text, "Set both to one address, here and at Gumroad.")
        return
    yield Finding("gumroad app", "ok", "set")


def gumroad_account(config: Settings, account: Account, token: str) -> Iterator[Finding]:
    """Reachable, scopes, clock, and a resource subscription for each event."""
    name = f"gumroad {account.profile_id}"
    with Caller(config.gumroad_api_url, token, classify_gumroad) as caller:
        caller.get("/v2/user")
        yield Finding(f"{name} api", "ok", f"{caller.host} answers")
        day = today()
        caller.get("/v2/sales", {"after": day.isoformat(), "before": (day + timedelta(days=1)).isoformat()})
        yield Finding(f"{name} scopes", "ok", "sales can be read")
        yield caller.clock(f"{name} clock")
        if config.gumroad_webhook_secret is None:
            text = "GUMROAD_WEBHOOK_SECRET is not set: sales come with the nightly run."
            yield Finding(f"{name} webhooks", "off", text, "See docs/gumroad.md, Webhooks.")
            return
        missing = missing_pings(caller, config, account.profile_id)
        if missing:
            text = f"No ping is registered for {', '.join(missing)}."
            yield Finding(f"{name} webhooks", "no", text, hint_of("gumroad", account.profile_id))
        else:
            yield Finding(f"{name} webhooks", "ok", "every event is registered")


def whop_account(config: Settings, account: Account, token: str) -> Iterator[Finding]:
    """Reachable, a permission for each list that is read, clock, and the webhook where the key may see it."""
    name, headers = f"whop {account.profile_id}", {"Api-Version-Date": whop_catalog.API_VERSION_DATE}
    known = account.external_account_id or ""
    account_id = known if known.startswith("biz_") else config.whop_account_id
    asked = {"first": "1", **({"account_id": account_id} if account_id else {})}
    with Caller(config.whop_api_url, token, classify_whop, headers) as caller:
        lacking: list[str] = []
        for operation, path in whop_catalog.OPERATIONS.items():
            try:
                caller.get(path, asked)
            except AuthError as error:
                if error.revoked:
                    raise
                lacking.append(f"{operation} ({whop_catalog.PERMISSIONS[operation]})")
            except NotFoundError:
                continue  # a server without this list: the sync does without it, too
        yield Finding(f"{name} api", "ok", f"{caller.host} answers")
        if lacking:
            text, hint = f"The key may not read {', '.join(lacking)}.", "Give the key these under Developer, API keys."
            yield Finding(f"{name} scopes", "no", text, hint)
        else:
            yield Finding(f"{name} scopes", "ok", "every list can be read")
        yield caller.clock(f"{name} clock")
        yield _whop_webhook(config, caller, f"{name} webhook")


def _whop_webhook(config: Settings, caller: Caller, name: str) -> Finding:
    wanted = f"{config.public_url}/webhooks/whop"
    try:
        body = cast("Mapping[str, Any]", caller.get("/webhooks"))
    except (AuthError, RejectedError):
        text = "This key may not see webhooks (developer:manage_webhook)."
        return Finding(name, "unknown", text, f"Look under Developer, Webhooks, for {wanted}.")
    hooks = [hook for hook in cast("list[dict[str, Any]]", body.get("data") or []) if hook.get("url") == wanted]
    if not hooks:
        return Finding(
            name, "no", f"No webhook points to {wanted}.", "Make one under Developer, Webhooks; see docs/whop.md."
        )
    return Finding(name, "ok", wanted)


def whop_secret(config: Settings) -> Iterator[Finding]:
    """The secret that Whop signs with."""
    name, secret = "whop webhooks", config.whop_webhook_secret
    if secret is None:
        text = "WHOP_WEBHOOK_SECRET is not set: memberships come with the nightly run."
        yield Finding(name, "off", text, "See docs/whop.md, Webhooks.")
    elif not secret.get_secret_value().startswith("ws_"):
        yield Finding(
            name, "no", "WHOP_WEBHOOK_SECRET doesn't begin with ws_.", "Copy it whole from Developer, Webhooks."
        )
    else:
        yield Finding(name, "ok", "the secret is set")


def gateway(config: Settings) -> Iterator[Finding]:
    """Whether the gateway answers where the platforms look for it."""
    url = f"{config.public_url}/healthz"
    try:
        answer = httpx.get(url, timeout=TIMEOUT, follow_redirects=False)
    except httpx.RequestError as error:
        what = f"{url}: no answer ({type(error).__name__})."
        if config.public_url == _DEFAULT_URL:
            yield Finding(
                "gateway", "off", what, "creator-pipeline gateway; set PUBLIC_URL where it is reached from outside."
            )
            return
        yield Finding("gateway", "no", what, "Start it: creator-pipeline gateway. Is PUBLIC_URL right?")
        return
    if answer.status_code != 200:
        yield Finding(
            "gateway", "no", f"{url}: HTTP {answer.status_code}.", "Does the proxy lead to creator-pipeline gateway?"
        )
        return
    yield Finding("gateway", "ok", url)
