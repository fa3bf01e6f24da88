"""Answers of the platforms, from the bytes on the wire down to rows of a real database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.core.http import Answer
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.transport import Connection, Response
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad import client as gumroad
from creator_pipeline.platforms.gumroad.ledger import GumroadSale, gumroad_events
from creator_pipeline.platforms.gumroad.models import product_row, sale_row
from creator_pipeline.platforms.gumroad.product_sync import load_products
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.platforms.whop import answers
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.ledger import WhopPayment, whop_events
from creator_pipeline.platforms.whop.models import membership_row, plan_of
from creator_pipeline.platforms.whop.refunds import payment_row
from creator_pipeline.platforms.whop.sync import load_payments
from creator_pipeline.platforms.whop.sync_memberships import load_memberships
from creator_pipeline.platforms.whop.tiers import Tiers
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import (
    gumroad_products,
    gumroad_sales,
    sales_events,
    whop_payments,
    whop_subscriptions,
)
from creator_pipeline_tests.support import gumroad_samples, whop_samples
from creator_pipeline_tests.support.hostile import BODIES, VALUE, changed, everywhere, quick

SALES = [gumroad_samples.fixture(path.stem)["sale"] for path in sorted(gumroad_samples.FIXTURES.glob("sale_*.json"))]
PRODUCTS = gumroad_samples.fixture("products")
SUMMARY = {"success": True, "breakdown": [{"key": "2026-09-16", "units": 1, "gross_cents": 100, "refunded_cents": 5.0}]}
PAYMENTS = [whop_samples.fixture(f"payments_page_{n}") for n in (1, 2)]
MEMBERSHIPS = [whop_samples.fixture(f"memberships_page_{n}") for n in (1, 2, 3)]
LISTS = {
    "refunds": whop_samples.fixture("refunds_page_1"),
    "members": whop_samples.fixture("members_page_2"),
    "plans": {"data": [whop_samples.fixture("plan")], "page_info": {"has_next_page": False, "end_cursor": None}},
    "disputes": {
        "data": [whop_samples.fixture("webhooks/dispute.created.body")["data"]],
        "page_info": {"has_next_page": False, "end_cursor": None},
    },
}
Row = TypeVar("Row")
EVERYTHING = DayWindow(date(1, 1, 2), date(9999, 12, 30))


class ReadyConnection(Connection):
    """A connection whose response is there already."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def receive(self) -> Response:
        """At once."""
        return self._response

    def release(self) -> None:
        """Nothing is under way."""


def answering(api: Any, answer: Callable[[str], Any]) -> None:
    """Let a client's requests end here, as JSON on the wire."""

    def send(_method: str, target: str, *_: Any, **__: Any) -> Connection:
        return ReadyConnection(Response(200, {}, orjson.dumps(answer(target.partition("?")[0]))))

    api._connections.send = send


def last_page(body: Any) -> Any:
    """A list without a next page: what is read here is one page."""
    return body | {"page_info": {"has_next_page": False, "end_cursor": None}}


@pytest.fixture
def warehouse(warehouse: Warehouse) -> Warehouse:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
    return warehouse


def made(make: Callable[[Any], Row], originals: list[Any]) -> list[Row]:
    """The rows of every variant that isn't refused by name."""
    rows = list[Row]()
    for original in originals:
        for value in everywhere(original):
            with contextlib.suppress(DataError):
                rows.append(make(value))
    return rows


def test_whatever_a_field_holds_its_row_is_stored_or_refused_by_name(warehouse: Warehouse, ring: KeyRing) -> None:
    """Incident: a quantity of 2^31, an object for a product's id, a time in the year 10000, an object nested 300 deep."""
    moment, plan = datetime(2026, 9, 20, 12, tzinfo=UTC), plan_of(whop_samples.fixture("plan"))
    payment = next(each for each in PAYMENTS[0]["data"] if each["status"] == "paid")
    dispute = LISTS["disputes"]["data"][0] | {"payment": {"id": payment["id"]}}
    refund = LISTS["refunds"]["data"][0] | {"payment_id": payment["id"]}
    sales = made(lambda sale: sale_row("alice", sale, {}, ring, moment), [SALES[0]])
    products = made(lambda item: product_row("alice", item, moment), [PRODUCTS["products"][0]])
    payments = made(lambda item: payment_row("alice", item, [], [], moment), [payment])
    payments += made(lambda item: payment_row("alice", payment, [item], [], moment), [refund])
    payments += made(lambda item: payment_row("alice", payment, [], [item], moment), [dispute])
    memberships = made(
        lambda item: membership_row("alice", item, {plan.id: plan.title}, None, moment), [MEMBERSHIPS[0]["data"][0]]
    )
    ledger = [
        event
        for sale in sales
        for event in gumroad_events(GumroadSale(*(getattr(sale, name) for name in GumroadSale._fields)), moment)
    ]
    ledger += [
        event
        for row in payments
        for event in whop_events(WhopPayment(*(getattr(row, name) for name in WhopPayment._fields)), moment)
    ]
    for table, rows in (
        (gumroad_sales, sales),
        (gumroad_products, products),
        (whop_payments, payments),
        (whop_subscriptions, memberships),
        (sales_events, ledger),
    ):
        assert len(rows) > 100
        named = [row._replace(id=str(number)) for number, row in enumerate(rows)]
        with warehouse.write() as connection:
            assert upsert(connection, table, named).inserted == len(rows)
            found = sorted(connection.execute(select(table)), key=lambda row: int(row.id))
        assert len(found) == len(rows)


