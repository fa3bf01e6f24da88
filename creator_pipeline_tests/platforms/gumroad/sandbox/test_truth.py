"""The stand-in's books add up, whatever happens, night after night."""

import random
from collections import Counter
from datetime import date

import pytest

from creator_pipeline.platforms.gumroad.sandbox.changes import SandboxError
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.gumroad_stand_in import cents, read_payout
from creator_pipeline_tests.support.sandbox import SandboxServer, World


def wrong(server, profile):
    """Every sentence about a seller's money that isn't true."""
    truth, found = server.world.gumroad.truth(profile), []
    if truth["booked_cents"] != truth["balance_cents"] + truth["on_the_way_cents"] + truth["paid_cents"]:
        found.append("money is lost or doubled")
    paid = [entry for one in truth["payouts"] if one["live"] for entry in one["entries"]]
    unpaid = [entry for one in truth["unpaid"] for entry in one["entries"]]
    places = Counter((e["kind"], e["sale_id"], e["number"]) for e in (*paid, *unpaid) if e["kind"] == "sale")
    found += [f"{item} is in {count} places" for item, count in places.items() if count > 1]
    if sum(entry["cents"] for entry in (*paid, *unpaid)) != truth["booked_cents"]:
        found.append("an entry is in no payout and not unpaid")
    for one in truth["payouts"]:
        told = read_payout(server, profile, one["id"])
        rows = told["transactions"]
        total = sum(cents(row["net_total"]) for row in rows)
        adjusted = sum(cents(row["net_total"]) for row in rows if row["type"] == "Technical Adjustment")
        if one["currency"] == "usd" and (total != one["amount_minor"] or cents(told["amount"]) != total):
            found.append(f"payout {one['id']}: lines of {total}, amount {told['amount']}")
        if one["currency"] == "usd" and adjusted != one["adjustment_cents"]:
            found.append(f"payout {one['id']}: adjustment of {adjusted}, true {one['adjustment_cents']}")
        if sum(part["cents"] for part in one["adjustment_parts"]) != one["adjustment_cents"]:
            found.append(f"payout {one['id']}: adjustment's parts")
        if sum(entry["cents"] for entry in one["entries"]) != one["balance_cents"]:
            found.append(f"payout {one['id']}: entries")
    nets = sum(sale["net_cents"] + sale["share_cents"] for sale in truth["sales"].values() if not sale["processor"])
    kinds = truth["by_kind"]
    other = sum(kinds.get(kind, 0) for kind in ("earned", "earned_back", "credit", "written_off"))
    if nets + other != truth["booked_cents"]:
        found.append(f"sales of {nets} and {other} beside them are not {truth['booked_cents']}")
    return found


def test_the_invented_past_adds_up(server):
    """Guards: a product measured against books that are wrong themselves."""
    assert {name: wrong(server, name) for name in server.world.gumroad} == {name: [] for name in server.world.gumroad}


def test_the_invented_past_has_every_trap(server):
    """Guards: a trap that isn't in the sandbox isn't tried by anybody."""
    truths = {name: server.world.gumroad.truth(name) for name in server.world.gumroad}
    statuses = {one["status"] for truth in truths.values() for one in truth["payouts"]}
    assert statuses == {"completed", "processing", "returned", "failed"}
    assert any(one["instant"] for one in truths["alice"]["payouts"])
    assert {(one["currency"], truth["processor"]) for truth in truths.values() for one in truth["payouts"]} == {
        ("usd", "stripe"),
        ("usd", "paypal"),
        ("eur", "stripe"),
    }
    kinds = set().union(*(truth["by_kind"] for truth in truths.values()))
    assert kinds >= {"kept", "share", "share_back", "dispute_share", "won", "earned", "earned_back", "kept_failed"}
    parts = {part["kind"] for truth in truths.values() for one in truth["payouts"] for part in one["adjustment_parts"]}
    assert parts >= {"kept", "refund", "share_back"}, "kept fees elsewhere, a vanished refund, a share given back whole"
    refunds = [one for book in server.world.gumroad.values() for r in book.books.records.values() for one in r.refunds]
    assert any(one.fraud for one in refunds)
    assert any(one.failed_on for one in refunds)
    dated = [sale for sale in truths["alice"]["sales"].values() if sale["refunded_cents"]]
    assert len(dated) > 30


def test_the_past_is_the_same_for_the_same_seed():
    """Guards: a figure of a failed night that nobody can see again."""
    worlds = [World.invented(seed, today=date(2026, 9, 20)).gumroad for seed in (7, 7, 8)]
    truths = [[world.truth(name) for name in world] for world in worlds]
    assert truths[0] == truths[1] != truths[2]


