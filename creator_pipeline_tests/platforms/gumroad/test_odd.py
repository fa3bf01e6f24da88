"""A sale or a product that can't be read: its neighbours go on, it is kept, and goes when it is told right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, func, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.monitoring.platform_checks import unreadable_objects
from creator_pipeline.platforms.gumroad import PLATFORM, answers, client, drift
from creator_pipeline.platforms.gumroad.checks import Tally
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.named_sales import refresh_sales
from creator_pipeline.platforms.gumroad.product_sync import load_products
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_products, gumroad_sales, sales_events
from creator_pipeline.store.unreadable import Unreadable, unreadable_of
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

LAST = date(2026, 11, 28)
WINDOW = DayWindow(LAST - timedelta(days=12), LAST + timedelta(days=1))
Change = Callable[[dict[str, Any]], Any]


class Account:
    """A seller of the stand-in with a few sales; ``change`` spoils what its lists show."""

    def __init__(self, warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> None:
        self.warehouse, self.ring = warehouse, ring
        self.client = GumroadClient(server.gumroad_url, server.world.gumroad["chen"].token, Free())
        self.change: dict[str, Change] = {}
        with warehouse.write() as connection:
            profiles.add_profile(connection, "chen", "chen@example.com")
            profiles.connect(connection, ring, "gumroad", "chen", "token")

    def objects_of(self, body: Any, name: str) -> list[Any]:
        """In place of the client's reader of a list."""
        if name in self.change:
            body = {**body, name: [self.change[name](orjson.loads(orjson.dumps(each))) for each in body[name]]}
        return answers.objects_of(body, name)

    def load(self) -> bool:
        """Read the window; whether the check of what can be read passed."""
        tally = Tally()
        for part in load_sales(self.warehouse, self.client, self.ring, "chen", WINDOW):
            tally.add(part)
        return next(one.passed for one in tally.verdicts() if one.name == "sales_readable")

    def sold(self) -> dict[str, int]:
        """Net micros by sale."""
        events = sales_events.c
        with self.warehouse.read() as connection:
            asked = select(events.external_id, func.sum(events.net_micros)).group_by(events.external_id)
            return {sale: int(net) for sale, net in connection.execute(asked)}

    def kept(self) -> list[Unreadable]:
        with self.warehouse.read() as connection:
            return [one for one in unreadable_of(connection, PLATFORM.in_ledger, "chen") if one.object_id]


@pytest.fixture
def account(sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch) -> Iterator[Account]:
    world = World.invented(7, today=LAST, sizes={"chen": 12}, whop_sizes={}, days=12)
    with SandboxServer(world) as server:
        made = Account(sqlite_warehouse, ring, server)
        monkeypatch.setattr(client, "objects_of", made.objects_of)
        yield made
        made.client.close()


def spoil(key: str, *value: Any, only: str | None = None) -> Change:
    """Takes a field off an object, or gives it another value."""

    def change(item: dict[str, Any]) -> Any:
        if only is not None and item["id"] != only:
            return item
        item.pop(key, None)
        return item | ({key: value[0]} if value else {})

    return change


@pytest.mark.parametrize(
    ("key", "value"),
    [("price", ()), ("price", ("12.50",)), ("created_at", ()), ("created_at", ("noon",)), ("id", ()), ("id", (7,))],
)
def test_an_odd_sale_stops_no_other_counts_nowhere_and_counts_once_told(account: Account, key: str, value) -> None:
    """Incident: one sale without a price, and no sale of the account was stored, night after night."""
    assert account.load()
    whole = account.sold()
    some = sorted(whole)[0]
    with account.warehouse.write() as connection:
        connection.execute(delete(sales_events))
        connection.execute(delete(gumroad_sales))
    account.change["sales"] = spoil(key, *value, only=some)
    for _ in range(2):
        assert not account.load()
        assert account.sold() == {sale: net for sale, net in whole.items() if sale != some}
    [one] = account.kept()
    assert one.part == "sales"
    assert f"no usable {key}" in one.detail
    assert "@" not in one.raw.replace("[address]", "")
    assert any(f"no usable {key}" in found.detail for found in unreadable_objects(account.warehouse))
    account.change.clear()
    assert account.load()
    assert account.sold() == whole
    assert account.kept() == []