@quick(20)
@given(sale=changed(st.sampled_from(SALES)), summary=changed(st.just(SUMMARY)))
def test_a_sale_of_gumroad_is_stored_or_refused_by_name(
    warehouse: Warehouse, ring: KeyRing, sale: Any, summary: Any
) -> None:
    """Incident: a quantity of 2^31 or an object for a product's id passed the models and failed in the database."""
    day = date.fromisoformat("2026-09-16")
    text = sale.get("created_at") if isinstance(sale, dict) else None
    if isinstance(text, str) and len(text) > 9:
        with contextlib.suppress(ValueError, OverflowError):
            day = datetime.fromisoformat(text).astimezone(UTC).date()
    day = min(max(day, date(2, 1, 1)), date(9998, 1, 1))
    with gumroad.GumroadClient("http://gumroad.test", "token", gumroad_samples.Free()) as client:
        answering(client._api, lambda path: summary if path.endswith("summary") else {"success": True, "sales": [sale]})
        try:
            list(
                load_sales(warehouse, client, ring, "alice", DayWindow(day, day + timedelta(days=1)), allow_shrink=True)
            )
        except PipelineError:
            return


@quick(15)
@given(products=changed(st.just(PRODUCTS)))
def test_a_catalogue_of_gumroad_is_stored_or_refused_by_name(warehouse: Warehouse, products: Any) -> None:
    """Incident: a count of sales written as ² was taken for a number, and no run of the profile ended well again."""
    with gumroad.GumroadClient("http://gumroad.test", "token", gumroad_samples.Free()) as client:
        answering(client._api, lambda _: products | {"next_page_key": None} if isinstance(products, dict) else products)
        try:
            load_products(warehouse, client, "alice", allow_shrink=True)
        except PipelineError:
            return


@quick(20)
@given(payments=changed(st.sampled_from(PAYMENTS)), other=st.sampled_from(["refunds", "disputes"]), data=st.data())
def test_a_payment_of_whop_is_stored_or_refused_by_name(
    warehouse: Warehouse, payments: Any, other: str, data: st.DataObject
) -> None:
    """Incident: NUL in a product's title ended the run of a whole day, because PostgreSQL takes none."""
    lists = LISTS | {"payments": last_page(payments), other: last_page(data.draw(changed(st.just(LISTS[other]))))}
    with WhopClient("http://whop.test/api/v1", "key", lambda _operation: whop_samples.NoPace()) as client:
        answering(client._api, lambda path: lists.get(path.split("/")[-1], {}))
        try:
            load_payments(warehouse, client, "alice", None, EVERYTHING, allow_shrink=True)
        except PipelineError:
            return


@quick(20)
@given(memberships=changed(st.sampled_from(MEMBERSHIPS)), other=st.sampled_from(["members", "plans"]), data=st.data())
def test_a_membership_of_whop_is_stored_or_refused_by_name(
    warehouse: Warehouse, ring: KeyRing, memberships: Any, other: str, data: st.DataObject
) -> None:
    """Incident: a renewal in the year 10000 and a title with NUL, each a trace of a driver instead of a sentence."""
    lists = LISTS | {"memberships": last_page(memberships), other: last_page(data.draw(changed(st.just(LISTS[other]))))}
    with WhopClient("http://whop.test/api/v1", "key", lambda _operation: whop_samples.NoPace()) as client:
        answering(client._api, lambda path: lists.get(path.split("/")[-1], {}))
        try:
            load_memberships(warehouse, client, ring, "alice", None, Tiers(), allow_shrink=True)
        except PipelineError:
            return


@quick(200)
@given(
    status=st.sampled_from([200, 204, 301, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 503, 599]),
    body=VALUE | st.fixed_dictionaries({}, optional={"error": VALUE, "message": VALUE, "success": VALUE}),
    after=st.sampled_from(["", "0", "-1", "1e999", "9" * 400, "nan", "Wed, 21 Oct 9999 07:28:00 GMT", "\u00e9"]),
)
def test_an_answer_of_any_status_is_judged(status: int, body: Any, after: str) -> None:
    """Incident: an error whose message was a number failed in the code that reads errors."""
    headers = {"retry-after": after}
    for classify in (gumroad.classify, answers.classify):
        error = classify(Answer(status, headers, b"", body))
        assert error is None or isinstance(error, PipelineError)
        assert len(str(error)) < 200_000


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bytes_of_any_kind_are_no_list(body: bytes) -> None:
    """Incident: an answer nested a thousand deep ended the reader with RecursionError."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    with pytest.raises(DataError):
        gumroad.objects_of(told, "sales")
    with pytest.raises(DataError):
        answers.rows("/payments", told)
