"""Settings, keys and tokens at rest: whatever stands there, a ConfigError that names it, or it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from creator_pipeline import settings
from creator_pipeline.core import signing
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing, key_ring, new_key
from creator_pipeline.core.signatures import BadSignatureError
from creator_pipeline.mail.signatures import verified
from creator_pipeline.platforms.whop.tiers import parse_tiers
from creator_pipeline.platforms.whop.webhook import verify as verify_whop
from creator_pipeline.queue.redis_client import RedisLink, redis_url
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline_tests.support.hostile import TEXT, quick

VARIABLES = sorted(name.upper() for name in settings.Settings.model_fields)
SETTABLE = TEXT.filter(lambda text: "\0" not in text and len(text) < 5000)
"""What an environment can hold."""
URLS = st.sampled_from(
    [
        "http://[",
        "redis://[::1",
        "rediss://:p@:port/x",
        "redis://h:99999",
        "postgresql://u:p@h:port/x",
        "postgres://",
        "sqlite://",
        "mysql://x",
        "://",
        "https://",
        "postgresql+nosuch://h/x",
        "redis://h/not-a-number",
    ]
)


def refused(do: Callable[[], object]) -> ConfigError | None:
    """The ConfigError it ends with; None where it ends well. Anything else goes on its way."""
    try:
        do()
    except ConfigError as error:
        return error
    return None


@quick(100)
@given(
    name=st.sampled_from(VARIABLES),
    value=SETTABLE | URLS | st.sampled_from(["inf", "nan", "-1", "0", "1e-320", "maybe"]),
)
@example(name="WHOP_REQUESTS_PER_MINUTE", value="inf")
@example(name="RESEND_REQUESTS_PER_SECOND", value="5e-324")
@example(name="PIPELINE_START_DATE", value="0001-01-01")
@example(name="AUTH_CONFIRM_URL", value="http://[")
@example(name="UPSTASH_REDIS_REST_URL", value="http://[")
def test_a_variable_of_any_value_is_read_or_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: a rate of "inf" was taken, and the pace divided by it; a bad URL was a trace from a library."""
    with monkeypatch.context() as patched:
        patched.setenv("UPSTASH_REDIS_REST_TOKEN", "token")
        patched.setenv(name, value)
        if (error := refused(settings.load)) is not None:
            assert name in error.message
            assert len(value) < 8 or value not in str(error)
            return
        config = settings.load()
        config.secret_values()
        rates = (config.gumroad_requests_per_minute, config.whop_requests_per_minute, config.resend_requests_per_second)
        assert all(0 < rate < float("inf") for rate in rates)
        for use in (lambda: config.require(name), lambda: redis_url(config), lambda: parse_tiers(config.whop_tiers)):
            error = refused(use)
            assert error is None or error.message


@quick(30)
@given(lines=st.lists(st.tuples(st.sampled_from(VARIABLES) | TEXT, TEXT), max_size=4), raw=st.binary(max_size=20))
@example(lines=[], raw=b"\x80")
def test_an_env_file_of_any_kind_is_read_or_named(lines: list[tuple[str, str]], raw: bytes) -> None:
    """Incident: a .env saved in another encoding ended every command with a UnicodeDecodeError."""
    Path(".env").write_bytes(b"\n".join([*(f"{name}={value}".encode() for name, value in lines), raw]))
    error = refused(settings.load)
    Path(".env").unlink()
    assert error is None or error.message


@quick(60)
@given(url=URLS | SETTABLE.filter(lambda text: "/" not in text and ":" not in text))
def test_an_address_of_a_server_that_cannot_be_read_is_a_config_error(url: str) -> None:
    """Incident: a port that is no number in DATABASE_URL or REDIS_URL was a ValueError somewhere in a run."""
    for use in (open_warehouse, RedisLink):
        error = refused(lambda use=use: use(url))
        assert error is None or len(url) < 8 or url not in str(error)


@quick(100)
@given(
    keys=st.lists(st.just(new_key()) | SETTABLE, max_size=3),
    token=TEXT | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
)
def test_keys_and_tokens_at_rest_of_any_kind_are_used_or_named(keys: list[str], token: str, tmp_path: Path) -> None:
    """Incident: a token cut short in the database, or a key in another alphabet, was a ValueError of a library."""
    try:
        ring = key_ring(",".join(keys) or ",", tmp_path)
    except ConfigError:
        ring = KeyRing([new_key()])
    for use in (ring.decrypt, ring.rotate):
        with pytest.raises(ConfigError):
            use(token)
    assert ring.decrypt(ring.rotate(ring.encrypt(token))) == token
    assert signing.read(ring, "purpose", token, 60) is None
    assert len(ring.hash_address(token)) == 32


@quick(100)
@given(
    secret=TEXT,
    headers=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), TEXT),
    body=st.binary(max_size=50),
)
def test_secrets_and_headers_of_any_kind_fit_nothing(secret: str, headers: dict[str, Any], body: bytes) -> None:
    """Incident: a secret with a character outside of ASCII made each delivery a 500."""
    assert not verified(body, headers, secret)
    with pytest.raises((BadSignatureError, ConfigError)):
        verify_whop(secret, headers, body)