@pytest.mark.parametrize("key", ["price", "created_at", "id"])
def test_what_was_read_before_of_a_sale_stands(account: Account, key: str) -> None:
    """Incident: a stored sale that went from the ledger because its list forgot a field for a night."""
    account.load()
    whole = account.sold()
    some = sorted(whole)[0]
    account.change["sales"] = spoil(key, only=some)
    assert not account.load()
    assert account.sold() == whole


def test_a_list_may_hold_what_is_no_object(account: Account) -> None:
    """Incident: a null among the sales, and the whole answer was refused."""
    account.load()
    whole = account.sold()
    some = sorted(whole)[0]
    account.change["sales"] = lambda item: None if item["id"] == some else item
    assert not account.load()
    assert account.sold() == whole
    assert len(account.kept()) == 1


def test_a_named_sale_that_cant_be_read_stops_no_other(account: Account) -> None:
    """Incident: a ping of one odd sale, and the other pings of the run were tried again for ever."""
    account.load()
    first, second, *_ = sorted(account.sold())
    account.change["sales"] = spoil("price", only=first)
    real = account.client.sale
    account.client.sale = lambda sale_id: spoil("price", only=first)(real(sale_id) or {})
    done = refresh_sales(account.warehouse, account.client, account.ring, "chen", [first, second])
    assert done.sales >= 1
    assert [one.object_id for one in account.kept()] == [first]


def test_an_odd_product_stops_no_other_and_isn_t_gone(account: Account) -> None:
    """Incident: one product without a currency, and the catalogue stood still."""
    rows, _ = load_products(account.warehouse, account.client, "chen")
    some = rows[0].id
    account.change["products"] = spoil("currency", only=some)
    after, _ = load_products(account.warehouse, account.client, "chen")
    assert {row.id for row in after} == {row.id for row in rows} - {some}
    with account.warehouse.read() as connection:
        stored = connection.execute(select(gumroad_products.c.id).where(gumroad_products.c.removed_at.is_(None)))
        assert set(stored.scalars()) == {row.id for row in rows}
    assert [(one.part, one.object_id) for one in account.kept()] == [("products", some)]
    account.change.clear()
    load_products(account.warehouse, account.client, "chen")
    assert account.kept() == []


@pytest.mark.parametrize(("key", "value"), [("gross_cents", ("many",)), ("units", ()), ("key", ("someday",))])
def test_an_odd_day_of_the_totals_stops_no_other_and_says_nothing_of_its_own(
    account: Account, key: str, value: tuple[Any, ...]
) -> None:
    """Incident: one day of the totals without its units, and no refund of a year was looked for, night after night."""
    assert account.load()
    first, last = WINDOW.start, LAST
    found = drift.scan(account.warehouse, account.client, "chen", first, last)
    assert found is not None
    drift.remember(account.warehouse, "chen", first, last, found[1])
    whole = drift.seen_totals(account.warehouse, "chen")
    some, other = sorted(whole)[:2]
    spoiled = spoil(key, *value)

    def change(item: dict[str, Any]) -> Any:
        if item["key"] == other.isoformat():
            return item | {"gross_cents": item["gross_cents"] + 100}
        return spoiled(item) if item["key"] == some.isoformat() else item

    account.change["breakdown"] = change
    for _ in range(2):
        found = drift.scan(account.warehouse, account.client, "chen", first, last)
        assert found is not None
        assert some in found[1].unknown
        drift.remember(account.warehouse, "chen", first, last, found[1])
    seen = drift.seen_totals(account.warehouse, "chen")
    # What was seen of the day before stands, and the other's difference is found.
    assert seen[some] == whole[some]
    assert seen[other].gross_cents == whole[other].gross_cents + 100
    [one] = account.kept()
    assert (one.part, f"no usable breakdown[].{key}" in one.detail) == ("totals", True)
    account.change.clear()
    found = drift.scan(account.warehouse, account.client, "chen", first, last)
    assert found is not None
    drift.remember(account.warehouse, "chen", first, last, found[1])
    assert (drift.seen_totals(account.warehouse, "chen"), account.kept()) == (whole, [])
