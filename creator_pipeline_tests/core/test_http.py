"""The HTTP client against a real server that misbehaves."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core.errors import AuthError, PipelineError, RejectedError, TransientError
from creator_pipeline.core.http import retry_after
from creator_pipeline_tests.support.http_server import GOOD, TOKEN, Free, Server, says


def test_seconds_and_dates_of_retry_after_are_read():
    """Guards: int('Wed, 21 Oct …') in the middle of the night."""
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "0.5"}) == 0.5
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 28 <= retry_after({"retry-after": then}) <= 30
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert retry_after({"retry-after": past}) == 0
    assert [retry_after({"retry-after": text}) for text in ("", "soon", "inf", "nan")] == [None] * 4
    assert retry_after({"retry-after": "-5"}) == 0


@given(
    st.one_of(
        st.text(max_size=40),
        st.builds(
            "Mon, {} Nov {} 10:00:00 {}".format,
            st.integers(0, 99),
            st.integers(0, 10**30),
            st.sampled_from(["GMT", "-0000", "+9999", ""]),
        ),
    )
)
def test_no_retry_after_can_break_the_client(text):
    """Guards: a server's odd header turning a 429 into a crash."""
    seconds = retry_after({"retry-after": text})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("as_date", [False, True])
def test_the_wait_a_platform_asks_for_is_kept(server, client, as_date):
    """Guards: hammering a platform that has said when to come back."""
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if as_date else "1"
    server.script = [says(429, b"Retry later\n", Retry_After=value), GOOD]
    one, began = client(), time.monotonic()
    assert one.get("/x") == {"ok": True}
    assert time.monotonic() - began >= (0.9 if not as_date else 0.5)
    assert (one.usage.requests, one.usage.retries, one.usage.throttled) == (2, 1, 1)


def test_a_wait_longer_than_bearable_is_left_to_the_run(server, client):
    """Guards: a step that sleeps for an hour."""
    server.script = [says(503, b"", Retry_After="3600")]
    with pytest.raises(TransientError) as caught:
        client().get("/x")
    assert (caught.value.retry_after, len(server.seen)) == (3600, 1)


def test_tries_are_bounded(server, client):
    """Guards: a retry for ever."""
    server.script = [says(502, b"<html>")]
    with pytest.raises(TransientError, match="HTTP 502"):
        client().get("/x")
    assert len(server.seen) == 4


def test_waits_end_before_the_deadline(server, client):
    """Guards: a total deadline that only counts tries."""
    server.script = [says(503, b"", Retry_After="1")]
    began = time.monotonic()
    with pytest.raises(TransientError):
        client(deadline=0.5, attempts=100).get("/x")
    # A hundred tries would take a hundred seconds.
    assert time.monotonic() - began < 30


def test_every_try_asks_the_pace(server, client):
    """Guards: retries that go past the token's budget."""
    server.script = [says(500, b""), says(429, b""), GOOD]
    pace = Free()
    client(pace=pace).get("/x")
    assert pace.asked == 3


def test_redirects_are_errors_and_the_token_stays(server, client):
    """Guards: the token handed to whoever a redirect names."""
    other = Server()
    try:
        server.script = [says(302, b"", Location=f"{other.url}/steal")]
        with pytest.raises(RejectedError, match="redirected"):
            client().get("/x")
        assert other.seen == []
    finally:
        other.close()


def test_an_absolute_address_in_place_of_a_path_is_refused(server, client):
    """Guards: a next_page_url from an answer that takes the token to another host."""
    other = Server()
    try:
        with pytest.raises(RejectedError):
            client().get(f"{other.url}/v2/sales")
        assert other.seen == []
    finally:
        other.close()


ECHO = f'{{"error": "bad {TOKEN} and {quote(TOKEN, safe="")}", "message": "{TOKEN}", "success": false}}'.encode()


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500])
def test_an_answer_that_echoes_the_token_does_not_bring_it_into_the_error(server, client, status):
    """Guards: a token in a run's log because the platform quoted the request."""
    server.script = [says(status, ECHO)]
    with pytest.raises(PipelineError) as caught:
        client(attempts=1).get("/x")
    error = caught.value
    for text in (str(error), repr(error), error.message, error.hint):
        assert TOKEN not in text
        assert quote(TOKEN, safe="") not in text
    assert TOKEN not in repr(client())


def test_the_token_travels_in_the_header_only(server, client):
    """Guards: tokens in access logs along the way."""
    client().get("/v2/sales", {"after": "2026-01-01"})
    (path, authorization) = server.seen[0]
    assert authorization == f"Bearer {TOKEN}"
    assert path == "/v2/sales?after=2026-01-01"


def test_errors_are_named_by_what_must_be_done(server, client):
    """Guards: a retry of a revoked token, or none of an edge server's block page."""
    server.script = [says(401, b"")]
    with pytest.raises(AuthError) as caught:
        client().get("/x")
    assert caught.value.revoked
    server.script = [says(403, b"")]
    with pytest.raises(AuthError, match="view_sales") as caught:
        client().get("/x")
    assert not caught.value.revoked
    server.script = [says(403, b"<html>", Content_Type="text/html"), GOOD]
    assert client().get("/x") == {"ok": True}
