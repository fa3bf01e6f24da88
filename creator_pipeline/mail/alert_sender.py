"""One notice to one channel by Apprise, and what the channel's answer means for it.

Apprise says only whether a notice was taken. Whether one that wasn't may be tried again depends on what happened on the
way, so this module sees the requests that Apprise makes: all its services over HTTP make them by ``requests``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import orjson

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.http import retry_after
from creator_pipeline.mail.alert_rows import Outcome
from creator_pipeline.mail.alerts import Channel
from creator_pipeline.mail.mailer import CONFIG_SECONDS, MAX_WAIT_SECONDS

if TYPE_CHECKING:
    import requests
    from apprise import NotifyBase

CONNECT_SECONDS, READ_SECONDS = 4.0, 10.0
OF_THE_NOTICE = frozenset({400, 413, 422})
"""Refusals of this notice; another 4xx is of the address, and of every notice."""
OF_A_PROXY = frozenset({502, 504})
"""Said by what stands before the service, which may have handed the request on."""
INSTALL = "pip install 'creator-pipeline[alerts]'"

_seen = threading.local()


class Service:
    """A channel, ready to send.

    Args:
        channel: where to.

    Raises:
        ConfigError: Apprise is not installed, or can't use the address.
    """

    def __init__(self, channel: Channel) -> None:
        if find_spec("apprise") is None:
            raise ConfigError("ALERT_URLS is set, and the library Apprise is not installed.", hint=INSTALL)
        # 0.2 s of imports that nothing but sending needs.
        import apprise

        _prepare()
        asset = apprise.AppriseAsset(
            app_id="Creator Pipeline",
            app_desc="Creator Pipeline",
            async_mode=False,
            http_redirects=False,  # an address that moved is a mistake to be told, and a secret
            image_url_mask="",
            image_url_logo="",
        )
        found: Any = apprise.Apprise.instantiate(channel.url, asset=asset, suppress_exceptions=True)
        hint = "See the service's page on appriseit.com, and docs/alerts.md."
        if found is None:
            raise ConfigError(f"The address of the channel {channel.name} can't be used.", hint=hint)
        targets = len(found)
        if targets > 1:
            text = f"The address of the channel {channel.name} names {targets} receivers."
            raise ConfigError(text, hint="Write an entry of ALERT_URLS for each: one that fails must repeat no other.")
        if found.socket_read_timeout == type(found).socket_read_timeout:
            found.socket_read_timeout = READ_SECONDS
        found.socket_connect_timeout = min(found.socket_connect_timeout, CONNECT_SECONDS)
        self._service: NotifyBase = found
        self._channel = channel

    @property
    def pause(self) -> float:
        """Seconds between two notices, as the service wishes."""
        return float(self._service.request_rate_per_sec)

    def send(self, payload: Mapping[str, Any]) -> Outcome:
        """Send once; never raises for what the service or the network does."""
        import apprise

        self._key(str(payload["key"]))
        answers: list[requests.Response | Exception] = []
        _seen.answers = answers
        try:
            taken = self._service.notify(
                body=payload["body"],
                title=payload["title"],
                notify_type=apprise.NotifyType(payload["kind"]),
                body_format=apprise.NotifyFormat.TEXT,
                overflow=apprise.OverflowMode.TRUNCATE,
            )
        except Exception as error:  # noqa: BLE001 - a service's code may trust any answer
            taken = False
            answers.append(error)
        finally:
            _seen.answers = None
        if taken:
            return Outcome("sent")
        outcome = judge(answers[-1] if answers else None)
        if outcome.action == "unknown" and self._channel.keyed:
            return Outcome("retry", outcome.reason)
        return outcome

    def _key(self, key: str) -> None:
        """Hand on the event's key, where the service has a place for it."""
        service: Any = self._service
        if not self._channel.keyed:
            return
        if hasattr(service, "dedup"):
            service.dedup = key[-255:]
        elif hasattr(service, "headers"):
            service.headers["Idempotency-Key"] = key


def judge(answer: requests.Response | Exception | None) -> Outcome:
    """What became of a notice that Apprise says wasn't taken.

    Args:
        answer: of the last request, or the error in its place; None where none was made.
    """
    import requests

    if answer is None:
        return Outcome("failed", "Apprise made no request: is the address right?")
    if isinstance(answer, Exception):
        if isinstance(answer, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
            return Outcome("retry", f"The service can't be reached ({type(answer).__name__}).")
        if isinstance(answer, requests.ConnectionError) and not _was_connected(answer):
            return Outcome("retry", "The service can't be reached.")
        return Outcome("unknown", f"The connection ended before the answer ({type(answer).__name__}).")
    status, reason = answer.status_code, f"HTTP {answer.status_code}"
    if status == 429:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        asked = retry_after(headers)
        return Outcome("retry", f"{reason}: too many notices.", None if asked is None else min(asked, MAX_WAIT_SECONDS))
    if status in OF_A_PROXY:
        return Outcome("unknown", f"{reason}: a proxy got no answer.")
    if status >= 500:
        return Outcome("retry", reason)
    if status in OF_THE_NOTICE:
        return Outcome("failed", f"{reason}: the service refuses this notice.")
    if status >= 300 or _says_no(answer):
        return Outcome("retry", f"{reason}: the service refuses the address or its token.", CONFIG_SECONDS)
    return Outcome("unknown", f"{reason}, with an answer that is none of the service's.")


def _was_connected(error: Exception) -> bool:
    """Whether a request may have gone out before its connection failed."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    cause: Any = error.args[0] if error.args else None
    return not (isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError))


def _says_no(answer: requests.Response) -> bool:
    """Whether a good status carries a refusal, as Slack's API has it."""
    try:
        body: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and body.get("ok") is False


@lru_cache(maxsize=1)
def _prepare() -> None:
    """Once in a process: see what is answered, and keep addresses, which are secrets, out of the logs."""
    import requests

    send = requests.Session.send

    def noted(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        answers: list[requests.Response | Exception] | None = getattr(_seen, "answers", None)
        try:
            answer = send(self, request, **kwargs)
        except Exception as error:
            if answers is not None:
                answers.append(error)
            raise
        if answers is not None:
            answers.append(answer)
        return answer

    requests.Session.send = noted
    # An address that can't be used is quoted in an error; a request's path in a line of DEBUG.
    # By its level: whoever sets up logging afterwards, as Dagster does, switches a disabled logger on again.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
