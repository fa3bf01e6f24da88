"""A creator's own page: who gets in, what is shown, what can be changed."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from creator_pipeline.core import signing
from creator_pipeline.core.windows import now, today
from creator_pipeline.gateway.creator_page import COOKIE
from creator_pipeline.mail import page_link, unsubscribe
from creator_pipeline.platforms import personal
from creator_pipeline.store import erasure, profiles, unreadable
from creator_pipeline.store.tables import (
    daily_revenue,
    email_suppressions,
    kdp_uploads,
    metadata,
)
from creator_pipeline.store.tables import profiles as profiles_table
from creator_pipeline_tests.support import pages
from creator_pipeline_tests.support.gateway import Gateway

HOUR = 3600


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    """With alice and bob, and nothing else."""
    with shared.services.warehouse.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    shared.add("alice", "gumroad")
    shared.add("bob")
    shared.http.cookies.clear()
    return shared


def link(gateway: Gateway, profile_id: str = "alice") -> str:
    """The path of a mail's link."""
    address = f"{profile_id}@example.com"
    return httpx.URL(page_link.url(gateway.config, profile_id, address)).path


def enter(gateway: Gateway, profile_id: str = "alice") -> pages.Page:
    """The page, opened by a link."""
    answer = gateway.http.get(link(gateway, profile_id), follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return pages.Page(answer.text)


def sell(gateway: Gateway, profile_id: str, platform: str, currency: str, micros: int, days_ago: int = 1) -> None:
    with gateway.services.warehouse.write() as connection:
        row = {"units": 1, "refunds": 0, "gross_micros": micros, "fee_micros": 0, "net_micros": micros}
        key = {"profile_id": profile_id, "platform": platform, "currency": currency}
        connection.execute(insert(daily_revenue).values(occurred_on=today() - timedelta(days=days_ago), **key, **row))


def test_a_link_becomes_a_cookie_and_leaves_no_trace(gateway: Gateway):
    """Guards: a link in a history or a referrer that opens the page for the next person at the machine."""
    answer = gateway.http.get(link(gateway))
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    told = answer.headers["set-cookie"].lower()
    assert all(part in told for part in ("httponly", "samesite=lax", "path=/me", "max-age=43200"))
    assert "secure" not in told
    page = gateway.http.get("/me")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "alice@example.com" not in page.text
    assert link(gateway).split("/")[-1].split(".")[0] not in page.text


def test_over_https_the_cookie_is_for_https_only(gateway: Gateway):
    """Guards: a session that is read on the way."""
    with Gateway(gateway.config.warehouse_url, public_url="https://pipeline.example.com") as other:
        assert "secure" in other.http.get(link(other)).headers["set-cookie"].lower()


@pytest.mark.parametrize("path", ["/me", "/me/connect/gumroad", "/me/revenue.png"])
def test_without_a_link_there_is_nothing(gateway: Gateway, path: str):
    """Guards: a page for whoever types its address, or brings an old cookie."""
    assert gateway.http.get(path).status_code == 401
    gateway.http.cookies.set(COOKIE, "x.y.z", path="/me")
    assert gateway.http.get(path).status_code == 401


def test_a_link_that_is_old_forged_or_of_another_purpose_finds_nothing(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a mail of last year, and one signed word used for another."""
    good = link(gateway)
    session = signing.sign(gateway.ring, "page-session.v1", ["alice", "x", "y"])
    for bad in (good[:-2] + "xx", f"/me/enter/{session}", "/me/enter/x"):
        answer = gateway.http.get(bad)
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
    began = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: began + page_link.LINK_SECONDS + 1)
    assert gateway.http.get(good).status_code == 404


def test_a_session_ends(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Guards: a borrowed machine that shows the page for good."""
    enter(gateway)
    began = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: began + 12 * HOUR + 1)
    assert gateway.http.get("/me").status_code == 401


@pytest.mark.parametrize("how", ["erased", "another mailbox"])
def test_an_erased_profile_has_no_page_and_a_former_mailbox_opens_none(gateway: Gateway, how: str):
    """Guards: the page of somebody who is gone, and a mailbox that belongs to somebody else by now."""
    old = link(gateway)
    enter(gateway)
    if how == "erased":
        erasure.erase_profile(gateway.services.warehouse, "alice", personal())
    else:
        with gateway.services.warehouse.write() as connection:
            profiles.add_profile(connection, "alice", "new@example.com")
    for path in (old, "/me", "/me/revenue.png"):
        assert gateway.http.get(path).status_code == 404


def test_one_profile_never_sees_another_s(gateway: Gateway):
    """Guards: sales of a stranger. Nothing in a request but the cookie names a profile."""
    sell(gateway, "alice", "gumroad", "USD", 12_340_000)
    upload(gateway, "alice", "alices.csv", "accepted")
    alice = enter(gateway)
    form, picture = alice.value("form"), gateway.http.get("/me/revenue.png").content
    assert "Gumroad 12.34 USD" in alice.image()
    gateway.http.cookies.clear()
    bob = enter(gateway, "bob")
    assert "12.34" not in bob.text
    assert "alices.csv" not in bob.text
    assert gateway.http.get("/me/revenue.png").content != picture
    answer = gateway.http.post("/me/notifications", data={"form": form, "notify": "every"})
    assert answer.status_code == 403
    assert gateway.http.get("/me", params={"profile_id": "alice"}).text.count("alices.csv") == 0


@pytest.mark.parametrize("form", ["", "x", "e30.e30.e30"])
def test_another_site_s_form_changes_nothing(gateway: Gateway, form: str):
    """Guards: a page somewhere that turns a seller's mails off, or signs them out."""
    enter(gateway)
    for path in ("/me/notifications", "/me/leave"):
        assert gateway.http.post(path, data={"form": form, "notify": "none"}).status_code == 403
    assert notify(gateway) == "failures"
    assert gateway.http.get("/me").status_code == 200


def notify(gateway: Gateway) -> str:
    with gateway.services.warehouse.read() as connection:
        return connection.execute(select(profiles_table.c.notify).where(profiles_table.c.id == "alice")).scalar_one()


def test_notifications_are_stored_as_they_were_ticked(gateway: Gateway):
    """Guards: a wish that is forgotten, and a bounce that a tick would undo."""
    block = {"email": "alice@example.com", "category": "*", "reason": "bounced", "created_at": now()}
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(email_suppressions).values({**block, "reason": "unsubscribed"}))
    page = enter(gateway)
    assert page.ticked("mail") == []
    said = {"form": page.value("form"), "notify": "every", "mail": ["failure", "digest"]}
    answer = gateway.http.post("/me/notifications", data=said)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me?saved#mails")
    page = pages.Page(gateway.http.get("/me?saved").text)
    assert (page.ticked("notify"), page.ticked("mail")) == (["every"], ["failure", "digest"])
    assert page.find("p", role="status") == ["Saved."]
    gateway.http.post("/me/notifications", data={"form": page.value("form"), "notify": "all", "mail": ["x"]})
    assert notify(gateway) == "every"
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(email_suppressions).values(block))
    said["mail"] = list(unsubscribe.CATEGORIES)
    gateway.http.post("/me/notifications", data=said)
    page = pages.Page(gateway.http.get("/me").text)
    assert page.ticked("mail") == []
    assert "No mail reaches you" in page.text


