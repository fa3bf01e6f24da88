"""Webhooks: bodies byte for byte as the service writes them, and its rule of retries."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from creator_pipeline.platforms.gumroad.sandbox.pings import encode, sale_payload
from creator_pipeline.platforms.gumroad.sandbox.shapes import Buyer, Product, Sale

# The published bodies of a Japanese sale and of one with variants, custom fields and an affiliate.
JPY = b"seller_id=pCeerkeqp0F9piQ0eVoBHA%3D%3D&product_id=mJVVJtlDbbvOgqnGJxKqkQ%3D%3D&product_name=%E6%8A%98%E3%82%8A%E7%B4%99%E3%83%AF%E3%83%BC%E3%82%AF%E3%83%96%E3%83%83%E3%82%AF&permalink=origami&product_permalink=https%3A%2F%2Fmara.gumroad.com%2Fl%2Forigami&short_product_id=origami&email=haruka%40example.com&price=1000&gumroad_fee=209&currency=jpy&quantity=1&discover_fee_charged=false&can_contact=true&referrer=direct&card%5Bvisual%5D=%2A%2A%2A%2A%20%2A%2A%2A%2A%20%2A%2A%2A%2A%204242&card%5Btype%5D=visa&card%5Bbin%5D=&card%5Bexpiry_month%5D=&card%5Bexpiry_year%5D=&order_number=19180071&sale_id=5eJ8odwyRPobC5MH5vti8g%3D%3D&sale_timestamp=2026-09-19T03%3A05%3A00Z&full_name=%E4%BD%90%E8%97%A4%20%E3%81%AF%E3%82%8B%E3%81%8B&ip_country=Japan&is_gift_receiver_purchase=false&refunded=false&resource_name=sale&disputed=false&dispute_won=false"
BRUSH = b"seller_id=pCeerkeqp0F9piQ0eVoBHA%3D%3D&product_id=jdtqa4-DNLCpsNC2N1dpdQ%3D%3D&product_name=Night%20Sky%20Brush%20Pack&permalink=brush&product_permalink=https%3A%2F%2Fmara.gumroad.com%2Fl%2Fbrush&short_product_id=brush&email=ines%40example.com&price=4900&gumroad_fee=712&currency=usd&quantity=1&discover_fee_charged=false&can_contact=true&referrer=https%3A%2F%2Fwww.youtube.com%2F&card%5Bvisual%5D=%2A%2A%2A%2A%20%2A%2A%2A%2A%20%2A%2A%2A%2A%204242&card%5Btype%5D=visa&card%5Bbin%5D=&card%5Bexpiry_month%5D=&card%5Bexpiry_year%5D=&order_number=1048882145&sale_id=MjWvP4rgp8COmPk6Mh966g%3D%3D&sale_timestamp=2026-09-19T18%3A42%3A07Z&full_name=In%C3%AAs%20P%C3%A2querette&purchaser_id=5530311507811&affiliate_credit_amount_cents=837&url_params%5Butm_source%5D=newsletter&url_params%5Bref%20id%5D=a%20b%26c%3D%C3%BC&variants%5BLicense%5D=Commercial&Twitter%20handle=%40ines_draws&I%20agree%20to%20the%20terms=true&custom_fields%5BTwitter%20handle%5D=%40ines_draws&custom_fields%5BI%20agree%20to%20the%20terms%5D=true&license_key=83DB262A-C19D3B06-A5235A6B-8C079166&ip_country=United%20States&affiliate=olek.affiliate%40example.com&is_gift_receiver_purchase=false&refunded=false&resource_name=sale&disputed=false&dispute_won=false"
ORIGAMI = Product("mJVVJtlDbbvOgqnGJxKqkQ==", "origami", "折り紙ワークブック", 1500, "jpy")
BRUSH_PACK = Product("jdtqa4-DNLCpsNC2N1dpdQ==", "brush", "Night Sky Brush Pack", 2500)


@pytest.fixture
def mara(server):
    seller = server.world.gumroad["alice"]
    seller.profile, seller.seller_id = "mara", "pCeerkeqp0F9piQ0eVoBHA=="
    return seller


def test_a_japanese_sale_is_encoded_as_the_service_does(mara):
    """Guards: yen taken for the price, which is US cents."""
    buyer = Buyer("haruka@example.com", "佐藤 はるか", "Japan", "JP")
    sale = Sale("5eJ8odwyRPobC5MH5vti8g==", 19180071, 1789787100, 1, ORIGAMI, 1000, 209, buyer)
    assert encode(sale_payload(mara, sale, "sale")) == JPY


def test_custom_fields_stand_at_the_top_too_as_the_service_writes_them(mara):
    """Guards: a receiver tested with bodies tidier than the real ones."""
    buyer = Buyer("ines@example.com", "Inês Pâquerette", purchaser_id="5530311507811")
    sale = Sale("MjWvP4rgp8COmPk6Mh966g==", 1048882145, 1789843327, 1, BRUSH_PACK, 4900, 712, buyer)
    sale.referrer, sale.license_key = "https://www.youtube.com/", "83DB262A-C19D3B06-A5235A6B-8C079166"
    sale.url_params = {"utm_source": "newsletter", "ref id": "a b&c=ü"}
    sale.variants = {"License": "Commercial"}
    sale.custom_fields = {"Twitter handle": "@ines_draws", "I agree to the terms": True}
    sale.affiliate, sale.affiliate_cents = "olek.affiliate@example.com", 837
    assert encode(sale_payload(mara, sale, "sale")) == BRUSH


def test_a_custom_field_overwrites_a_field_of_its_name_and_brackets_are_escaped_twice(server):
    """Guards: trusting the top level of a ping."""
    sale = server.world.gumroad.add_sale("alice", custom_fields={"price": "1", "Size [cm]": "3"})
    body = encode(sale_payload(server.world.gumroad["alice"], sale, "sale")).decode()
    form = parse_qs(body)
    assert form["price"] == ["1"]
    assert form["custom_fields[price]"] == ["1"]
    assert "Size%20%255Bcm%255D=3" in body


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.bodies.append(parse_qs(body, keep_blank_values=True))
            self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.bodies, listening.statuses = [], []
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def subscribe(api, receiver, name: str) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    assert api.put("/v2/resource_subscriptions", data={"resource_name": name, "post_url": url}).json()["success"]


def test_sale_refund_and_dispute_reach_their_webhooks_and_only_when_asked(server, api, receiver):
    """Guards: refunds that never arrive because only sales were subscribed."""
    part = server.world.gumroad
    for name in ("sale", "refund", "dispute"):
        subscribe(api, receiver, name)
    part.add_sale("alice")
    sale = part.add_sale("alice", pings=True)
    part.refund("alice", sale.id, 100, pings=True)
    part.dispute("alice", sale.id, pings=True)
    assert server.pings.wait_idle()
    assert [body["resource_name"] for body in receiver.bodies] == [["sale"], ["refund"], ["dispute"]]
    assert {body["sale_id"][0] for body in receiver.bodies} == {sale.id}
    assert receiver.bodies[1]["refunded"] == ["false"]


@pytest.mark.parametrize("status", [499, 500, 502, 503, 504])
def test_these_answers_are_tried_again_three_times_with_a_count(server, api, receiver, status):
    """Guards: a delivery taken for new because its body differs."""
    subscribe(api, receiver, "sale")
    receiver.statuses = [status] * 9
    server.world.gumroad.add_sale("alice", pings=True)
    assert server.pings.wait_idle()
    assert [body.get("retry_count") for body in receiver.bodies] == [None, ["1"], ["2"], ["3"]]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 501])
def test_other_answers_are_never_tried_again(server, api, receiver, status):
    """Guards: a receiver that refuses and hopes for a second try."""
    subscribe(api, receiver, "sale")
    receiver.statuses = [status] * 9
    server.world.gumroad.add_sale("alice", pings=True)
    assert server.pings.wait_idle()
    assert [code for _, code in server.pings.log] == [status]


def test_a_refused_connection_is_never_tried_again(server, api, receiver):
    """Guards: believing that downtime of the receiver is made good by retries."""
    server.world.gumroad["alice"].ping_url = "http://127.0.0.1:9/gone"
    server.world.gumroad.add_sale("alice", pings=True)
    assert server.pings.wait_idle()
    assert [what for _, what in server.pings.log] == ["ConnectError"]


def test_the_settings_page_button_sends_a_test_without_a_resource_name(server, receiver):
    """Guards: a test ping stored as a sale."""
    server.world.gumroad["alice"].ping_url = f"http://127.0.0.1:{receiver.server_port}/ping"
    server.pings.press_test_button("alice")
    assert server.pings.wait_idle()
    assert receiver.bodies[0]["test"] == ["true"]
    assert "resource_name" not in receiver.bodies[0]


def test_no_webhook_is_sent_for_an_app_without_the_scope(server, api, receiver):
    """Guards: silence taken for no sales."""
    subscribe(api, receiver, "sale")
    server.world.gumroad.drop_scope("alice", "view_sales")
    server.world.gumroad.add_sale("alice", pings=True)
    assert server.pings.wait_idle()
    assert receiver.bodies == []
