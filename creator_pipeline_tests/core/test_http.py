"""The HTTP client against a real server that misbehaves."""

import gzip
import http.server
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest
import tenacity
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.core import http as room
from creator_pipeline.core.errors import AuthError, PipelineError, RejectedError, TransientError
from creator_pipeline.core.http import ApiClient, retry_after
from creator_pipeline.gumroad.client import classify

TOKEN = "gr_secret/token+1="


class Free:
    """A pace that never waits, and counts."""

    asked = 0

    def wait(self) -> float:
        """Go."""
        self.asked += 1
        return 0.0


class Server:
    """Answers each request by the next function of ``script``, the last one for ever."""

    def __init__(self) -> None:
        self.script = [lambda handler: reply(handler, 200, b'{"ok": true}')]
        self.seen: list[tuple[str, str]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.seen.append((self.path, self.headers.get("Authorization", "")))
                step = owner.script.pop(0) if len(owner.script) > 1 else owner.script[0]
                step(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that hangs up is what some tests are about
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(handler, status: int, body: bytes, **headers: str) -> None:
    """An answer in good order."""
    handler.send_response(status)
    for name, value in {
        "Content-Length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def says(status: int, body: bytes, **headers: str):
    """A step of a script."""
    return lambda handler: reply(handler, status, body, **headers)


GOOD = says(200, b'{"ok": true}')


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server):
    made = []

    def make(**over) -> ApiClient:
        options = {
            "base_url": server.url,
            "token": TOKEN,
            "classify": classify,
            "pace": Free(),
            "attempts": 4,
            "deadline": 20.0,
        }
        made.append(ApiClient(**(options | over)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Back-off of the real shape, a hundred times as fast."""
    real = tenacity.wait_random_exponential
    monkeypatch.setattr(
        tenacity,
        "wait_random_exponential",
        lambda **bounds: real(**{name: value / 100 for name, value in bounds.items()}),
    )


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
    assert time.monotonic() - began < 0.9


def test_a_body_that_drips_for_ever_ends_with_the_deadline(server, client):
    """Guards: a server that keeps one step alive by a byte a second, below every read time-out."""

    def drip(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(60):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server.script = [drip]
    began = time.monotonic()
    with pytest.raises(TransientError):
        client(deadline=0.4).get("/x")
    assert time.monotonic() - began < 1.5


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


def cut(handler) -> None:
    """Promise more than is sent, then hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"sales": [')
    handler.close_connection = True


def hang_up(handler) -> None:
    """Close without an answer."""
    handler.close_connection = True


BAD_GZIP = gzip.compress(b'{"ok": true}' * 50)[:-20] + b"\0" * 12


@pytest.mark.parametrize(
    "step",
    [
        cut,
        hang_up,
        says(200, b"<!DOCTYPE html>Just a moment"),
        says(200, b'{"ok": tr'),
        says(200, b""),
        says(200, BAD_GZIP, Content_Encoding="gzip"),
    ],
    ids=["cut off", "reset", "a page", "half a JSON", "nothing", "broken gzip"],
)
def test_an_answer_that_is_not_whole_is_asked_for_again(server, client, step):
    """Guards: half a page taken for the whole, which would delete the other half's rows."""
    server.script = [step, GOOD]
    assert client().get("/x") == {"ok": True}
    server.script = [step]
    with pytest.raises(TransientError) as caught:
        client(attempts=2).get("/x")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_answer_larger_than_bearable_is_refused(server, client, monkeypatch, zipped):
    """Guards: a zip bomb, or an export where a page was asked for."""
    monkeypatch.setattr(room, "MAX_BODY_BYTES", 1 << 20)
    body = b'"' + b"a" * (4 << 20) + b'"'
    step = says(200, gzip.compress(body), Content_Encoding="gzip") if zipped else says(200, body)
    server.script = [step]
    with pytest.raises(RejectedError, match="larger than 1 MiB"):
        client().get("/x")


def test_nobody_listening_is_transient(client):
    """Guards: a platform that restarts marking a connection as broken for good."""
    with pytest.raises(TransientError, match="couldnt connect") as caught:
        client(base_url="http://127.0.0.1:9", attempts=2).get("/x")
    assert "127.0.0.1" not in str(caught.value)


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


def test_a_token_that_would_be_a_second_header_is_not_sent(server, client):
    """Guards: a line break pasted with the token, which would let it write headers of its own."""
    with pytest.raises(RejectedError, match="control character"):
        client(token="one\r\nX-Other: two").get("/x")
    assert server.seen == []


def test_who_waits_for_a_connection_of_a_closed_client_is_told(server, client):
    """Guards: a reader that hangs for ever because the run was stopped meanwhile."""
    began = threading.Event()
    go_on = threading.Event()

    def slow(handler) -> None:
        began.set()
        go_on.wait(5)
        GOOD(handler)

    server.script = [slow]
    one = client(connections=1, attempts=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.get, "/x")
        assert began.wait(5)
        second = pool.submit(one.get, "/y")
        one.close()
        go_on.set()
        assert first.result(5) == {"ok": True}
        with pytest.raises(TransientError, match="closed"):
            second.result(5)
    assert len(server.seen) == 1


def test_a_server_must_prove_who_it_is(server, client, tmp_path, monkeypatch):
    """Guards: a token sent to whoever answers at the platform's address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    valid = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *valid)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    known = tmp_path / "known.pem"
    known.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both = tmp_path / "both.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(known.read_bytes() + key.private_bytes(*plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    address = f"https://localhost:{server.server.server_port}"
    with pytest.raises(TransientError, match=r"cacert|verification"):
        client(base_url=address, attempts=1).get("/x")
    assert server.seen == []
    monkeypatch.setenv("SSL_CERT_FILE", str(known))
    assert client(base_url=address, attempts=1).get("/x") == {"ok": True}