def test_signing_out_ends_the_access(gateway: Gateway):
    """Guards: a sign-out that only looks like one."""
    page = enter(gateway)
    answer = gateway.http.post("/me/leave", data={"form": page.value("form")})
    assert "Signed out" in answer.text
    assert gateway.http.get("/me").status_code == 401


def upload(gateway: Gateway, owner: str, name: str, status: str, error: dict[str, object] | None = None) -> None:
    row = {"id": f"{owner}{name}", "location": "x", "rows": 0, "uploaded_at": now(), "error": json.dumps(error)}
    with gateway.services.warehouse.write() as connection:
        connection.execute(
            insert(kdp_uploads).values(
                profile_id=owner, file_name=name, status=status, **(row if error else row | {"error": None})
            )
        )


def test_a_report_that_is_not_counted_says_what_is_wrong_and_what_to_do(gateway: Gateway):
    """Guards: "rejected", and nobody knows why; a file name that is a script."""
    place = {"sheet": "Combined Sales", "row": 214, "column": "Royalty", "found": "<b>n/a</b>", "expected": "an amount"}
    second = {"level": "quarantine", "row": 3, "hint": "A second one."}
    problems = [
        {"level": "quarantine", "hint": "Export it again.", **place},
        second,
        {"level": "note", "hint": "Only a note."},
    ]
    told = {"message": "It can't be read.", "problems": problems}
    upload(gateway, "alice", "<script>x</script>.csv", "rejected", told)
    upload(gateway, "alice", "good.csv", "accepted")
    page = enter(gateway)
    assert "<script>" not in page.text
    found = page.find("ul", "problems")[0]
    assert "It can't be read." in found
    assert "sheet Combined Sales, row 214, column Royalty. Export it again." in found
    assert "Found: <b>n/a</b>." in found
    assert "A second one" in found
    assert "Only a note" not in found
    assert "1 not counted" in page.find("summary")[1]


def test_connections_say_their_state_and_offer_what_can_be_done(gateway: Gateway):
    """Guards: a revoked token that the page calls connected, and a button that leads to an error."""
    warehouse = gateway.services.warehouse
    with warehouse.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "The token tok_abc was revoked by a@example.org.")
    page = enter(gateway)
    assert "Must be connected again" in page.text
    assert "a@example.org" not in page.text
    assert page.find("a", "button") == []
    values = {"gumroad_client_id": "x", "gumroad_client_secret": "y", "gumroad_redirect_uri": "http://g.example/x"}
    with Gateway(gateway.config.warehouse_url, **values) as other:
        assert enter(other).find("a", "button") == ["Connect again Gumroad"]
        answer = other.http.get("/me/connect/gumroad")
        assert answer.headers["location"].startswith("/oauth/gumroad/connect?profile_id=alice&link=")
        before = other.http.get(answer.headers["location"])
        assert "Connect Gumroad to " in before.text
        assert other.http.get(html.unescape(before.text.split('href="')[2].split('"')[0])).status_code == 302
    with warehouse.write() as connection:
        profiles.mark_synced(connection, "gumroad", "alice", now())
    assert "Synced" in enter(gateway).text


