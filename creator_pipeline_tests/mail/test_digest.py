"""The weekly digest: whose, how often, and that its figures are the ledger's."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from creator_pipeline.ledger import weekly
from creator_pipeline.ledger.weekly import Net, Product, Refunds
from creator_pipeline.mail import digest, outbox, unsubscribe
from creator_pipeline.orchestration.digest_mails import digest_mails
from creator_pipeline.platforms import sources
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.sandbox.resend import ResendApi
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import daily_revenue, sales_events
from creator_pipeline.store.tables import profiles as profiles_table
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import SandboxServer

MONDAY = date(2026, 11, 16)
SUNDAY = MONDAY + timedelta(days=6)
KEY = "digest/alice/2026-W47"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(autouse=True)
def _empty(warehouse: Warehouse) -> Iterator[None]:
    yield
    with warehouse.write() as connection:
        connection.execute(delete(sales_events))
        connection.execute(delete(daily_revenue))


def book(
    warehouse: Warehouse,
    day: date,
    net: int,
    *,
    platform: str = "gumroad",
    currency: str = "USD",
    kind: str = "sale",
    product: str | None = "Grid",
    owner: str = "alice",
    seen: date | None = None,
    quantity: int = 1,
) -> None:
    """A ledger row; amounts in units of the currency."""
    at, first = (datetime.combine(one, time(12), UTC) for one in (day, seen or day))
    with warehouse.write() as connection:
        count = connection.execute(sales_events.select()).all()
        money = {"gross_micros": net * 10**6, "fee_micros": 0, "net_micros": net * 10**6}
        what = {"event_type": kind, "external_id": "x", "product_id": product, "product_name": product, "source": "x"}
        when = {"occurred_at": at, "occurred_on": day, "first_seen_at": first, "ingested_at": first}
        whose = {"profile_id": owner, "platform": platform, "currency": currency, "quantity": quantity}
        connection.execute(insert(sales_events).values(id=f"e{len(count)}", **whose, **what, **when, **money))


def read(warehouse: Warehouse, monday: date = MONDAY) -> weekly.Week:
    with warehouse.read() as connection:
        return weekly.read(connection, "alice", monday)


def test_a_week_is_monday_to_sunday_in_whole_utc_days_and_nobody_else_s(warehouse: Warehouse):
    """Guards: a Sunday that counts in two weeks or in none, sales of a stranger, euros added to dollars."""
    book(warehouse, MONDAY - timedelta(days=8), 1)
    book(warehouse, MONDAY - timedelta(days=7), 2)
    book(warehouse, MONDAY - timedelta(days=1), 4)
    book(warehouse, MONDAY, 8)
    book(warehouse, SUNDAY, 16)
    book(warehouse, SUNDAY, 100, currency="EUR")
    book(warehouse, SUNDAY + timedelta(days=1), 32)
    book(warehouse, MONDAY, 999, owner="bob")
    m = 10**6
    assert read(warehouse).nets == [
        Net("gumroad", "EUR", 100 * m, 0, 0),
        Net("gumroad", "USD", 24 * m, 6 * m, 0),
    ]
    assert weekly.last_whole(date(2026, 11, 23)) == weekly.last_whole(date(2026, 11, 29)) == MONDAY
    assert weekly.monday_of(weekly.iso_name(SUNDAY)) == MONDAY
    assert weekly.iso_name(date(2027, 1, 1)) == "2026-W53"


def test_what_was_learned_of_late_is_told_by_itself(warehouse: Warehouse):
    """Guards: a refund of an older sale, or last month's KDP report, that no digest ever shows."""
    book(warehouse, MONDAY - timedelta(days=40), -9, kind="refund", seen=MONDAY + timedelta(days=2))
    book(warehouse, MONDAY - timedelta(days=40), 50, platform="amazon_kdp", kind="royalty", seen=SUNDAY)
    book(warehouse, MONDAY - timedelta(days=40), 70)
    m = 10**6
    assert read(warehouse).nets == [Net("amazon_kdp", "USD", 0, 0, 50 * m), Net("gumroad", "USD", 0, 0, -9 * m)]


