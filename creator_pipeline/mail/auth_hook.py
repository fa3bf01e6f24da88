"""Supabase Auth's Send Email hook: its call becomes mails in the outbox, one set for each call of the user.

The hook is retried with a new ``webhook-id`` but the same ``metadata.uuid``, which is the idempotency key. A reply
that is not 200 fails the user's own sign-up or reset, so nothing here waits for Resend.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from urllib.parse import urlencode, urlsplit

import orjson

from creator_pipeline.core.errors import DataError
from creator_pipeline.mail import outbox
from creator_pipeline.mail.outbox import Mail, digest, event_key
from creator_pipeline.mail.signatures import verified
from creator_pipeline.mail.values import security_values
from creator_pipeline.settings import Settings
from creator_pipeline.store.engine import Warehouse

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuthHookResult:
    """What the gateway answers, and what it hands to ``outbox.flush(ids=…)`` after that.

    Attributes:
        status: 200 or 401; the answer must be ``application/json`` or Auth refuses it.
        message_ids: stored now or by an earlier try of the same call.
    """

    status: int
    json_body: dict[str, Any]
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Action:
    kind: str
    form: Literal["link", "code", "notice"] = "link"
    verify_type: str = ""
    sentence: str = ""


_ACTIONS = {
    "signup": _Action("signup_confirmation", verify_type="signup"),
    "recovery": _Action("password_reset", verify_type="recovery"),
    "invite": _Action("invite", verify_type="invite"),
    "magiclink": _Action("magic_link", verify_type="magiclink"),
    "email": _Action("magic_link", verify_type="email"),
    "reauthentication": _Action("reauthentication", "code"),
    "password_changed_notification": _Action(
        "password_changed", "notice", sentence="The password of your account was changed."
    ),
    "email_changed_notification": _Action(
        "email_changed", "notice", sentence="The e-mail address of your account was changed."
    ),
    "phone_changed_notification": _Action(
        "phone_changed", "notice", sentence="The phone number of your account was changed."
    ),
    "identity_linked_notification": _Action(
        "identity_linked", "notice", sentence="A sign-in method was added to your account."
    ),
    "identity_unlinked_notification": _Action(
        "identity_unlinked", "notice", sentence="A sign-in method was removed from your account."
    ),
    "mfa_factor_enrolled_notification": _Action(
        "mfa_enrolled", "notice", sentence="A second factor was added to your account."
    ),
    "mfa_factor_unenrolled_notification": _Action(
        "mfa_unenrolled", "notice", sentence="A second factor was removed from your account."
    ),
}
_CHANGE = "email_change"
_NO_ORIGIN = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
"""Schemes that are no application's."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the hook, its fields as text."""

    key: str
    action: str
    user: Mapping[str, Any]
    data: Mapping[str, Any]
    ip_address: str | None
    moment: datetime | None
    confirm_url: str
    origins: frozenset[str]

    def text(self, name: str) -> str:
        """A field of ``email_data``; empty where absent."""
        return str(self.data.get(name) or "")

    def link(self, token_hash: str, verify_type: str) -> str:
        """The page that redeems a token.

        ``email_data.site_url`` is Auth's own address, not the app's. A ``confirm_url`` that ends in ``/verify`` is
        Auth's endpoint, which has other parameters than an app's page that calls ``verifyOtp``.

        Raises:
            DataError: the call has no token: a link without one would look right and open nothing.
        """
        if not token_hash:
            raise DataError("The hook's body has no token_hash for this mail's link.")
        redirect = self.text("redirect_to")
        if redirect and origin(redirect) not in self.origins:
            _log.warning("An auth mail's redirect_to was left out: AUTH_REDIRECT_ORIGINS has no %s.", origin(redirect))
            redirect = ""
        at_auth = urlsplit(self.confirm_url).path.endswith("/verify")
        names = ("token", "redirect_to") if at_auth else ("token_hash", "next")
        query = {names[0]: token_hash, "type": verify_type} | ({names[1]: redirect} if redirect else {})
        return f"{self.confirm_url}{'&' if '?' in self.confirm_url else '?'}{urlencode(query)}"

    def values(self, *, url: str | None = None, code: str | None = None) -> dict[str, Any]:
        """For a template."""
        return security_values(url=url, code=code or None, ip_address=self.ip_address, requested_at=self.moment)


