"""Each fault does what it says, and nothing goes wrong unasked."""

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [("429", 429, "text/plain"), ("502", 502, "text/html"), ("500", 500, "text/html"), ("garbage", 200, "text/html")],
)
def test_every_third_request_fails_in_its_way(server, api, kind, status, content_type):
    """Guards: a retry that is never tried."""
    server.faults.every(3, kind)
    answers = [api.get("/v2/sales") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, status] * 2
    assert answers[2].headers["content-type"].startswith(content_type)
    assert "retry-after" not in answers[2].headers
    assert server.faults.requests["/v2/sales"] == 6


def test_retry_after_comes_in_both_forms_and_times_ends_a_fault(server, api):
    """Guards: a date in Retry-After crashing int()."""
    server.faults.every(1, "429_retry_after", times=2)
    server.faults.retry_after = 7
    assert api.get("/v2/sales").headers["retry-after"] == "7"
    server.faults.retry_after_as_date = True
    then = parsedate_to_datetime(api.get("/v2/sales").headers["retry-after"])
    assert 0 <= then.timestamp() - time.time() <= 8
    assert api.get("/v2/sales").status_code == 200


@pytest.mark.parametrize("kind", ["truncated", "reset"])
def test_broken_connections_are_errors_and_the_next_request_works(server, api, kind):
    """Guards: half a page taken for a page."""
    server.faults.every(2, kind)
    assert api.get("/v2/sales").status_code == 200
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        api.get("/v2/sales")
    assert api.get("/v2/sales").status_code == 200


def test_long_windows_time_out_as_400_and_short_ones_do_not(server, api):
    """Guards: giving up where halving the window helps."""
    server.faults.slow_window_days = 10
    late = api.get("/v2/sales?after=2026-08-01&before=2026-09-01")
    assert (late.status_code, late.json()["error"][:15]) == (400, "Query timed out")
    assert api.get("/v2/sales?before=2026-09-01").status_code == 400
    assert api.get("/v2/sales?after=2026-08-01&before=2026-08-11").status_code == 200
    server.faults.slow_window_days = None
    server.faults.every(1, "timeout_400")
    assert api.get("/v2/sales").status_code == 400


def test_repeated_rows_and_shuffled_pages(server, api):
    """Guards: a row counted twice, or order taken for granted."""
    first = api.get("/v2/sales").json()
    second = {"page_key": first["next_page_key"]}
    ids = [row["id"] for row in api.get("/v2/sales", params=second).json()["sales"]]
    server.faults.every(1, "repeat_rows", times=1)
    repeated = [row["id"] for row in api.get("/v2/sales", params=second).json()["sales"]]
    assert repeated == [first["sales"][-1]["id"], *ids]
    server.faults.every(1, "shuffle")
    mixed = [row["id"] for row in api.get("/v2/sales", params=second).json()["sales"]]
    assert mixed != ids
    assert sorted(mixed) == sorted(ids)


def test_repeated_key_never_ends(server, api):
    """Guards: a list that never ends."""
    server.faults.every(1, "repeat_key")
    key = api.get("/v2/sales").json()["next_page_key"]
    for _ in range(3):
        assert api.get("/v2/sales", params={"page_key": key}).json()["next_page_key"] == key


def test_sales_that_arrive_during_a_reading_are_not_seen_until_the_next(server, all_rows):
    """Guards: pages shifting under the reader."""
    server.faults.every(5, "arrivals")
    assert len(all_rows()) == 430
    server.faults.clear()
    truth = server.world.gumroad.totals("alice")
    rows = all_rows()
    assert len(rows) > 430
    assert len(rows) == len(server.world.gumroad["alice"].rows)
    charged = [r for r in rows if r.get("refunded") is not None]
    assert sum(r["price"] for r in charged) == sum(day.gross_cents for day in truth.values())


def test_slow_answers_wait(server, api):
    """Guards: a time-out that is never tried."""
    server.faults.every(1, "slow")
    server.faults.delay = 0.2
    began = time.perf_counter()
    assert api.get("/v2/sales").status_code == 200
    assert time.perf_counter() - began >= 0.2


def test_rate_limit_is_by_token_and_slides(server, api):
    """Guards: a pace that is too fast going unnoticed."""
    server.faults.limit(3, 60.0)
    assert [api.get("/v2/user").status_code for _ in range(4)] == [200, 200, 200, 429]
    other = {"Authorization": f"Bearer {server.world.gumroad['bea'].token}"}
    assert api.get("/v2/user", headers=other).status_code == 200
    assert server.faults.throttled == 1
    for passed in server.faults._passed.values():
        passed[0] -= 60.0
    assert [api.get("/v2/user").status_code for _ in range(2)] == [200, 429]


def test_unknown_fault_is_refused(server):
    """Guards: a misspelt fault that tests nothing."""
    with pytest.raises(ValueError, match="no fault 'fire'"):
        server.faults.every(2, "fire")


def test_control_routes_change_the_world_for_other_processes(server, api):
    """Guards: demos in other processes can't drive the world."""
    assert "alice" in api.get("/").text
    assert api.get("/_sandbox/world").json()["gumroad"]["alice"]["token"] == server.world.gumroad["alice"].token
    sale = api.post("/_sandbox/gumroad/alice/sales", json={"price": 1234}).json()
    refunded = api.post("/_sandbox/gumroad/alice/refund", json={"sale_id": sale["id"], "cents": 34}).json()
    assert (refunded["price"], refunded["refunded_cents"]) == (1234, 34)
    totals = api.get("/_sandbox/totals/alice").json()
    assert totals["2026-09-20"] == server.world.gumroad.totals("alice")[server.world.today]._asdict()
    assert api.post("/_sandbox/gumroad/alice/refund", json={"sale_id": sale["id"], "cents": 9999}).status_code == 400
    assert api.post("/_sandbox/faults", json={"every": {"1": "502"}, "limit_per_minute": 100}).json() == {"ok": True}
    assert api.get("/v2/sales").status_code == 502
    assert api.get("/_sandbox/requests").json() == {"requests": {"/v2/sales": 1}, "throttled": 0}
    assert api.post("/_sandbox/faults", json={"everi": {}}).status_code == 400
    assert api.post("/_sandbox/gumroad/alice/revoke").json() == {"ok": True}
