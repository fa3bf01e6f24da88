"""Every sale of a window once, whatever the pages do, and not many requests more than pages."""

import itertools
import math
import threading
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creator_pipeline.core.errors import AuthError, DataError, TransientError
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad import fetch, parallel_reader, window_reader
from creator_pipeline.platforms.gumroad.fetch import merged
from creator_pipeline.platforms.gumroad.window_reader import Chunk
from creator_pipeline_tests.support.gumroad_paging import Keyset, Pages, SaleDay, sale_day
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.windows import tiles

YEAR = DayWindow(today() - timedelta(days=364), today() + timedelta(days=1))


@pytest.fixture(scope="module")
def server():
    """One seller with 700 sales over a hundred days."""
    with SandboxServer(World.invented(3, today=today(), sizes={"alice": 700}, days=100)) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(server):
    server.faults.clear()


def fetch_sales(client, window, **options):
    """Ids and days of the sales."""
    return fetch.fetch_sales(client, window, make_row=sale_day, **options)


def read(client, window=YEAR) -> dict[str, int]:
    """How often each sale came, the second coming of a day in place of the first; checks that the chunks tile."""
    chunks = list(fetch_sales(client, window))
    days = {day: chunk for chunk in chunks for day in chunk.window.each()}
    assert set(days) == set(window.each())
    for chunk in chunks:
        assert all(chunk.window.start <= sale.partition_day < chunk.window.end for sale in chunk.sales)
    return Counter(sale.id for day, chunk in days.items() for sale in chunk.sales if sale.partition_day == day)


def listed(server, profile="alice") -> dict[str, int]:
    """The truth."""
    return Counter(sale.id for sale in server.world.gumroad[profile].rows)


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {1: "shuffle"},
        {2: "repeat_rows"},
        {7: "429", 11: "502"},
        {5: "truncated", 8: "reset"},
        {6: "garbage", 9: "500"},
        {3: "shuffle", 4: "repeat_rows", 13: "reset"},
    ],
    ids=lambda faults: " ".join(faults.values()) or "none",
)
def test_each_sale_comes_once_whatever_goes_wrong(server, client_of, faults):
    """Guards: doubled or lost sales after a bad night at the platform."""
    for every, kind in faults.items():
        server.faults.every(every, kind)
    assert read(client_of(server)) == listed(server)


def test_sales_that_arrive_while_pages_are_read_change_nothing_of_the_rest(client_of):
    """Guards: a page number that shifts under a new sale, so that one is read twice and one never."""
    with SandboxServer(World.invented(4, today=today(), sizes={"alice": 300}, days=60)) as server:
        before = set(listed(server))
        server.faults.every(3, "arrivals", path="/v2/sales")
        found = read(client_of(server))
        assert max(found.values()) == 1
        assert before <= set(found) <= set(listed(server))
        assert len(server.world.gumroad["alice"].rows) > 300


@pytest.mark.parametrize("days", [90, 7, 1])
def test_windows_that_time_out_are_halved_until_they_answer(server, client_of, days):
    """Guards: a large account that can never be read because its year takes more than 15 seconds."""
    server.faults.slow_window_days = days
    assert read(client_of(server)) == listed(server)


def test_a_day_that_times_out_by_itself_is_transient_and_names_it(server, client_of):
    """Guards: halving for ever, and an error that doesn't say which day."""
    server.faults.every(1, "timeout_400", path="/v2/sales")
    with pytest.raises(TransientError, match=r"This happened for \d{4}-\d\d-\d\d alone"):
        read(client_of(server), DayWindow(YEAR.end - timedelta(days=3), YEAR.end))


def test_a_page_key_that_comes_twice_is_an_error(server, client_of):
    """Guards: a walk that never ends."""
    server.faults.every(2, "repeat_key", path="/v2/sales")
    with pytest.raises(DataError, match="came twice") as caught:
        read(client_of(server))
    assert caught.value.column == "next_page_key"