def test_top_products_by_currency_and_what_was_given_back(warehouse: Warehouse):
    """Guards: a yen product that outranks all dollars, a title that was renamed counting twice, pages as units."""
    for number in range(5):
        book(warehouse, MONDAY, 10 + number, product=f"P{number}")
    book(warehouse, MONDAY, 5000, currency="JPY", product="Yen", platform="whop")
    book(warehouse, MONDAY, 3, product="Pages", kind="pages_read", quantity=800)
    book(warehouse, MONDAY, -14, product="P4", kind="refund", quantity=-1)
    book(warehouse, MONDAY, -2, product="P0", kind="chargeback", quantity=-1)
    week, m = read(warehouse), 10**6
    assert week.products == [
        Product("whop", "Yen", "JPY", 5000 * m, 1),
        Product("gumroad", "P3", "USD", 13 * m, 1),
        Product("gumroad", "P2", "USD", 12 * m, 1),
        Product("gumroad", "P1", "USD", 11 * m, 1),
    ]
    assert week.refunds == [Refunds("gumroad", "USD", 2, 16 * m)]


def test_one_mail_for_a_profile_and_week_with_a_picture_that_is_also_said(
    warehouse: Warehouse,
    settings: Settings,
    resend: ResendApi,
    server: SandboxServer,
    message: Callable[[str], dict[str, Any]],
):
    """Guards: two digests on one Monday, and a picture that a reader without pictures misses."""
    book(warehouse, MONDAY, 24)
    with warehouse.write() as connection:
        row = {"units": 1, "refunds": 0, "gross_micros": 24_000_000, "fee_micros": 0, "net_micros": 24_000_000}
        key = {"profile_id": "alice", "platform": "gumroad", "currency": "USD"}
        connection.execute(insert(daily_revenue).values(occurred_on=MONDAY, **key, **row))
    for _ in range(2):
        assert digest.write(warehouse, settings, "alice", MONDAY, sources()) == KEY
    outbox.flush(warehouse, settings)
    (mail,) = resend.inbox
    payload = mail.payload
    (picture,) = payload["attachments"]
    assert base64.b64decode(picture["content"]).startswith(b"\x89PNG")
    assert 'src="cid:revenue"' in payload["html"]
    words = "Net revenue of the 90 days to 2026-11-22: Gumroad 24.00 USD."
    assert f'alt="{words}"' in payload["html"]
    assert words in payload["text"]
    assert "Gumroad: 24.00 USD (the week before: 0.00 USD)" in payload["text"]
    assert "in UTC" in payload["html"]
    assert "/me/enter/" in payload["text"]
    assert "alice@" not in payload["html"] + payload["text"]
    assert payload["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message(KEY)["status"] == "sent"
    shown = local_http.get(f"{server.resend_url}/inbox/{mail.id}").text
    assert "data:image/png;base64," in shown
    assert "Attached revenue-2026-11-22.png" in shown


@pytest.mark.parametrize("notify", ["failures", "none"])
def test_it_is_for_those_who_asked_and_can_be_turned_off(
    warehouse: Warehouse, settings: Settings, notify: str, message: Callable[[str], dict[str, Any]]
):
    """Guards: a newsletter nobody asked for; an unsubscribe that stops news of failures too; an empty mail."""
    assert digest.write(warehouse, settings, "alice", MONDAY, sources()) is None
    book(warehouse, MONDAY, 24)
    made = unsubscribe.token(settings, "digest", address="alice@example.net", profile_id="alice")
    unsubscribe.turn_off(warehouse, settings, made)
    assert digest.write(warehouse, settings, "alice", MONDAY, sources()) == KEY
    assert message(KEY)["status"] == "suppressed"
    with warehouse.read() as connection:
        wanted = unsubscribe.wanted(connection, "alice@example.net")
    assert [category for category, on in wanted.items() if not on] == ["digest"]
    with warehouse.write() as connection:
        connection.execute(update(profiles_table).values(notify=notify))
    assert digest.write(warehouse, settings, "alice", MONDAY + weekly.DAYS, sources()) is None
    assert digest.readers(warehouse) == []


def test_one_profile_s_fault_keeps_no_mail_from_another(
    warehouse: Warehouse, settings: Settings, message: Callable[[str], dict[str, Any]]
):
    """Guards: nobody's digest because of one address; and a week that is none."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, "aaa", "aaa@example.com", notify="every")
        connection.execute(update(profiles_table).where(profiles_table.c.id == "aaa").values(email="not, one"))
    for owner in ("aaa", "alice"):
        book(warehouse, MONDAY, 24, owner=owner)

    def run(week: str) -> Any:
        config = {"ops": {"write_digests": {"config": {"week": week}}}, **QUIET}
        return digest_mails.execute_in_process(
            run_config=config, resources={"warehouse": WarehouseResource()}, raise_on_error=False
        )

    assert not run("2026-W47").success
    assert message(KEY)["kind"] == "weekly_digest"
    assert not run("47").success
    with pytest.raises(ValueError, match="does not match"):
        weekly.monday_of("47")
