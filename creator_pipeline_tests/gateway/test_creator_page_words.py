"""What the creator's page says of odd names and of amounts, and when it is shut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import insert

from creator_pipeline.core.windows import now, today
from creator_pipeline.gateway.pages import style
from creator_pipeline.mail import page_link
from creator_pipeline.mail.render import one_line, render
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import daily_revenue, kdp_uploads
from creator_pipeline_tests.support import local_http, pages
from creator_pipeline_tests.support.gateway import Gateway

TURNED = "Zine \u202e3.00 \u2067x\u061c"


@pytest.fixture
def gateway(sqlite_warehouse: Warehouse) -> Iterator[Gateway]:
    """With alice."""
    with Gateway(sqlite_warehouse.engine.url.render_as_string()) as running:
        running.add("alice")
        yield running


@contextmanager
def browser(gateway: Gateway) -> Iterator[httpx.Client]:
    """Alice's page, open in a browser of its own."""
    link = page_link.url(gateway.config, "alice", "alice@example.com")
    with local_http.Client(base_url=gateway.url, follow_redirects=True) as opened:
        assert opened.get(urlsplit(link).path).status_code == 200
        yield opened


def test_signing_out_in_one_browser_ends_the_session_in_all(gateway: Gateway):
    """A page left open at a friend's, and signed out of at home: the friend's went on for half a day."""
    with browser(gateway) as here, browser(gateway) as there:
        form = pages.Page(here.get("/me").text).value("form")
        assert "Every browser" in here.post("/me/leave", data={"form": form}).text
        assert there.get("/me").status_code == 401
        assert there.get("/me/revenue.png").status_code == 401
    with browser(gateway) as again:
        assert again.get("/me").status_code == 200


def test_a_report_that_does_not_count_has_no_tick(gateway: Gateway):
    """A rejected report with a green tick: the seller waits for figures that never come."""
    row = {"id": "x", "location": "x", "rows": 0, "uploaded_at": now(), "profile_id": "alice", "file_name": "a.csv"}
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(kdp_uploads).values(**row, status="rejected", error="{}"))
    with browser(gateway) as here:
        page = pages.Page(here.get("/me").text)
    assert "is not counted" in page.text
    assert not any("Report of" in found for found in page.find("span", "good"))


def test_a_name_turns_no_sentence_round(gateway: Gateway):
    """A product's name that makes the amount behind it read backwards."""
    with gateway.services.warehouse.write() as connection:
        profiles.add_profile(connection, "alice", display_name=TURNED)
    with browser(gateway) as here:
        text = here.get("/me").text
    values = {"tier": "pro", "plan_name": TURNED}
    mail = render("subscription_updated", values, product=TURNED, greeting=f"Hello {TURNED},")
    assert one_line("עברית") == "עברית"
    for said in (text, mail.subject, mail.html, mail.text):
        assert "Zine 3.00 x" in said
        assert not set(said) & set("\u202e\u2067\u061c")


def test_amounts_are_written_alike_everywhere(gateway: Gateway):
    """1234567.5 beside 1,234,567.50: two styles of one amount on one page."""
    with gateway.services.warehouse.write() as connection:
        connection.execute(insert(daily_revenue).values(_day(today() - timedelta(days=1), 1_234_567_500_000)))
    with browser(gateway) as here:
        text = here.get("/me").text
    assert text.count("1,234,567.50") == 4
    assert "1234567" not in text


def test_the_words_of_a_picture_can_be_read_on_its_own_ground_in_the_dark():
    """White words on white, where a picture isn't loaded."""
    (rule,) = [line for line in style().decode().splitlines() if line.startswith(".me img")]
    assert "color: #1c1b22; background: #fff" in rule


def _day(day: date, net: int) -> dict[str, object]:
    figures = {"gross_micros": net, "fee_micros": 0, "net_micros": net, "units": 1, "refunds": 0}
    return {"occurred_on": day, "profile_id": "alice", "platform": "gumroad", "currency": "USD", **figures}
