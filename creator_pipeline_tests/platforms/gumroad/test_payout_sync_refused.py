"""Payouts where the scope is missing, the server is old, or an answer is late or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import tenacity
from sqlalchemy import select

from creator_pipeline.core.errors import AuthError, TransientError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad.unreadable import not_readable
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections
from creator_pipeline_tests.support.gumroad_payouts import (
    KEPT,
    PayoutServer,
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
    assert (done.read, len(done.odd)) == (1, 1)
