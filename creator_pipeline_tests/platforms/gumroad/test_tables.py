"""Gumroad's declared tables over HTTP from the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from creator_pipeline.core.errors import AuthError, DataError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.platforms import personal
from creator_pipeline.platforms.gumroad.sandbox import tables as shown
from creator_pipeline.platforms.gumroad.tables import (
    CATEGORIES,
    CUSTOM_FIELDS,
    OFFER_CODES,
    REVIEWS,
    STREAMS,
    SUBSCRIBERS,
    UTM_LINKS,
    VARIANTS,
)
from creator_pipeline.runtime.table_reads import refresh_rows
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline.store.tables import metadata, stream_reads
from creator_pipeline_tests.support.gumroad_tables import Tables
from creator_pipeline_tests.support.sandbox import SandboxServer


@pytest.fixture
def tables(warehouse: Warehouse, ring: KeyRing, sandbox: SandboxServer) -> Iterator[Tables]:
    made = Tables(warehouse, ring, sandbox)
    yield made
    made.close()


def everything(warehouse: Warehouse) -> str:
    with warehouse.read() as connection:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(select(table)))


def requests(tables: Tables) -> int:
    return sum(count for path, count in tables.server.faults.requests.items() if path.startswith("/v2/"))


def test_each_table_has_what_the_platform_lists(tables: Tables) -> None:
    """Incident: a table that was declared, loaded each night, and empty."""
    tables.night()
    seller = tables.seller
    listed = {
        SUBSCRIBERS: list(shown.rows(seller, "subscribers", tables.studio)),
        OFFER_CODES: [one for product in seller.products for one in shown.rows(seller, "offer_codes", product.id)],
        REVIEWS: [one for product in seller.products for one in shown.rows(seller, "product_reviews", product.id)],
        CATEGORIES: [one for p in seller.products for one in shown.rows(seller, "variant_categories", p.id)],
        CUSTOM_FIELDS: [one for product in seller.products for one in shown.rows(seller, "custom_fields", product.id)],
        UTM_LINKS: shown.rows(seller, "utm_links"),
    }
    listed[VARIANTS] = [
        one for category in listed[CATEGORIES] for one in shown.rows(seller, "variants", category["id"])
    ]
    for stream in STREAMS:
        assert sorted(row["id"] for row in tables.rows(stream)) == sorted(one["id"] for one in listed[stream]), stream
        assert listed[stream], stream.name
    code = next(row for row in tables.rows(OFFER_CODES) if row["code"] == "friends")
    assert (code["amount_off_micros"], code["currency"], code["percent_off"]) == (3_000_000, "USD", None)


def test_nobodys_name_or_address_reaches_a_table(tables: Tables) -> None:
    """Incident: an export of the reviews with every reviewer's name and the address that one of them had written."""
    tables.night()
    stored = everything(tables.warehouse).lower()
    people = [sale.buyer for sale in tables.seller.sales.values()]
    assert not [one.email for one in people if one.email in stored]
    assert not [one.full_name for one in people if one.full_name and one.full_name.lower() in stored]
    assert "buyer@example.com" not in stored
    assert "prints well" in stored
    assert all(row["buyer_hash"] for row in tables.rows(SUBSCRIBERS))


def test_an_unchanged_night_asks_for_what_can_have_changed_only(tables: Tables) -> None:
    """Incident: a catalogue of eighty products, and three hundred requests each night that brought nothing."""
    tables.night()
    first = requests(tables)
    read = tables.night()
    assert not [name for name, one in read.items() if one.change.any]
    # Two pages of products, one list of subscribers, one of UTM links.
    assert requests(tables) - first == 4
    with_variants = sum(bool(one.variants) for one in tables.seller.products)
    assert first == 2 + 1 + 3 * len(tables.seller.products) + 2 * with_variants + 1