def handle_auth_hook(
    body: bytes,
    headers: Mapping[str, str],
    *,
    warehouse: Warehouse,
    settings: Settings,
    confirm_url: str | None = None,
) -> AuthHookResult:
    """Verify a call and store its mails; the caller answers at once and then flushes ``message_ids``.

    Args:
        body: raw bytes, as signed.
        confirm_url: page of the app that calls ``verifyOtp`` with ``token_hash`` and ``type``, or Supabase's own
            ``https://….supabase.co/auth/v1/verify``. Default: ``{PUBLIC_URL}/auth/confirm``.

    Raises:
        ConfigError: ``SUPABASE_HOOK_SECRET`` is not set.
        TransientError: the warehouse can't be reached.
    """
    if not verified(body, headers, settings.require("SUPABASE_HOOK_SECRET")):
        return AuthHookResult(401, _error(401, "The signature of this call is not right."))
    try:
        page = confirm_url or settings.auth_confirm_url or f"{settings.public_url}/auth/confirm"
        call = _read(body, headers, settings, page)
        mails = _mails(call)
        return AuthHookResult(200, {}, tuple(outbox.write(warehouse, settings, *mails)))
    except DataError as error:
        _log.error("An auth mail can't be sent: %s", error)
        return AuthHookResult(200, _error(422, error.message))


def origin(url: str) -> str:
    """Scheme and host with port of an absolute URL, ``app:`` of an app's own scheme; empty for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # A browser reads a backslash as a slash, and what stands before an @ is not the host.
    if "\\" in url or "@" in parts.netloc or not parts.scheme or parts.scheme in _NO_ORIGIN:
        return ""
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc.lower()}" if parts.hostname else ""


def origins(settings: Settings, confirm_url: str) -> frozenset[str]:
    """Where a mail's link may lead in the end: the confirming page, the gateway, and AUTH_REDIRECT_ORIGINS."""
    further = (word.strip() for word in (settings.auth_redirect_origins or "").split(","))
    return frozenset({origin(confirm_url), origin(settings.public_url), *map(origin, further)}) - {""}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"http_code": code, "message": message}}


def _read(body: bytes, headers: Mapping[str, str], settings: Settings, confirm_url: str) -> _Call:
    try:
        said: Any = orjson.loads(body)
        # Copies, so that what is no object is a TypeError or ValueError here.
        user, data = dict(said["user"]), dict(said["email_data"])
        metadata = cast("dict[str, Any]", said.get("metadata") or {})
        action = str(data["email_action_type"])
        moment = _moment(metadata.get("time"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError("The hook's body has no user, email_data and email_action_type.") from None
    given = {key.lower(): value for key, value in headers.items()}
    uuid = str(metadata.get("uuid") or "") or digest(given["webhook-id"])
    return _Call(
        key=event_key("auth", uuid),
        action=action,
        user=user,
        data=data,
        ip_address=str(metadata.get("ip_address") or "") or None,
        moment=moment,
        confirm_url=confirm_url,
        origins=origins(settings, confirm_url),
    )


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _mails(call: _Call) -> list[Mail]:
    if call.action == _CHANGE:
        return _email_change(call)
    action = _ACTIONS.get(call.action)
    if action is None:
        _log.warning("Auth asks for a mail that is not known, %r: none was sent.", call.action[:60])
        return []
    if action.form == "notice":
        return _notice(call, action)
    code = call.text("token")
    if action.form == "code" and not code:
        raise DataError("The hook's body has no token for this mail's code.")
    url = call.link(call.text("token_hash"), action.verify_type) if action.form == "link" else None
    return [Mail(call.key, action.kind, str(call.user.get("email") or ""), call.values(url=url, code=code))]


def _email_change(call: _Call) -> list[Mail]:
    """One mail to the new address, and in secure mode one to the present one.

    The names of the hashes are crossed, on purpose and for good: ``token_hash`` belongs to the new address.
    """
    old, new = str(call.user.get("email") or ""), str(call.user.get("new_email") or "")
    secure = bool(call.text("token_hash_new")) and bool(old)
    code = call.text("token_new") or call.text("token")
    url = call.link(call.text("token_hash"), _CHANGE)
    mails = [Mail(f"{call.key}/new", "email_change_new", new, call.values(url=url, code=code))]
    if secure:
        url = call.link(call.text("token_hash_new"), _CHANGE)
        values = call.values(url=url, code=call.text("token")) | {"old_email": old, "new_email": new}
        mails.insert(0, Mail(f"{call.key}/current", "email_change_current", old, values))
    return mails


def _notice(call: _Call, action: _Action) -> list[Mail]:
    changed = call.action == "email_changed_notification"
    # The user's address is the new one already: whose account was taken over reads the old one.
    to = call.text("old_email") if changed else str(call.user.get("email") or "")
    if not to:
        _log.warning("Auth gives no address for %s: no mail was sent.", call.action)
        return []
    facts = [
        ("New address", str(call.user.get("email") or "") if changed else ""),
        ("Former number", call.text("old_phone")),
        ("Method", call.text("provider")),
        ("Factor", call.text("factor_type")),
    ]
    values = call.values() | {"sentence": action.sentence, "facts": facts}
    return [Mail(call.key, action.kind, to, values)]