@pytest.mark.parametrize(
    ("sales", "page_seconds", "extra"),
    [(0, 0, 1), (1, 0, 1), (9, 0, 1), (10, 0, 1), (11, 0, 1), (500, 0, 1), (500, 0.05, 4), (5000, None, 25)],
)
def test_reading_in_parallel_costs_hardly_more_requests_than_there_are_pages(
    client_of, monkeypatch, sales, page_seconds, extra
):
    """Guards: a small account that pays for the splitting of large ones: the budget is 120 requests a minute."""
    with SandboxServer(World.invented(5, today=today(), sizes={"alice": sales}, days=365)) as server:
        client = client_of(server)
        if page_seconds is not None:
            # Measured, a page on a busy machine takes so long that its window is split.
            ticks = itertools.count(step=page_seconds)
            monkeypatch.setattr(window_reader, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
        assert read(client) == listed(server)
        pages = max(1, math.ceil(len(server.world.gumroad["alice"].rows) / 10))
        assert client.usage.requests <= pages + extra


def test_a_large_account_is_read_by_several_readers(client_of):
    """Guards: one connection reading five thousand sales one page after the other."""
    with SandboxServer(World.invented(5, today=today(), sizes={"alice": 2000}, days=365)) as server:
        server.faults.every(1, "slow", path="/v2/sales")
        server.faults.delay = 0.01
        client, threads = client_of(server), set()
        real = client.start_sales_page

        def start(window, key=None):
            threads.add(threading.current_thread().name)
            return real(window, key)

        client.start_sales_page = start
        read(client)
        assert len(threads) > 1


def test_finished_days_are_handed_on_before_the_end(client_of, monkeypatch):
    """Guards: a year of sales held in memory, and lost when the last page fails."""
    monkeypatch.setattr(window_reader, "CHUNK_ROWS", 50)
    with SandboxServer(World.invented(6, today=today(), sizes={"alice": 600}, days=60)) as server:
        chunks = list(fetch_sales(client_of(server), YEAR, readers=1))
        assert len(chunks) > 5
        assert tiles(sorted(chunk.window for chunk in chunks), YEAR.start, YEAR.end)
        assert Counter(sale.id for chunk in chunks for sale in chunk.sales) == listed(server)


def test_a_refusal_ends_all_readers(server, client_of):
    """Guards: a revoked token that leaves threads waiting for ever."""
    client = client_of(server)
    client._api._token = "x"
    client._api._connections.set_header("Authorization", "Bearer nobody")
    with pytest.raises(AuthError):
        read(client)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gumroad-sales")]


def test_a_consumer_that_stops_early_leaves_no_thread(server, client_of):
    """Guards: a full disk that leaves four readers running in the daemon."""
    chunks = fetch_sales(client_of(server), YEAR)
    next(chunks)
    chunks.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gumroad-sales")]


def test_a_sale_that_cannot_be_made_a_row_ends_the_fetch():
    """Incident: an error in a reader's thread that left the consumer waiting for ever."""
    pages = Pages([[{"id": "x==", "created_at": f"{today()}T00:00:00Z"}]], today())

    def refuse(_sale) -> SaleDay:
        raise DataError("no usable price", hint="", column="price")

    with pytest.raises(DataError, match="no usable price"):
        list(fetch.fetch_sales(pages, DayWindow(today(), today() + timedelta(days=1)), make_row=refuse))


TIMES = st.lists(
    st.tuples(st.integers(0, 39), st.integers(0, 86_399)).map(
        lambda pair: (YEAR.start + timedelta(days=pair[0]), pair[1])
    ),
    max_size=250,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    TIMES,
    st.integers(0, 5),
    st.integers(1, 38),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([1, 4]),
    st.sampled_from([5, 2000]),
)
def test_chunks_tile_the_window_and_hold_each_sale_once(times, first, days, slow_days, readers, chunk_rows):
    """Guards: a day between two chunks, which the replace would never touch."""
    window = DayWindow(YEAR.start + timedelta(days=first), YEAR.start + timedelta(days=first + days))
    client = Keyset(times, slow_days)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_reader, "CHUNK_ROWS", chunk_rows)
        for name, value in {"SPLIT_PAGES": 3, "KEPT_PAGES": 2, "SPLIT_SECONDS": 0.0, "MIN_PAGE_SECONDS": 0.0}.items():
            patch.setattr(parallel_reader, name, value)
        chunks = list(fetch_sales(client, window, readers=readers))
    assert tiles(sorted(chunk.window for chunk in chunks), window.start, window.end)
    assert not any(asked.open for asked in client.pending), "a connection that is never given back"
    expected = [row["id"] for row in client.rows if window.start <= sale_day(row).partition_day < window.end]
    assert Counter(sale.id for chunk in chunks for sale in chunk.sales) == Counter(expected)


