"""A stand-in that somebody brings: the server knows it by its value alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from creator_pipeline.sandbox.compare import DayFigures, Difference, differences
from creator_pipeline.sandbox.server import SandboxServer
from creator_pipeline.sandbox.stand_in import Account, StandIn
from creator_pipeline.sandbox.world import World
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import STAND_INS

TODAY = date(2026, 9, 20)


class Shop:
    """A service that answers with its part, or with the fault that befell the request."""

    def __init__(self, part, _faults) -> None:
        self.part, self.factor, self.closed = part, None, False

    def routes(self):
        return [Route("/shop/sales", self.sales)]

    def control_routes(self):
        return [Route("/_sandbox/shop/totals", lambda _request: PlainTextResponse("12"))]

    async def sales(self, request):
        return PlainTextResponse(str(request.scope.get("sandbox_fault", self.part)))

    def world(self):
        return {"shop": {"dora": {"token": "<t>"}}}

    def start_webhooks(self, factor):
        self.factor = factor

    def close(self):
        self.closed = True


SHOP = StandIn(
    name="shop",
    where="The shop's API is under /shop",
    invent=lambda seed, today, days, sizes, *, odd: f"{seed} {today} {days} {sizes} {odd}",
    serve=Shop,
    fault_kinds=frozenset({"sold_out"}),
    accounts=lambda world: [Account("dora", world["shop"]["dora"]["token"], "1", "3 sales")],
    compare=lambda _demo: iter(()),
)
FILES_ONLY = StandIn(name="files", compare=lambda _demo: iter(()))


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    world = World.of([SHOP, FILES_ONLY], 3, today=TODAY, days=9, sizes={"shop": {"dora": 2}}, odd=True)
    with SandboxServer(world, webhook_factor=0.5) as running:
        yield running


def test_a_stand_in_is_invented_served_and_closed(server):
    """Guards: a platform that the server knows by its name only."""
    assert server.world.parts == {"shop": "3 2026-09-20 9 {'dora': 2} True"}
    with local_http.Client(base_url=server.url) as client:
        assert client.get("/shop/sales").text == server.world.parts["shop"]
        assert client.get("/_sandbox/shop/totals").text == "12"
        assert client.get("/_sandbox/world").json() == {"today": "2026-09-20", "shop": {"dora": {"token": "<t>"}}}
        assert client.get("/v2/sales").status_code == 404
        page = client.get("/").text
    assert "shop, dora: 3 sales, token <code>&lt;t&gt;</code>" in page
    assert "The shop&#x27;s API is under /shop. Mails" in page
    assert "/_sandbox/shop/totals" in page
    shop = server.services["shop"]
    assert (shop.factor, shop.closed) == (0.5, False)
    server.__exit__()
    assert shop.closed


def test_a_fault_of_one_platform_is_known_where_that_platform_is(server):
    """Guards: a misspelt kind that never comes, and a test that is green because of it."""
    server.faults.every(1, "sold_out", path="/shop")
    assert local_http.get(f"{server.url}/shop/sales").text == "sold_out"
    with pytest.raises(ValueError, match="sold_out"):
        server.faults.every(1, "shuffle")


def test_every_platform_names_its_stand_in_by_its_own_name():
    """Guards: two platforms that overwrite each other's part of the world."""
    names = [stand_in.name for stand_in in STAND_INS]
    assert len(set(names)) == len(names)
    for stand_in in STAND_INS:
        assert (stand_in.invent is None) == (stand_in.serve is None)
        assert stand_in.serve or not stand_in.accounts


def test_the_comparison_tells_days_that_only_one_of_both_has():
    """Guards: a day that is missing in the ledger altogether and therefore compared with nothing."""
    here = {(TODAY, "USD"): DayFigures(sales=1, gross_micros=5), (TODAY, "EUR"): DayFigures()}
    there = {(TODAY, "USD"): DayFigures(sales=1, gross_micros=6), (TODAY, "JPY"): DayFigures(sales=1)}
    assert differences(here, there) == [
        Difference((TODAY, "JPY"), DayFigures(), DayFigures(sales=1)),
        Difference((TODAY, "USD"), here[TODAY, "USD"], there[TODAY, "USD"]),
    ]
    assert differences(here, here) == []


def test_figures_that_may_stand_on_other_days_are_compared_in_all():
    """Guards: a refund on its own day shown as two wrong days, and a missing one as none."""
    first, later = (TODAY - timedelta(days=1), "USD"), (TODAY, "USD")
    here = {first: DayFigures(1, 500, 50), later: DayFigures(refunded_micros=200)}
    there = {first: DayFigures(1, 500, 50, 200)}
    moved = ("refunded_micros", "charged_back_micros")
    assert len(differences(here, there)) == 2
    assert differences(here, there, moved) == []
    wrong = {first: DayFigures(2, 500, 50, 300)}
    assert differences(here, wrong, moved) == [
        Difference(first, here[first], wrong[first]),
        Difference((TODAY, "USD, all days"), DayFigures(refunded_micros=200), DayFigures(refunded_micros=300)),
    ]


def test_days_pass_for_the_parts_that_know_how():
    """Guards: a world whose platforms live on different days."""

    class Part:
        nights = 0

        def advance(self, days):
            self.nights += days

    world = World(TODAY, [], {"shop": Part(), "files": object()})
    world.advance(3)
    assert (world.today, world.parts["shop"].nights) == (TODAY + timedelta(days=3), 3)
