"""Payouts and earnings of the stand-in over HTTP: shapes, scopes, pages, old servers."""

from datetime import UTC, date, datetime

import pytest

from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.gumroad_stand_in import payout_fixture, read_payout
from creator_pipeline_tests.support.sandbox import SandboxServer, World

HEADS = ("payout_usd_everything.json", "payout_eur.json", "payout_returned.json", "payout_instant.json")


@pytest.fixture
def of(server):
    """A client of another seller."""
    clients = []

    def client(profile):
        token = server.world.gumroad[profile].token
        clients.append(local_http.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def kinds(row):
    """The type of each value of a line."""
    return {key: type(value) for key, value in row.items()}


def test_the_shapes_are_the_written_down_ones(server):
    """Guards: a reader that is tested with keys which the service doesn't have."""
    heads = [payout_fixture(name)["payout"] for name in HEADS]
    known = {frozenset(head) for head in heads}
    shapes: dict[str, list[dict]] = {}
    for head in [*heads, payout_fixture("payout_failed_refund_pair.json")["payout"]]:
        for row in head["transactions"]:
            shapes.setdefault(row["type"], []).append(kinds(row))
    seen = set()
    for profile, seller in server.world.gumroad.items():
        for payout in seller.books.run.payouts:
            head = read_payout(server, profile, payout.id)
            assert {frozenset(head)} == known
            for row in head["transactions"]:
                assert list(row) == list(heads[0]["transactions"][0])
                seen.add(row["type"])
                if row["type"] in shapes and row["type"] != "Credit":
                    assert kinds(row) in shapes[row["type"]], row
    assert seen >= set(shapes) | {"Technical Adjustment", "Stripe Connect Refund", "Stripe Connect Affiliate Fees"}
    page = payout_fixture("payouts_page_1.json")["payouts"]
    assert {frozenset(row) for row in page} == {
        frozenset(head) - {"sales", "refunded_sales", "disputed_sales"} - {"transactions"}
    }


def test_the_list_has_planned_ones_first_in_pages_of_ten(api, server, all_rows):
    """Guards: planned payouts that push settled ones off the page, and are stored as paid."""
    first = api.get("/v2/payouts").json()
    planned = [row for row in first["payouts"] if row["id"] is None]
    assert planned
    assert len(first["payouts"]) == 10
    assert first["payouts"][: len(planned)] == planned
    days = [row["created_at"] for row in planned]
    assert days == sorted(days, reverse=True)
    assert all(day.endswith("T00:00:00Z") for day in days)
    assert {row["status"] for row in planned} == {"payable"}
    upcoming = api.get("/v2/payouts/upcoming?include_sales=false").json()["payouts"]
    assert upcoming == planned[::-1]
    settled = all_rows("/v2/payouts", "payouts", include_upcoming="false")
    made = server.world.gumroad["alice"].books.run.payouts
    assert [row["id"] for row in settled] == [one.id for one in reversed(made)]
    assert all_rows("/v2/payouts", "payouts") == [*planned, *settled]
    assert api.get("/v2/payouts?include_upcoming=0").json()["payouts"][0]["id"] is None
    assert first["next_page_url"] == f"/v2/payouts?page_key={first['next_page_key']}"


def test_both_dates_choose_planned_ones_too(api):
    """Guards: a window that is inclusive at both ends."""
    rows = api.get("/v2/payouts").json()["payouts"]
    planned = [row for row in rows if row["id"] is None][-1]
    day = planned["created_at"][:10]
    inside = api.get(f"/v2/payouts?after={day}").json()["payouts"]
    assert planned in inside
    assert all(row["id"] is None for row in inside)
    assert planned not in api.get(f"/v2/payouts?before={day}").json()["payouts"]
    settled = next(row for row in rows if row["id"])
    day = settled["created_at"][:10]
    assert settled in api.get(f"/v2/payouts?after={day}&include_upcoming=false").json()["payouts"]
    assert settled not in api.get(f"/v2/payouts?before={day}&include_upcoming=false").json()["payouts"]


@pytest.mark.parametrize("query", ["after=", "before=2026-13-01", "after=yesterday", "page_key=abc"])
def test_bad_parameters_are_400_in_their_own_shape(api, query):
    """Guards: success looked for in a 400."""
    answer = api.get(f"/v2/payouts?{query}")
    assert answer.status_code == 400
    assert set(answer.json()) == {"status", "error"}


def test_unknown_payouts_and_other_sellers_are_200_without_success(api, server):
    """Guards: 200 taken for an answer."""
    other = server.world.gumroad["bea"].books.run.payouts[0].id
    for payout_id in ("nobody==", other):
        answer = api.get(f"/v2/payouts/{payout_id}")
        assert (answer.status_code, answer.json()) == (200, payout_fixture("payout_not_found.json"))


def test_lists_and_lines_come_as_they_are_asked_for(api, server):
    """Guards: a missing key taken for an empty list."""
    payout_id = server.world.gumroad["alice"].books.run.payouts[0].id
    lists = {"sales", "refunded_sales", "disputed_sales"}

    def keys(**asked):
        return set(api.get(f"/v2/payouts/{payout_id}", params=asked).json()["payout"])

    assert lists <= keys()
    assert "transactions" not in keys() | keys(include_transactions="1")
    assert not lists & keys(include_sales="false")
    assert lists <= keys(include_sales="no")
    assert "transactions" in keys(include_transactions="true")
    server.world.gumroad.drop_scope("alice", "view_sales")
    assert not lists & keys()
    assert "transactions" in keys(include_transactions="true")
    server.world.gumroad["alice"].scopes.add("account")
    assert lists <= keys()


def test_without_the_scope_every_call_is_403_with_an_empty_body(api, server):
    """Guards: an old consent that looks like an account without payouts."""
    payout_id = server.world.gumroad["alice"].books.run.payouts[0].id
    server.world.gumroad.drop_scope("alice", "view_payouts")
    for path in ("/v2/payouts", "/v2/payouts/upcoming", f"/v2/payouts/{payout_id}", "/v2/earnings?year=2025"):
        answer = api.get(path)
        assert (answer.status_code, answer.content) == (403, b"")
    assert api.get("/v2/sales").status_code == 200


def test_a_server_of_2025_has_neither_lines_nor_planned_ones(api, server):
    """Guards: lines waited for that never come."""
    payout_id = server.world.gumroad["alice"].books.run.payouts[0].id
    local_http.post(f"{server.url}/_sandbox/gumroad/switches", json={"payouts_server": "2025"}).raise_for_status()
    asked = {"include_transactions": "true", "include_sales": "false"}
    told = api.get(f"/v2/payouts/{payout_id}", params=asked).json()["payout"]
    assert set(told) == set(payout_fixture("payout_old_server.json")["payout"])
    assert api.get("/v2/payouts/upcoming").json() == payout_fixture("payout_not_found.json")
    assert all(row["id"] for row in api.get("/v2/payouts").json()["payouts"])


def test_a_server_before_payouts_answers_with_a_page(api, server):
    """Guards: JSON expected of a 404."""
    wish = {"payouts_server": "none", "unknown_route": "page"}
    local_http.post(f"{server.url}/_sandbox/gumroad/switches", json=wish).raise_for_status()
    server.world.gumroad.drop_scope("alice", "view_payouts")
    for path in ("/v2/payouts", "/v2/payouts/upcoming", "/v2/payouts/x", "/v2/earnings?year=2025"):
        answer = api.get(path)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (404, "text/html")


def test_switches_refuse_what_they_do_not_know(server):
    """Guards: a test that believes to have an old server."""
    answer = local_http.post(f"{server.url}/_sandbox/gumroad/switches", json={"payouts_server": "1999"})
    assert (answer.status_code, server.gumroad.payouts_server) == (400, "2026")


def test_lines_of_a_day_come_in_another_order_each_time(api, server):
    """Guards: lines told apart by their place in the answer."""
    payout = max(server.world.gumroad["alice"].books.run.payouts, key=lambda one: len(one.entries))
    first, second = (read_payout(server, "alice", payout.id)["transactions"] for _ in range(2))
    assert first != second
    days = [row["date"] for row in first[:-1]]
    assert days == sorted(days)
    assert sorted(map(str, first)) == sorted(map(str, second))
    assert first[-1]["type"] == second[-1]["type"] == "Technical Adjustment"


def test_numbers_are_doubles_that_nobody_rounded(server):
    """Guards: 20.97 expected of a number that is 20.969999999999999."""
    rows = [
        row
        for payout in server.world.gumroad["alice"].books.run.payouts
        for row in read_payout(server, "alice", payout.id)["transactions"]
    ]
    assert any(row["net_total"] != round(row["net_total"], 2) for row in rows)
    assert {str(row["taxes"]) for row in rows if row["type"] == "Full Refund"} >= {"-0.0"}
    taxed = [row for row in rows if row["taxes"] == 4.13]
    assert taxed
    assert all(round(row["net_total"], 2) == round(row["sale_price"] - row["gumroad_fees"], 2) for row in taxed)


def test_a_planned_payout_has_lines_too(api):
    """Guards: a reader that expects an id of everything with lines."""
    (first, *_) = api.get("/v2/payouts/upcoming?include_transactions=true").json()["payouts"]
    assert first["id"] is None
    assert round(sum(row["net_total"] for row in first["transactions"]), 2) == float(first["amount"])


def test_a_euro_account_plans_in_dollars_and_a_held_one_says_paused(of, server):
    """Guards: dollars taken for euro."""
    server.world.gumroad.credit("chen", 50_000)
    server.world.gumroad.pause("chen")
    planned = of("chen").get("/v2/payouts/upcoming").json()["payouts"]
    assert {(row["currency"], row["status"]) for row in planned} == {("usd", "paused")}


@pytest.fixture
def last_year():
    """Alice with sales of the year before."""
    with SandboxServer(World.invented(today=date(2026, 2, 10), sizes={"alice": 200}, days=120)) as running:
        seller = running.world.gumroad["alice"]
        seller.scopes.add("view_tax_data")
        headers = {"Authorization": f"Bearer {seller.token}"}
        with local_http.Client(base_url=running.url, headers=headers) as client:
            yield running, client


def test_earnings_of_a_year(last_year):
    """Guards: earnings compared with figures that the service doesn't count."""
    server, client = last_year
    told = client.get("/v2/earnings?year=2025").json()
    assert set(told) == set(payout_fixture("earnings_2025.json"))
    assert (
        told["net_cents"]
        == told["gross_cents"] - told["fees_cents"] - told["taxes_cents"] - told["affiliate_credit_cents"]
    )
    part = server.world.gumroad
    part.add_sale("alice", created_at=datetime(2025, 12, 30, 12, tzinfo=UTC), price=1000, gumroad_tax_cents=55)
    part.add_sale("alice", created_at=datetime(2025, 12, 31, 12, tzinfo=UTC), price=1000)
    lost = part.add_sale("alice", created_at=datetime(2025, 12, 29, 12, tzinfo=UTC), price=1000)
    part.dispute("alice", lost.id)
    again = client.get("/v2/earnings?year=2025").json()
    assert again["gross_cents"] - told["gross_cents"] == 1055
    assert again["taxes_cents"] - told["taxes_cents"] == 55


@pytest.mark.parametrize("year", ["2026", "2019", "", "x"])
def test_earnings_that_are_not_told(last_year, year):
    """Guards: the running year waited for."""
    answer = last_year[1].get("/v2/earnings", params={"year": year})
    assert (answer.status_code, set(answer.json())) == (404, set(payout_fixture("earnings_404.json")))


def test_earnings_of_an_account_without_tax_centre(last_year):
    """Guards: a 403 with a body taken for a missing scope."""
    server, client = last_year
    server.world.gumroad["alice"].tax_center = False
    answer = client.get("/v2/earnings?year=2025")
    assert (answer.status_code, answer.json()) == (403, payout_fixture("earnings_403.json"))
