"""Payouts where the scope is missing, the server is old, or an answer is late or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

import pytest
import tenacity
from sqlalchemy import select

from creator_pipeline.core.errors import AuthError, TransientError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.monitoring.platform_checks import unreadable_objects
from creator_pipeline.platforms.gumroad import PLATFORM, earnings
from creator_pipeline.platforms.gumroad.unreadable import not_readable
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_balances, platform_connections
from creator_pipeline.store.unreadable import unreadable_of
from creator_pipeline_tests.support.gumroad_payouts import (
    KEPT,
    PayoutServer,
    account,
    answer,
    heads,
    ledger,
    net_of,
    owner,
    payout,
    read_payouts,
    read_sales,
    sales,
)

FULL = "5b_14fnF8ll5i336vTAH2A=="


@pytest.fixture
def server() -> Iterator[PayoutServer]:
    made = PayoutServer()
    made.sales = sales()
    yield made
    made.close()


@pytest.fixture
def house(warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    owner(warehouse, ring)
    return warehouse


def test_without_the_scope_sales_go_on(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: a seller whose sales stop because the token is of last year, and nobody who says why."""
    server.scopes.remove("view_payouts")
    done = read_payouts(house, server)
    assert done.not_readable is not None
    assert done.not_readable.brings
    assert "profiles connect alice" in done.not_readable.hint
    with house.read() as connection:
        assert list(not_readable(connection, "alice")) == [done.not_readable]
        assert connection.execute(select(platform_connections.c.status)).scalars().all() == ["active"]
    read_sales(house, server, ring)
    assert [row for row in ledger(house) if row["event_type"] == "sale"]
    server.scopes.add("view_payouts")
    server.has(payout("payout_usd_everything"))
    assert read_payouts(house, server).not_readable is None
    with house.read() as connection:
        assert list(not_readable(connection, "alice")) == []
    assert net_of(ledger(house), FULL) == -95


def test_on_a_server_of_2025_only_amounts_are_known(house: Warehouse, server: PayoutServer) -> None:
    """Guards: an old server whose every payout is asked for again each night."""
    server.has(*(payout(name) for name in KEPT))
    server.with_lines, server.upcoming = False, None
    asked = server.requests
    assert read_payouts(house, server).read == 1
    assert server.requests - asked == 3
    assert all(head["estimated"] for head in heads(house).values())
    with house.read() as connection:
        assert [one.table for one in not_readable(connection, "alice")] == ["transactions"]
    server.with_lines = True
    assert read_payouts(house, server).read == len(KEPT)
    with house.read() as connection:
        assert list(not_readable(connection, "alice")) == []


def test_on_a_server_without_payouts_nothing_is_asked_of_the_seller(house: Warehouse, server: PayoutServer) -> None:
    """Guards: a mail that asks for a consent that can't help."""
    server.with_payouts = False
    done = read_payouts(house, server)
    assert done.not_readable is not None
    assert not done.not_readable.brings


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"<html>busy</html>", TransientError),
        (400, json.dumps({"status": 400, "error": "Query timed out"}).encode(), TransientError),
        (401, b"", AuthError),
    ],
)
def test_a_slow_answer_is_no_missing_payout(
    house: Warehouse, server: PayoutServer, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, error: type
) -> None:
    """Guards: a large payout that is taken for one that isn't there."""
    monkeypatch.setattr(tenacity.wait_random_exponential, "__call__", lambda *_: 0.001)
    server.has(payout("payout_instant"), payout("payout_usd_everything"))
    server.broken[f"/v2/payouts/{payout('payout_instant')['id']}"] = (status, body)
    with pytest.raises(error):
        read_payouts(house, server)
    stored = heads(house)
    assert stored[payout("payout_usd_everything")["id"]]["lines_read_at"]
    assert stored[payout("payout_instant")["id"]]["lines_read_at"] is None
    server.broken.clear()
    assert read_payouts(house, server).read == 1


def test_a_refused_request_for_one_payout_stops_no_other(house: Warehouse, server: PayoutServer) -> None:
    """Guards: one payout that answers 400, and no figures for anybody."""
    server.has(payout("payout_instant"), payout("payout_usd_everything"))
    wrong = json.dumps({"status": 400, "error": "Something is wrong"}).encode()
    server.broken[f"/v2/payouts/{payout('payout_usd_everything')['id']}"] = (400, wrong)
    done = read_payouts(house, server)
    assert (done.read, len(done.odd.found)) == (1, 1)


def odd_ones(house: Warehouse) -> dict[str, str]:
    with house.read() as connection:
        return {one.part: one.detail for one in unreadable_of(connection, PLATFORM.in_ledger, "alice")}


@pytest.mark.parametrize(
    ("key", "value"), [("id", None), ("id", 7), ("amount", "much"), ("created_at", "noon"), ("status", None)]
)
def test_an_odd_payout_of_the_list_is_kept_and_goes_with_its_oddness(
    house: Warehouse, server: PayoutServer, key: str, value: object
) -> None:
    """Incident: a payout without an id was left out without a word."""
    good, late = payout("payout_instant"), payout("payout_eur")
    server.has(good)
    server.extra_heads = [late | {key: value}]
    for _ in range(2):
        done = read_payouts(house, server)
        assert len(done.odd.found) == 1
        assert set(heads(house)) == {good["id"]}
        assert f"no usable {key}" in odd_ones(house)["payouts"]
    with house.read() as connection:
        # It is one object, not the whole part.
        assert list(not_readable(connection, "alice")) == []
        (kept,) = unreadable_of(connection, PLATFORM.in_ledger, "alice")
    assert "bank_account_visual" not in kept.raw
    assert any(f"no usable {key}" in found.detail for found in unreadable_objects(house))
    server.extra_heads.clear()
    server.has(late)
    read_payouts(house, server)
    assert set(heads(house)) == {good["id"], late["id"]}
    assert odd_ones(house) == {}


def test_odd_lines_and_odd_plans_are_kept_and_stop_nothing(house: Warehouse, server: PayoutServer) -> None:
    """Incident: told by one run's check, and nowhere else."""
    whole = payout("payout_instant")
    server.has({**whole, "transactions": [*whole["transactions"], {"type": "Sale", "date": "2026-10-06"}]})
    server.upcoming = [{"id": None, "amount": text, "currency": "usd"} for text in ("19.40", "soon")]
    read_payouts(house, server)
    place = len(whole["transactions"]) + 1
    found = odd_ones(house)
    assert set(found) == {"payout readings", "upcoming"}
    assert f"no usable transactions[{place}].net_total" in found["payout readings"]
    with house.read() as connection:
        planned = connection.execute(select(platform_balances.c.amount_micros)).scalar()
    assert planned == 19_400_000
    server.has(whole)
    server.upcoming = server.upcoming[:1]
    read_payouts(house, server)
    assert odd_ones(house) == {}


def test_a_year_s_totals_that_are_none_stop_no_payout(
    house: Warehouse, server: PayoutServer, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a text in place of the year's gross, and the run of the payouts failed night after night."""
    monkeypatch.setattr(earnings, "today", lambda: date(2027, 1, 5))
    server.scopes.add("view_tax_data")
    server.earnings[2026] = answer("earnings_2025") | {"gross_cents": "many"}
    read_sales(house, server, ring)
    with account(server) as client:
        assert earnings.load_earnings(house, client, "alice") == []
    assert "no usable gross_cents" in odd_ones(house)["earnings 2026"]