@pytest.mark.parametrize("readers", [1, 4])
def test_complete_days_are_handed_on_before_the_error_that_ends_the_fetch(monkeypatch, readers):
    """Guards: a load that fails at its last page and begins again from the first."""
    monkeypatch.setattr(window_reader, "CHUNK_ROWS", 5)
    client, chunks = Keyset([(YEAR.start + timedelta(days=day), 0) for day in range(30)], 0), []

    def page(window, key=None, real=client.sales_page):
        if client.asked == 2:
            raise DataError("no usable 'sales'", hint="", column="sales")
        return real(window, key)

    client.sales_page = page
    with pytest.raises(DataError):
        chunks.extend(fetch_sales(client, YEAR, readers=readers))
    # Of twenty sales that were read, the oldest's day may go on in the page that failed.
    assert 9 <= sum(len(chunk.sales) for chunk in chunks) <= 19


@pytest.mark.parametrize(("days", "alone"), [(2, True), (3, False)])
def test_a_window_too_short_to_be_split_is_read_in_the_callers_thread(days, alone):
    """Guards: five threads started for each night's two days."""
    client, threads = Keyset([(YEAR.start + timedelta(days=day), 0) for day in range(30)], 0), set()

    def watch(sale) -> SaleDay:
        threads.add(threading.current_thread())
        return sale_day(sale)

    window = DayWindow(YEAR.start, YEAR.start + timedelta(days=days))
    assert sum(len(chunk.sales) for chunk in fetch.fetch_sales(client, window, make_row=watch)) == days
    assert (threads == {threading.current_thread()}) is alone


def test_an_empty_window_asks_nothing():
    """Guards: a request without bounds, which would read the whole account."""
    client = Keyset([], 0)
    assert list(fetch_sales(client, DayWindow(today(), today()))) == []
    assert client.asked == 0


@pytest.mark.parametrize(("paced", "asked"), [(False, [2, 3, 3]), (True, [1, 2, 3])])
def test_the_next_page_is_asked_for_before_the_rows_of_the_last_are_made(paced, asked):
    """Guards: a server and a processor that wait for each other; and, at a token's pace, rows that wait for nothing."""
    client, seen = Keyset([(YEAR.start + timedelta(days=day), 0) for day in range(30)], 0), []

    def page(window, key=None, real=client.sales_page):
        client.usage.waited_seconds += paced
        return real(window, key)

    def watch(sale) -> SaleDay:
        seen.append(client.asked)
        return sale_day(sale)

    client.sales_page = page
    list(fetch.fetch_sales(client, YEAR, readers=1, make_row=watch))
    assert seen == [count for count in asked for _ in range(10)]


def test_chunks_that_touch_are_one_up_to_a_size():
    """Guards: a transaction for each of a small account's readers, and one of a whole large account."""
    days = [YEAR.start + timedelta(days=day) for day in range(6)]

    def chunk(first: int, last: int) -> Chunk[SaleDay]:
        return Chunk(DayWindow(days[first], days[last]), [SaleDay(str(day), day) for day in days[first:last]])

    assert merged([chunk(4, 5), chunk(0, 1), chunk(1, 3)], 10) == [chunk(4, 5), chunk(0, 3)]
    assert merged([chunk(2, 3), chunk(0, 2), chunk(3, 4)], 2) == [chunk(2, 4), chunk(0, 2)]
    assert merged([], 1) == []
