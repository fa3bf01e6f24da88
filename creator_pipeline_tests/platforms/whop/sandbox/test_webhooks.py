"""The stand-in's deliveries are Whop's: signed bytes, three retries, then dropped, replay under the same id."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from creator_pipeline.platforms.whop.webhook import reread, verify

SECRET = "ws_sandbox_secret"


class Receiver(BaseHTTPRequestHandler):
    status = 202
    got: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((dict(self.headers.items()), body))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver():
    httpd = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    Receiver.got.clear()
    Receiver.status = 202
    yield f"http://127.0.0.1:{httpd.server_port}/webhooks/whop"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_delivery_is_verified_and_names_what_changed(receiver, server, account) -> None:
    account.hooks[receiver] = SECRET
    _, payment = server.world.whop.buy("alice")
    server.world.whop.refund("alice", payment["id"], "1")
    assert server.webhooks.wait_idle()
    told = [reread(verify(SECRET, headers, body), body) for headers, body in Receiver.got]
    assert [knock.event_type for knock in told] == ["membership.activated", "payment.succeeded", "refund.created"]
    assert told[2].ids == (payment["id"],)


def test_a_failing_endpoint_is_tried_four_times_and_a_replay_keeps_the_id(receiver, server, account) -> None:
    """After a short outage Whop drops the event for good: only a replay, or the periodic scan, brings it back."""
    account.hooks[receiver] = SECRET
    Receiver.status = 503
    membership = next(iter(account.tables["memberships"]))
    server.world.whop.past_due("alice", membership)
    assert server.webhooks.wait_idle()
    assert [status for _, status in server.webhooks.log] == [503] * 4
    Receiver.status = 202
    (delivery_id,) = server.webhooks.deliveries
    server.webhooks.replay(delivery_id)
    assert server.webhooks.wait_idle()
    assert {headers["webhook-id"] for headers, _ in Receiver.got} == {delivery_id}
    assert len(Receiver.got) == 5
