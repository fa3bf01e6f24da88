"""Lists, filters and totals of the Gumroad stand-in, through real HTTP."""

from collections import Counter
from datetime import UTC, date, datetime

import httpx
import pytest

from creator_pipeline_tests.support.sandbox import World


def counted(row: dict) -> bool:
    trial = row.get("free_trial_ends_on") and not row["recurring_charge"]
    return bool(row["price"]) and not trial and not row["is_bundle_product_purchase"]


def test_a_world_of_the_same_seed_and_day_is_the_same_and_another_seed_is_not():
    """Guards: a demo whose figures change from run to run can't be explained."""
    worlds = [World.invented(seed, today=date(2026, 9, 20)).gumroad.totals("alice") for seed in (7, 7, 8)]
    assert worlds[0] == worlds[1] != worlds[2]


def test_the_pages_give_every_listed_sale_once_newest_first(server, all_rows):
    """Guards: rows lost or doubled where a page breaks within one second."""
    rows = all_rows()
    assert len(rows) == 430
    assert len({row["id"] for row in rows}) == 430
    times = [row["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert times[9] == times[10], "a page must break within one second, or the tie rule isn't tried"
    assert [row["id"] for row in rows] == [sale.id for sale in reversed(server.world.gumroad["alice"].rows)]


@pytest.mark.parametrize(
    "kind",
    [
        lambda row: row.get("refunded"),
        lambda row: row["partially_refunded"] and row["currency"] == "usd",
        lambda row: row["partially_refunded"] and row["currency"] == "jpy",
        lambda row: row["chargedback"],
        lambda row: row["dispute_won"],
        lambda row: row["price"] == 0 and "refunded" not in row,
        lambda row: row.get("free_trial_ends_on") and row["price"] and "refunded" not in row,
        lambda row: row.get("recurring_charge"),
        lambda row: row["is_bundle_purchase"],
        lambda row: row["is_bundle_product_purchase"] and row["price"] == 0,
        lambda row: row["is_gift_sender_purchase"] and row["giftee_email"],
        lambda row: row["discover_fee_charged"] and row["discover_fee_percentage"] == 30,
        lambda row: row["amount_refundable_in_currency"] == "0" and row.get("refunded") is False,
        lambda row: row["shipping_cents"] and row["tax_cents"],
        lambda row: row.get("tip_cents"),
        lambda row: "loyalty_points" in row,
        lambda row: "full_name" not in row,
        lambda row: row["created_at"].startswith("2026-09-20"),
    ],
)
def test_every_kind_of_sale_is_in_the_list(all_rows, kind):
    """Guards: a trap that isn't in the sandbox isn't tried by anybody."""
    assert any(kind(row) for row in all_rows())


def test_sum_of_the_rows_is_the_truth_by_day(server, all_rows):
    """Guards: truth and rows drifting apart would make every later test of the pipeline worthless."""
    days: Counter[date] = Counter()
    gross: Counter[date] = Counter()
    fees: Counter[date] = Counter()
    for row in filter(counted, all_rows()):
        day = date.fromisoformat(row["created_at"][:10])
        days[day] += 1
        gross[day] += row["price"]
        fees[day] += row["gumroad_fee"]
    totals = server.world.gumroad.totals("alice")
    assert {d: (t.sales, t.gross_cents, t.fee_cents) for d, t in totals.items()} == {
        d: (days[d], gross[d], fees[d]) for d in days
    }


def test_refunds_of_dollar_sales_can_be_read_from_the_row_to_the_cent(server, all_rows):
    """Guards: a refund booked in US cents must show in the refundable text exactly."""
    shop = server.world.gumroad["alice"]
    partial = [row for row in all_rows() if row["partially_refunded"] and row["currency"] == "usd"]
    for row in partial:
        left = round(float(row["amount_refundable_in_currency"].replace(",", "")) * 100)
        assert row["price"] - left == shop.sales[row["id"]].refunded_cents
    assert partial


def test_after_is_inclusive_and_before_exclusive_at_utc_midnight(server, api):
    """Guards: a sale at 00:00:00 counted in two windows or in none."""
    midnight = datetime(2026, 9, 10, tzinfo=UTC)
    sale = server.world.gumroad.add_sale("alice", created_at=midnight, email="edge@example.com")

    def ids(**window: str) -> list[str]:
        answer = api.get("/v2/sales", params=window | {"email": "edge@example.com"})
        return [row["id"] for row in answer.json()["sales"]]

    assert ids(after="2026-09-10") == [sale.id]
    assert ids(after="2026-09-11") == []
    assert ids(before="2026-09-10") == []
    assert ids(before="2026-09-11") == [sale.id]


def test_exactly_ten_rows_have_no_further_page(server, api):
    """Guards: a walker that waits for an empty page."""
    for _ in range(10):
        server.world.gumroad.add_sale("chen", email="ten@example.com")
    token = server.world.gumroad["chen"].token
    answer = api.get("/v2/sales?email=ten@example.com", headers={"Authorization": f"Bearer {token}"}).json()
    assert len(answer["sales"]) == 10
    assert set(answer) == {"success", "sales"}


def test_next_page_url_is_a_path_with_the_filters_and_without_the_token(api):
    """Guards: tokens in logs by way of next_page_url."""
    body = api.get("/v2/sales?after=2026-08-01&before=2026-09-20&access_token=x").json()
    last = body["sales"][-1]
    stamp = datetime.fromisoformat(last["created_at"]).strftime("%Y%m%d%H%M%S000000")
    assert body["next_page_key"] == f"{stamp}-{last['order_id']}"
    assert body["next_page_url"] == f"/v2/sales?after=2026-08-01&before=2026-09-20&page_key={body['next_page_key']}"


def test_unknown_parameter_is_ignored_and_gives_page_one_again(api):
    """Guards: sending next_page_key instead of page_key walks for ever."""
    first = api.get("/v2/sales").json()
    again = api.get("/v2/sales", params={"next_page_key": first["next_page_key"]}).json()
    assert again["sales"][0]["id"] == first["sales"][0]["id"]


@pytest.mark.parametrize("name", ["product_id", "order_id"])
def test_filters_choose_rows(api, all_rows, name):
    """Guards: a filter that is ignored returns somebody else's rows."""
    row = api.get("/v2/sales").json()["sales"][3]
    rows = all_rows(**{name: str(row[name])})
    assert row["id"] in [found["id"] for found in rows]
    assert {found[name] for found in rows} == {row[name]}
    assert len(rows) < 430


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("after=394293", "Invalid date format provided in field 'after'. Dates must be in the format YYYY-MM-DD."),
        ("before=", "Invalid date format provided in field 'before'. Dates must be in the format YYYY-MM-DD."),
        (
            "after=2026-09-01T00:00:00Z",
            "Invalid date format provided in field 'after'. Dates must be in the format YYYY-MM-DD.",
        ),
        ("product_id=zzz", "Invalid product ID."),
        ("order_id=abc", "Invalid order ID."),
        ("page_key=abc", "Invalid page_key."),
        ("page=e3", "Invalid page number. Page numbers start at 1."),
        (
            "page=900",
            "The 'page' parameter is deprecated. Please use 'page_key' instead: https://gumroad.com/api#sales",
        ),
    ],
)
def test_bad_parameters_are_400_in_their_own_shape(api, query, error):
    """Guards: code that looks for success in a 400."""
    answer = api.get(f"/v2/sales?{query}")
    assert answer.status_code == 400
    assert answer.json() == {"status": 400, "error": error}


