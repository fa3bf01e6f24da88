"""The connection to Redis, Valkey or Upstash, and the breaker that makes a dead one cheap."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.settings import Settings

if TYPE_CHECKING:
    import redis

BREAK_SECONDS = 1.0
"""Pause after the first failure; doubles with each try that fails."""
BREAK_MAX_SECONDS = 15.0
"""Longest pause: so long after Redis is back every process that asks uses it again."""

CONNECT_SECONDS, COMMAND_SECONDS = 0.5, 0.9
"""A server that hangs takes the connection and answers nothing: so it costs one caller less than a second, once."""
SLOW_SECONDS = 0.5
"""A call that takes longer opens the breaker like a failure, though what it said counts."""
PROBE_SECONDS = 0.25
"""For which a caller waits whether Redis is back; the question goes on without it."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class RedisDown(TransientError):  # noqa: N818 - a state that callers live with, no failure of theirs
    """Redis can't be used at the moment; raised inside this room only, where every caller has another way."""


class RedisLink:
    """One client of one Redis, safe to share between threads.

    Args:
        url: ``redis://`` or ``rediss://``.
        derived: made from the Upstash REST variables, whose token is not always the TCP password.
    """

    def __init__(self, url: str, *, derived: bool = False) -> None:
        self._derived = derived
        self._lock = threading.Lock()
        self._scripts: dict[str, Callable[..., Any]] = {}
        self._closed_until = 0.0
        self._pause = 0.0
        import redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as LostError
        from redis.retry import Retry

        try:
            parts = urlsplit(url)
            self.where = f"Redis at {parts.hostname}:{parts.port or 6379}"
            self.client: redis.Redis = redis.Redis.from_url(
                url,
                # These calls stand in request paths. A connection that the server has closed meanwhile is opened
                # again at once; a time-out is not tried again, and a command that is may run twice.
                retry=Retry(NoBackoff(), 1, (LostError,)),
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=COMMAND_SECONDS,
                health_check_interval=25,
            )
        except ValueError:
            raise ConfigError(
                "REDIS_URL can't be read.", hint="It looks like rediss://default:password@host:6379."
            ) from None

    def call(self, work: Callable[[redis.Redis], _T]) -> _T:
        """What ``work`` makes of the client.

        Raises:
            RedisDown: it failed, or something failed so recently that it was not tried.
        """
        from redis.exceptions import DataError, RedisError

        if not self._may_try():
            raise RedisDown(f"{self.where} is down; not tried.")
        began = time.monotonic()
        try:
            result = work(self.client)
        except DataError:
            raise
        except (RedisError, OSError) as error:
            raise self._failed(error) from error
        took = time.monotonic() - began
        if took > SLOW_SECONDS:
            self._failed(TimeoutError(f"it took {took:.1f} s to answer"))
        else:
            self._worked()
        return result

    def script(self, source: str, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        """The answer of a Lua script: sent by its digest, loaded again where the server has forgotten it.

        Raises:
            RedisDown: as :meth:`call`.
        """
        script = self._scripts.get(source)
        if script is None:
            script = self._scripts[source] = self.client.register_script(source)
        return self.call(lambda client: script(keys=keys, args=args, client=client))

    def check(self) -> None:
        """Ask Redis for a sign of life, breaker or not.

        Raises:
            ConfigError: it refuses the password.
            TransientError: it can't be reached.
        """
        from redis.exceptions import AuthenticationError, RedisError

        try:
            self.client.ping()
        except AuthenticationError:
            raise ConfigError(f"{self.where} refuses the password.", hint=self._auth_hint()) from None
        except (RedisError, OSError) as error:
            raise TransientError(
                f"{self.where} can't be used: {error}", hint="Is it running, and is the URL right?"
            ) from None
        self._worked()

    def _auth_hint(self) -> str:
        if self._derived:
            return "The REST token is not this database's password: set REDIS_URL from the console's TCP tab."
        return "Check user and password in REDIS_URL; special characters in them are percent-encoded."

    def _may_try(self) -> bool:
        with self._lock:
            if not self._pause:
                return True
            if time.monotonic() < self._closed_until:
                return False
            # One caller asks; the others don't queue up behind it.
            self._pause = min(self._pause * 2, BREAK_MAX_SECONDS)
            self._closed_until = time.monotonic() + self._pause
        # In a thread of its own: a server that hangs would hold this caller for as long as the time-outs are.
        answered = threading.Event()
        threading.Thread(target=self._probe, args=(answered,), name="redis-probe", daemon=True).start()
        answered.wait(PROBE_SECONDS)
        return not self._pause

    def _probe(self, answered: threading.Event) -> None:
        began = time.monotonic()
        try:
            self.client.ping()
        except Exception as error:  # noqa: BLE001 - whatever it is, also a client closed meanwhile: it is not back
            _log.debug("%s is not back: %s", self.where, type(error).__name__)
        else:
            if time.monotonic() - began <= SLOW_SECONDS:
                self._worked()
        finally:
            answered.set()

    def _failed(self, error: Exception) -> RedisDown:
        from redis.exceptions import AuthenticationError

        with self._lock:
            first = not self._pause
            self._pause = self._pause or BREAK_SECONDS
            self._closed_until = time.monotonic() + self._pause
        hint = self._auth_hint() if isinstance(error, AuthenticationError) else ""
        if first:
            _log.warning("%s failed, going on without it: %s %s", self.where, error, hint)
        return RedisDown(f"{self.where}: {error}", hint=hint)

    def _worked(self) -> None:
        with self._lock:
            was_down, self._pause, self._closed_until = self._pause, 0.0, 0.0
        if was_down:
            _log.info("%s is back.", self.where)


def redis_url(settings: Settings) -> tuple[str, bool] | None:
    """URL and whether it was derived from the Upstash REST variables; None where nothing is set.

    Upstash serves the REST host's name by TLS on port 6379 too, with the token as the password of ``default``.

    Raises:
        ConfigError: only one of the two Upstash variables is set, or its URL can't be read.
    """
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value(), False
    rest, token = settings.upstash_redis_rest_url, settings.upstash_redis_rest_token
    if rest is None and token is None:
        return None
    if rest is None or token is None:
        missing = "UPSTASH_REDIS_REST_URL" if rest is None else "UPSTASH_REDIS_REST_TOKEN"
        raise ConfigError(
            f"{missing} is not set, its counterpart is.", hint="Upstash console: your database, REST API."
        )
    try:
        host = urlsplit(rest).hostname
    except ValueError:
        host = None
    if not host:
        raise ConfigError("UPSTASH_REDIS_REST_URL can't be read.", hint="It looks like https://name.upstash.io.")
    return f"rediss://default:{quote(token.get_secret_value(), safe='')}@{host}:6379", True


def connect(settings: Settings) -> RedisLink | None:
    """The link of this process; None where no Redis is configured. Doesn't connect yet.

    Raises:
        ConfigError: the variables can't be read.
    """
    found = redis_url(settings)
    return None if found is None else _link(*found)


@lru_cache(maxsize=8)
def _link(url: str, derived: bool) -> RedisLink:  # noqa: FBT001 - the cache's key
    return RedisLink(url, derived=derived)
