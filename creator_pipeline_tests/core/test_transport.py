"""Connections to a real server that misbehaves."""

import gzip
import signal
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from creator_pipeline.core import http as room
from creator_pipeline.core.errors import RejectedError, TransientError
from creator_pipeline_tests.support.http_server import GOOD, TOKEN, says


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


def test_a_body_that_drips_for_ever_ends_with_the_deadline(server, client):
    """Guards: a server that keeps one step alive by a byte a second, below every read time-out."""

    def drip(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server.script = [drip]
    began = time.monotonic()
    with pytest.raises(TransientError):
        client(deadline=0.4).get("/x")
    assert time.monotonic() - began < 20


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
        go_on.wait(30)
        GOOD(handler)

    server.script = [slow]
    one = client(connections=1, attempts=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.get, "/x")
        assert began.wait(30)
        second = pool.submit(one.get, "/y")
        one.close()
        go_on.set()
        assert first.result(30) == {"ok": True}
        with pytest.raises(TransientError, match="closed"):
            second.result(30)
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


def test_who_is_told_to_stop_does_not_wait_for_the_answer(server, client):
    """Guards: a run that is cancelled and goes on for the five minutes that a platform may take."""
    go_on = threading.Event()
    server.script = [lambda handler: go_on.wait(20) and GOOD(handler)]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, stop)
    one, began = client(connections=1), time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            one.get("/x")
    finally:
        signal.signal(signal.SIGALRM, former)
        go_on.set()
    assert time.monotonic() - began < 10
    server.script = [GOOD]
    assert one.get("/y") == {"ok": True}


def test_a_request_nobody_wants_gives_its_connection_back(server, client):
    """Guards: the connections used up by pages that were asked for ahead."""
    server.script = [lambda handler: time.sleep(0.1) or GOOD(handler)]
    one = client(connections=1)
    for _ in range(3):
        one.start("/x", None, dict).cancel()
    assert one.get("/y") == {"ok": True}


def test_a_request_sent_ahead_is_tried_again_like_any_other(server, client):
    """Guards: a page asked for ahead whose failure isn't counted, waited for, or is told too early."""
    server.script = [says(503, b""), cut, GOOD]
    one = client()
    pending = one.start("/x", None, dict)
    assert pending.result() == {"ok": True}
    assert (one.usage.requests, one.usage.retries) == (3, 2)
    one.close()
    pending = one.start("/x", None, dict)
    with pytest.raises(TransientError, match="closed"):
        pending.result()
