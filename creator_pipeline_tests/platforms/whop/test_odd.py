"""An object without an id, in any list: its neighbours go on, it is kept, and goes when it is told right."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.monitoring.platform_checks import unreadable_objects
from creator_pipeline.platforms.whop import PLATFORM, answers, paging
from creator_pipeline.platforms.whop.sync import load_payments
from creator_pipeline.store.tables import sales_events, unreadable
from creator_pipeline.store.unreadable import Unreadable, unreadable_of
from creator_pipeline_tests.support.field_files import field_file, serve_whop

WINDOW = DayWindow(date(2026, 10, 1), date(2026, 11, 23))


@pytest.fixture
def spoiled(monkeypatch):
    """Lets lists of some paths show objects that lack something; the requests go over HTTP as ever."""
    changes: dict[str, Any] = {}

    def rows(path: str, body: Any) -> list[Any]:
        change = changes.get(path)
        if change is not None and isinstance(body.get("data"), list):
            body = {**body, "data": [change(each) for each in body["data"]]}
        return answers.rows(path, body)

    monkeypatch.setattr(paging, "rows", rows)
    return changes


def without_id(object_id: str):
    """Takes the id off one object."""
    return lambda each: {key: value for key, value in each.items() if key != "id"} if each["id"] == object_id else each


def sales(warehouse) -> dict[tuple[str, str], int]:
    events = sales_events.c
    with warehouse.read() as connection:
        rows = connection.execute(select(events.external_id, events.event_type, events.net_micros))
        return {(row.external_id, row.event_type): row.net_micros for row in rows}


def kept(warehouse) -> list[Unreadable]:
    with warehouse.read() as connection:
        return unreadable_of(connection, PLATFORM.in_ledger, "alice")


def load(warehouse, client):
    return load_payments(warehouse, client, "alice", "biz_1", WINDOW)


@pytest.mark.parametrize("odd", [None, "text", 7, ["list"], {"id": 5, "user": {"email": "buyer@example.com"}}])
def test_a_row_that_cant_be_named_stops_no_other(two_profiles, client, account, spoiled, odd) -> None:
    """Incident: one row without an id, and no payment of the account was stored, night after night."""
    serve_whop(account, field_file("w01_refund_amount_null")["scenario"])
    spoiled["/payments"] = lambda each: odd if each["id"] == "pay_c" else each
    loaded = load(two_profiles, client)
    assert {key for key, _ in sales(two_profiles)} == {"pay_a", "pay_b"}
    assert "no usable id; expected text" in {one.detail for one in loaded.odd}
    load(two_profiles, client)
    [one] = [one for one in kept(two_profiles) if one.part == "payments"]
    assert "buyer@example.com" not in one.raw
    assert any("no usable id" in found.detail for found in unreadable_objects(two_profiles))


def test_a_payment_that_loses_its_id_stands_and_is_no_longer_odd_once_it_is_told(
    two_profiles, client, account, spoiled
) -> None:
    """Incident: a stored sale that went from the ledger because its list forgot the id for a night."""
    serve_whop(account, field_file("w01_refund_amount_null")["scenario"])
    load(two_profiles, client)
    before = sales(two_profiles)
    spoiled["/payments"] = without_id("pay_c")
    load(two_profiles, client)
    assert sales(two_profiles) == before
    [one] = [one for one in kept(two_profiles) if one.part == "payments"]
    assert json.loads(one.raw)["created_at"]
    # Another window says nothing of it.
    load_payments(
        two_profiles, client, "alice", "biz_1", DayWindow(date(2026, 8, 1), date(2026, 8, 2)), allow_shrink=True
    )
    assert one in kept(two_profiles)
    spoiled.clear()
    load(two_profiles, client)
    assert sales(two_profiles) == before
    assert [one for one in kept(two_profiles) if one.part == "payments"] == []


def test_a_refund_without_an_id_keeps_what_was_read_of_it(two_profiles, client, account, spoiled) -> None:
    """Incident: a refund's row that went from the ledger, and the money was there twice."""
    serve_whop(account, field_file("w13_fx_refunds")["scenario"])
    load(two_profiles, client)
    before = sales(two_profiles)
    refund = next(iter(account.tables["refunds"]))
    spoiled["/refunds"] = without_id(refund)
    load(two_profiles, client)
    assert sales(two_profiles) == before
    assert [one.part for one in kept(two_profiles)] == ["refunds"]
    spoiled.clear()
    load(two_profiles, client)
    with two_profiles.read() as connection:
        assert connection.execute(select(unreadable.c.object_id)).all() == []