def test_one_sale_is_found_by_id_also_a_gift_receivers(server, api, all_rows):
    """Guards: a ping about a row the list never shows."""
    shop = server.world.gumroad["alice"]
    receiver = next(sale for sale in shop.sales.values() if sale.gift == "receiver")
    assert api.get(f"/v2/sales/{receiver.id}").json()["sale"]["is_gift_receiver_purchase"] is True
    assert receiver.id not in {row["id"] for row in all_rows()}
    missing = api.get("/v2/sales/yjcEqgsG9ZVMee6Df6oVLQ==")
    assert (missing.status_code, missing.json()) == (200, {"success": False, "message": "The sale was not found."})


def test_products_page_by_ten_and_come_in_one_answer_from_an_older_server(server, api, all_rows):
    """Guards: readers of one page lose the eleventh product."""
    products = all_rows("/v2/products", "products")
    assert len(products) == len({product["id"] for product in products}) == 13
    assert {product["currency"] for product in products} == {"usd", "eur", "gbp", "jpy"}
    assert any(not product["published"] for product in products)
    server.gumroad.legacy = True
    assert api.get("/v2/products").json() == {"success": True, "products": products}
    assert api.get(f"/v2/products/{products[0]['id']}").json()["product"] == products[0]
    assert api.get("/v2/products/none").json() == {"success": False, "message": "The product was not found."}