def test_a_list_comes_as_one_and_in_pages_where_that_takes_too_long(tables: Tables) -> None:
    """Incident: forty requests a night for the four thousand members of an account in which nothing had changed."""
    tables.seller.overlay.page = 2
    tables.catalogue()
    before = requests(tables)
    tables.read(SUBSCRIBERS)
    assert requests(tables) - before == 1
    whole = tables.here(SUBSCRIBERS)
    assert len(whole) > 2
    path = f"/v2/products/{tables.studio}/subscribers"
    tables.server.faults.every(1, "timeout_400", path=path, times=1)
    assert not tables.read(SUBSCRIBERS).change.any
    assert requests(tables) - before == 1 + 1 + -(-len(whole) // 2)
    assert tables.here(SUBSCRIBERS) == whole


def test_who_left_stays_with_the_day_and_the_last_state(tables: Tables) -> None:
    """Incident: churn that nobody could count, because who cancelled was gone from the table."""
    tables.night()
    name = next(iter(tables.here(SUBSCRIBERS)))
    tables.part.end_membership("alice", name)
    before = requests(tables)
    tables.night([SUBSCRIBERS])
    assert requests(tables) - before == 2 + 1 + 1
    (row,) = [one for one in tables.rows(SUBSCRIBERS) if one["id"] == name]
    assert (row["status"], row["removed_at"] is not None, row["cancelled_at"] is not None) == ("cancelled", True, True)
    missed = row["removed_at"]
    tables.night([SUBSCRIBERS])
    (row,) = [one for one in tables.rows(SUBSCRIBERS) if one["id"] == name]
    assert row["removed_at"] == missed
    tables.part.edit_row("alice", "subscribers", name, status="alive", cancelled_at=None)
    tables.night([SUBSCRIBERS])
    assert name in tables.here(SUBSCRIBERS)


@pytest.mark.parametrize("stream", [SUBSCRIBERS, REVIEWS], ids=lambda stream: stream.name)
def test_a_page_that_changes_while_it_is_read_removes_nobody(tables: Tables, stream: TableStream) -> None:
    """Incident: members that fell between two pages of the service, counted as lost for a night."""
    tables.night([stream])
    before = tables.here(stream)
    tables.seller.overlay.page = 1
    with tables.warehouse.write() as connection:
        connection.execute(stream_reads.delete())
    path = "/v2/products"
    tables.server.faults.every(1, "skip_rows", path=path, times=1)
    tables.read(stream)
    assert before.keys() == tables.here(stream).keys()
    tables.server.faults.clear()
    tables.server.faults.every(2, "arrivals", path=path)
    tables.night([SUBSCRIBERS])
    assert before.keys() <= {*tables.here(stream)}


def test_a_row_that_is_gone_from_one_list_is_marked_once(tables: Tables) -> None:
    """Incident: an offer code that was deleted in May and still sold in June's report."""
    tables.night()
    code = next(row for row in tables.rows(OFFER_CODES) if row["code"] == "friends")
    question = tables.rows(CUSTOM_FIELDS)[0]
    tables.part.remove_row("alice", "offer_codes", code["id"])
    tables.part.remove_row("alice", "utm_links", tables.rows(UTM_LINKS)[0]["id"])
    tables.part.edit_product("alice", question["product_id"], custom_fields=())
    tables.part.add_sale("alice", product=code["product_id"])
    tables.night()
    gone = {stream.name: sum(row["removed_at"] is not None for row in tables.rows(stream)) for stream in STREAMS}
    assert gone == {
        "subscribers": 0,
        "offer_codes": 1,
        "reviews": 0,
        "variant_categories": 0,
        "variants": 0,
        "custom_fields": 2,
        "utm_links": 1,
    }
    again = tables.night()
    assert not [name for name, one in again.items() if one.change.any]


def test_what_a_deleted_product_had_goes_with_it(tables: Tables) -> None:
    """Incident: variants of a product that had not been sold for a year."""
    tables.night()
    product = next(one for one in tables.seller.products if one.permalink == "brush")
    tables.part.remove_product("alice", product.id)
    tables.night()
    for stream in (OFFER_CODES, REVIEWS, CATEGORIES, VARIANTS, CUSTOM_FIELDS):
        mine = [row for row in tables.rows(stream) if row["product_id"] == product.id]
        assert mine
        assert all(row["removed_at"] for row in mine)
    with tables.warehouse.read() as connection:
        read = connection.execute(select(stream_reads.c.parent)).scalars().all()
    assert not [parent for parent in read if parent.startswith(product.id)]


def test_a_late_change_is_read_when_the_product_says_so_or_a_week_has_passed(tables: Tables) -> None:
    """Incident: reviews that appeared after the product's next change, months later."""
    tables.night()
    row = tables.rows(REVIEWS)[0]
    tables.part.edit_row("alice", "product_reviews", row["id"], rating=1)
    assert not tables.night([REVIEWS])["reviews"].lists
    tables.part.add_sale("alice", product=row["product_id"])
    assert tables.night([REVIEWS])["reviews"].lists == 1
    assert tables.here(REVIEWS)[row["id"]]["rating"] == 1
    old = now() - timedelta(days=8)
    with tables.warehouse.write() as connection:
        connection.execute(update(stream_reads).where(stream_reads.c.stream == "reviews").values(read_at=old))
    # One a night of those that nothing tells of.
    assert tables.night([REVIEWS])["reviews"].lists == 1


def test_a_ping_s_membership_is_read_by_itself(tables: Tables) -> None:
    """Incident: a membership that ended in the morning and was active until the night."""
    tables.night()
    name = next(iter(tables.here(SUBSCRIBERS)))
    tables.part.end_membership("alice", name)
    before = requests(tables)
    assert refresh_rows(tables.account, SUBSCRIBERS, [name, name, "unknown=="]).updated == 1
    assert requests(tables) - before == 2
    assert name not in tables.here(SUBSCRIBERS)


def test_a_missing_scope_turns_off_its_table_only(tables: Tables) -> None:
    """Incident: no offer codes, because the token could not read subscribers."""
    tables.catalogue()
    tables.part.drop_scope("alice", "view_sales")
    read = {stream.name: tables.read(stream) for stream in STREAMS}
    refused = read["subscribers"].refused
    assert refused
    assert "view_sales" in refused.detail
    assert "connect again" in refused.hint
    assert [name for name, one in read.items() if one.refused] == ["subscribers"]
    assert tables.rows(OFFER_CODES)
    tables.part.revoke("alice")
    with pytest.raises(AuthError):
        tables.read(SUBSCRIBERS)


def test_a_server_without_a_list_is_no_empty_list(tables: Tables) -> None:
    """Incident: every UTM link marked as deleted by one night on an older server."""
    tables.night()
    tables.seller.overlay.has_utm = False
    assert tables.read(UTM_LINKS).refused
    assert len(tables.here(UTM_LINKS)) == 2


def test_an_answer_without_its_list_and_a_list_that_lost_most_change_nothing(tables: Tables) -> None:
    """Incident: a renamed key that read as "no subscribers"."""
    for number in range(60):
        tables.part.add_row("alice", "utm_links", id=f"utm{number}==")
    tables.night([UTM_LINKS])
    before = tables.rows(UTM_LINKS)
    for number in range(60):
        tables.part.remove_row("alice", "utm_links", f"utm{number}==")
    with pytest.raises(DataError, match="62"):
        tables.read(UTM_LINKS)
    assert tables.rows(UTM_LINKS) == before
    tables.read(UTM_LINKS, allow_shrink=True)
    assert len(tables.here(UTM_LINKS)) == 2


def test_an_object_that_can_t_be_read_keeps_its_row_and_stops_no_other(tables: Tables) -> None:
    """Incident: one review of a kind that nobody knew, and no reviews of any product."""
    tables.night()
    row = tables.rows(REVIEWS)[0]
    tables.part.edit_row("alice", "product_reviews", row["id"], rating="five", new_word=1)
    tables.part.add_sale("alice", product=row["product_id"])
    read = tables.night([REVIEWS])["reviews"]
    assert [one.object_id for one in read.odd] == [row["id"]]
    assert read.new_keys == {"new_word"}
    assert tables.here(REVIEWS)[row["id"]] == row


def test_a_forgotten_subscriber_stays_forgotten(tables: Tables, ring: KeyRing) -> None:
    """Incident: an erased buyer, back with the next night."""
    tables.night()
    name = next(iter(tables.here(SUBSCRIBERS)))
    person = shown.subscriber(tables.seller, name)
    assert person
    address = person["email"]
    erasure.erase_buyer(tables.warehouse, address, ring.hashes_of(address), personal())
    tables.night()
    assert tables.here(SUBSCRIBERS)[name]["buyer_hash"] is None
    erasure.erase_profile(tables.warehouse, "alice", personal())
    assert not [stream.name for stream in STREAMS if tables.rows(stream)]