def test_a_consent_of_before_there_were_payouts_is_asked_for_with_what_it_brings(gateway: Gateway):
    """Incident: a mail that said "press Connect again on your page", and a page without that button."""
    missing = unreadable.Unreadable("payouts", "", "HTTP 403", "Connect again.", "Fees are exact then.")
    with gateway.services.warehouse.write() as connection:
        unreadable.remember(connection, "gumroad", "alice", [missing], now())
    values = {"gumroad_client_id": "x", "gumroad_client_secret": "y", "gumroad_redirect_uri": "http://g.example/x"}
    with Gateway(gateway.config.warehouse_url, **values) as other:
        page = enter(other)
    assert "Connect once more to see your payouts: Fees are exact then." in page.text
    assert page.find("a", "button") == ["Connect again Gumroad"]
    assert enter(gateway).find("a", "button") == [], "nobody can connect here"
    with gateway.services.warehouse.write() as connection:
        unreadable.forget(connection, "gumroad", "alice", [("payouts", "")])
    assert "Connect once more" not in enter(gateway).text


def test_each_platform_has_its_line_and_a_buyer_s_connection_is_nobody_s_sales(gateway: Gateway):
    """Guards: a platform that is missing on the page, and a buyer's account that is shown as the seller's."""
    with gateway.services.warehouse.write() as connection:
        profiles.connect(connection, gateway.ring, "whop", "alice", None, external_account_id="user_1")

    def lines() -> dict[str, str]:
        return {pages.said(line[0]): pages.said(line[1]) for line in enter(gateway).all("div") if is_line(line)}

    assert lines() == {"Gumroad": "Connected", "Whop": "Not connected", "Amazon KDP": "No report yet"}
    upload(gateway, "alice", "a.csv", "accepted")
    assert lines()["Amazon KDP"].startswith("Report of ")


def is_line(element: Any) -> bool:
    """Whether an element has a platform's name and state."""
    return [child.tag for child in element] == ["strong", "span"] and not pages.said(element).endswith("Accepted")


def test_the_picture_is_said_in_words_and_in_a_table_each_currency_by_itself(gateway: Gateway):
    """Guards: euros and yen in one sum, and revenue that only eyes can read."""
    sell(gateway, "alice", "gumroad", "USD", 10_000_000)
    sell(gateway, "alice", "gumroad", "USD", 5_500_000, days_ago=20)
    sell(gateway, "alice", "whop", "JPY", -300_000_000, days_ago=89)
    sell(gateway, "alice", "whop", "EUR", 7_000_000, days_ago=90)
    page = enter(gateway)
    assert page.image().endswith("in all: Gumroad 15.50 USD, Whop -300 JPY")
    assert page.rows() == [["Gumroad USD", "10.00", "15.50", "15.50"], ["Whop JPY", "0", "0", "-300"]]
    for query, width in (("", 680), ("?wide", 1280)):
        answer = gateway.http.get(f"/me/revenue.png{query}")
        assert answer.headers["content-type"] == "image/png"
        assert int.from_bytes(answer.content[16:20]) == width


def test_the_page_is_html_that_every_reader_understands(gateway: Gateway):
    """Guards: a control without a name, a picture without words, a heading that is skipped, a script."""
    sell(gateway, "alice", "gumroad", "USD", 10_000_000)
    upload(gateway, "alice", "bad.csv", "quarantined", {"message": "Held back.", "problems": []})
    enter(gateway)
    for path in ("/me", "/me?saved"):
        assert pages.faults(gateway.http.get(path).text) == []
    gateway.http.cookies.clear()
    assert pages.faults(gateway.http.get("/me").text) == []
    assert pages.faults(gateway.http.get("/me/enter/x", headers={"Accept": "text/html"}).text) == []


def test_text_stands_out_from_its_ground_in_light_and_dark():
    """Guards: grey on grey (WCAG 1.4.3: 4.5 to 1)."""
    for scheme in pages.schemes():
        for text, ground in (
            ("ink", "paper"),
            ("soft", "paper"),
            ("mark", "paper"),
            ("bad", "paper"),
            ("on-mark", "mark"),
        ):
            assert pages.contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)


def test_switched_off_is_said(gateway: Gateway):
    """Guards: sales that stop coming, and a page that says all is well."""
    with Gateway(gateway.config.warehouse_url, enable_gumroad=False) as other:
        assert "Switched off" in enter(other).text
    with gateway.services.warehouse.write() as connection:
        connection.execute(update(profiles_table).values(display_name="A <b>name</b>"))
    assert enter(gateway).find("h1") == ["A <b>name</b>"]