def test_summary_counts_in_the_sellers_time_zone(server, api):
    """Guards: a day's totals compared with another day's sales."""
    part = server.world.gumroad
    evening = datetime(2026, 9, 19, 5, tzinfo=UTC)
    before = api.get("/v2/sales/summary?from=2026-09-18&to=2026-09-18").json()
    part.refund("alice", part.add_sale("alice", created_at=evening, price=1000).id, 300)
    after = api.get("/v2/sales/summary?from=2026-09-18&to=2026-09-18&group_by=day").json()
    assert after["gross_cents"] - before["gross_cents"] == 1000
    assert after["refunded_cents"] - before["refunded_cents"] == 300
    assert after["units"] - before["units"] == 1
    assert [item["key"] for item in after["breakdown"]] == ["2026-09-18"]
    assert "breakdown" not in before


@pytest.mark.parametrize("group_by", ["day", "week", "month", "product"])
def test_groups_of_the_summary_add_up_to_the_truth(server, api, group_by):
    """Guards: reconciliation against totals that are themselves wrong."""
    body = api.get(f"/v2/sales/summary?from=2026-05-01&to=2026-09-21&group_by={group_by}").json()
    truth = server.world.gumroad.totals("alice").values()
    assert body["gross_cents"] == sum(day.gross_cents for day in truth)
    assert body["refunded_cents"] == sum(day.refunded_cents for day in truth)
    for name in ("gross_cents", "refunded_cents", "units", "net_cents"):
        assert sum(item[name] for item in body["breakdown"]) == body[name]


def test_summary_is_unknown_to_an_older_server(server, api):
    """Guards: a reader that takes an HTML page, or a sale that was not found, for totals."""
    server.gumroad.has_summary = False
    assert api.get("/v2/sales/summary").json() == {"success": False, "message": "The sale was not found."}
    server.gumroad.unknown_route = "page"
    answer = api.get("/v2/sales/summary")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_changes_show_up_at_once_in_rows_and_truth(server, api: httpx.Client):
    """Guards: rows kept from before a refund."""
    part = server.world.gumroad
    day = server.world.today
    before = part.totals("alice")[day]
    sale = part.add_sale("alice", product="course", created_at=datetime(2026, 9, 20, 12, tzinfo=UTC))

    def show() -> dict:
        return api.get(f"/v2/sales/{sale.id}").json()["sale"]

    assert show()["refunded"] is False
    part.refund("alice", sale.id, 1000)
    assert (show()["partially_refunded"], show()["amount_refundable_in_currency"]) == (True, "39")
    part.dispute("alice", sale.id)
    assert show()["chargedback"] is True
    assert part.totals("alice")[day].charged_back_cents - before.charged_back_cents == 3900
    part.win_dispute("alice", sale.id)
    assert (show()["chargedback"], show()["disputed"], show()["dispute_won"]) == (False, True, True)
    part.refund("alice", sale.id)
    assert (show()["refunded"], show()["partially_refunded"]) == (True, False)
    assert part.totals("alice")[day].refunded_cents - before.refunded_cents == 4900
    part.edit_product("alice", sale.product.id, name="Renamed")
    assert show()["product_name"] == "Renamed"
    part.remove_product("alice", sale.product.id)
    assert api.get(f"/v2/products/{sale.product.id}").json()["success"] is False