def test_what_went_back_stands_on_its_own_day(server):
    """Guards: a November refund that changes September."""
    part = server.world.gumroad
    sale = part.add_sale("alice", price=4000)
    part.advance(3)
    part.refund("alice", sale.id, 1000)
    part.dispute("alice", sale.id)
    part.advance(2)
    part.win_dispute("alice", sale.id)
    part.refund("alice", sale.id, 500)
    part.advance()
    part.fail_refund("alice", sale.id)
    days = part.truth("alice")["days"]
    told = {day: {k: v for k, v in figures.items() if "ed" in k or "back" in k} for day, figures in days.items()}
    assert told["2026-09-23"]["refunded_cents"] == 1000
    assert told["2026-09-23"]["charged_back_cents"] == 3000
    assert told["2026-09-25"]["charged_back_cents"] == -3000
    assert (told["2026-09-25"]["refunded_cents"], told["2026-09-26"]["refunded_cents"]) == (500, -500)
    assert part.truth("alice")["sales"][sale.id]["refunded_cents"] == sale.refunded_cents == 1000


def live_a_day(server, rng, profile):
    """Sales, and what may go wrong with old and new ones."""
    part = server.world.gumroad
    for _ in range(rng.randrange(4)):
        over = rng.choice([{}, {"processor": "paypal"}, {"affiliate_basis_points": 3000}, {"gumroad_tax_cents": 210}])
        part.add_sale(profile, price=rng.randrange(300, 9000), **over)
    sales = [one for one in part[profile].rows if one.counts]
    events = [
        lambda sale: part.refund(profile, sale.id),
        lambda sale: part.refund(profile, sale.id, 1 + sale.price // 3),
        lambda sale: part.refund(profile, sale.id, fraud=True),
        lambda sale: part.fail_refund(profile, sale.id),
        lambda sale: part.dispute(profile, sale.id),
        lambda sale: part.win_dispute(profile, sale.id) if sale.chargedback else None,
        lambda sale: part.write_off(profile, sale.id),
        lambda _sale: part.earn(profile, 777),
        lambda _sale: part.credit(profile, rng.randrange(-300, 300)),
    ]
    for _ in range(rng.randrange(4)):
        try:
            rng.choice(events)(rng.choice(sales[-60:]))
        except SandboxError:
            continue


def test_thirty_nights_add_up():
    """Guards: a refund, a dispute or a returned payout that the books lose on one night of many."""
    sizes = {"alice": 45, "bea": 30, "chen": 20}
    with SandboxServer(World.invented(5, today=date(2026, 9, 20), sizes=sizes, days=60)) as server:
        part, rng, nights = server.world.gumroad, random.Random(11), []
        before = {name: len(part[name].books.run.payouts) for name in part}
        for night in range(30):
            for name in part:
                live_a_day(server, rng, name)
            if night == 9:
                part.return_payout("alice")
            if night == 12:
                part.instant_payout("bea")
            if night in (15, 22):
                part.pause("chen", paused=night == 15)
            server.world.advance()
            nights += [(night, name, what) for name in part for what in wrong(server, name)]
        assert nights == []
        assert server.world.today == part.clock.today == date(2026, 10, 20)
        assert all(len(part[name].books.run.payouts) >= before[name] + 2 for name in part)


def test_the_truth_and_the_nights_are_to_be_had_over_http(server):
    """Guards: a demo in another process that can't ask what is true."""
    url = f"{server.url}/_sandbox/gumroad"
    sale = local_http.post(f"{url}/bea/sales", json={"price": 3000}).json()
    assert (
        local_http.post(f"{url}/bea/refund", json={"sale_id": sale["id"], "fraud": True}).json()["refunded_cents"]
        == 3000
    )
    assert local_http.post(f"{url}/bea/fail_refund", json={"sale_id": sale["id"]}).json()["refunded_cents"] == 0
    number = local_http.post(f"{url}/bea/earn", json={"cents": 500}).json()["number"]
    assert local_http.post(f"{url}/bea/unearn", json={"number": number}).json() == {"ok": True}
    assert local_http.post(f"{url}/bea/unearn", json={"number": number}).status_code == 400
    assert local_http.post(f"{url}/chen/instant_payout").status_code == 400
    assert local_http.post(f"{url}/bea/return_payout").json()["status"] == "returned"
    assert local_http.post(f"{url}/advance", json={"days": 2}).json() == {"today": "2026-09-22"}
    told = local_http.get(f"{url}/bea/books").json()
    assert told == server.world.gumroad.truth("bea")
    assert told["sales"][sale["id"]]["net_cents"] == 3000 - 467
    assert local_http.get(f"{url}/nobody/books").status_code == 404
    assert local_http.post(f"{url}/bea/drop_scope", json={"scope": "view_payouts"}).json() == {"ok": True}
    assert server.world.gumroad["bea"].scopes == {"view_profile", "view_sales"}


@pytest.mark.parametrize("call", ["fail_refund", "write_off", "return_payout"])
def test_what_can_not_happen_is_refused(server, call):
    """Guards: a test that changes nothing and believes it did."""
    with pytest.raises(SandboxError):
        getattr(server.world.gumroad, call)("alice", "nobody==")
