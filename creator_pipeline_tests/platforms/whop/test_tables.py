"""Whop's declared tables over HTTP from the stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from creator_pipeline.core.errors import AuthError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.platforms import personal
from creator_pipeline.platforms.whop.access import SOURCE
from creator_pipeline.platforms.whop.sandbox.tables import KEPT_AS, PERSONS
from creator_pipeline.platforms.whop.table_assets import FIELDS
from creator_pipeline.platforms.whop.table_calls import TableCalls
from creator_pipeline.platforms.whop.tables import (
    AFFILIATES,
    INVOICES,
    LEADS,
    PRODUCTS,
    PROMO_CODES,
    REFUNDS,
    REVIEWS,
    STREAMS,
    TRANSFERS,
    TURNS,
    VARIANTS,
    WAITING_LIST,
)
from creator_pipeline.platforms.whop.webhook import reread, rows_of
from creator_pipeline.runtime.table_lists import Account, TableRead
from creator_pipeline.runtime.table_reads import read_table, refresh_rows, store_told
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.retention import Keep, delete_old
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline.store.tables import metadata, stream_reads
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.whop_samples import TODAY, open_client


class Tables:
    """The tables of one account of a stand-in, in a warehouse."""

    def __init__(self, warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> None:
        self.warehouse, self.server, self.part = warehouse, server, server.world.whop
        self.sold = self.part["alice"]
        with warehouse.write() as connection:
            profiles.add_profile(connection, "alice", "alice@example.com")
        self.client = open_client(server, self.sold.key)
        lists = TableCalls(self.client, self.sold.id)
        self.account = Account(warehouse, SOURCE, "alice", lists, FIELDS, ring, "give its key the permission")

    def night(self, streams: Sequence[TableStream] = STREAMS) -> dict[str, TableRead]:
        """Read each table as a night does."""
        return {stream.name: read_table(self.account, stream) for stream in streams}

    def rows(self, stream: TableStream) -> list[dict[str, Any]]:
        """Every row of a table."""
        with self.warehouse.read() as connection:
            return [dict(row) for row in connection.execute(select(stream.table)).mappings()]

    def here(self, stream: TableStream) -> dict[str, dict[str, Any]]:
        """Rows that aren't gone, by id."""
        return {row["id"]: row for row in self.rows(stream) if row["removed_at"] is None}

    def days_pass(self, days: int = 1) -> None:
        """What was read was read so many days before."""
        with self.warehouse.write() as connection:
            for row in connection.execute(select(stream_reads)).all():
                mine = (stream_reads.c.stream == row.stream) & (stream_reads.c.parent == row.parent)
                back = row.read_at - timedelta(days=days)
                connection.execute(update(stream_reads).where(mine).values(read_at=back))

    def only(self, stream: TableStream) -> None:
        """No other table waits for its turn."""
        with self.warehouse.write() as connection:
            connection.execute(stream_reads.delete().where(stream_reads.c.stream != stream.name))

    def asked(self) -> int:
        """Requests so far."""
        return sum(self.server.faults.requests.values())


@pytest.fixture
def tables(sqlite_warehouse: Warehouse, ring: KeyRing) -> Iterator[Tables]:
    world = World.invented(today=TODAY, sizes={"alice": 1}, whop_sizes={"alice": 40})
    with SandboxServer(world) as server:
        made = Tables(sqlite_warehouse, ring, server)
        with made.client:
            yield made


def ids_of(tables: Tables, stream: TableStream) -> list[str]:
    name = stream.path.strip("/")
    return sorted(tables.sold.tables[KEPT_AS.get(name, name)])


def test_each_table_has_what_the_platform_lists(tables: Tables) -> None:
    """Incident: a table that was declared, loaded each night, and empty."""
    read = tables.night()
    assert not [(name, one.odd, one.new_keys) for name, one in read.items() if one.odd or one.new_keys]
    for stream in STREAMS:
        if stream.name != "dispute_alerts":
            assert ids_of(tables, stream), stream.name
        assert sorted(row["id"] for row in tables.rows(stream)) == ids_of(tables, stream), stream.name
    codes = {row["promo_type"]: row for row in tables.rows(PROMO_CODES)}
    assert (codes["percentage"]["part_off_micros"], codes["percentage"]["amount_off_micros"]) == (250_000, None)
    assert codes["flat_amount"]["amount_off_micros"] == 5_000_000
    assert tables.rows(AFFILIATES)[0]["mrr_usd_micros"] == 1_116_000_000
    assert tables.rows(INVOICES)[0]["total_micros"] == 104_500_000
    assert {row["referrer_host"] for row in tables.rows(LEADS)} == {"letters.example.org"}
    assert {row["side"] for row in tables.rows(TRANSFERS)} == {"origin", "destination"}
    assert {row["currency"] for row in tables.rows(VARIANTS)} == {"USD", "EUR", "JPY", "KWD"}


def test_no_name_address_or_token_reaches_a_table(tables: Tables) -> None:
    """Incident: an export of the invoices with the token that opens each of them without a login."""
    tables.night()
    with tables.warehouse.read() as connection:
        declared = [table for table in metadata.sorted_tables if table.name in {one.table.name for one in STREAMS}]
        stored = "\n".join(str(row) for table in declared for row in connection.execute(select(table)))
    for word in (*PERSONS, "@example.com", "opens-inv_", "read?for=", "+1555"):
        assert word not in stored
    assert "Write me at" in stored
    assert all(row["buyer_hash"] for row in tables.rows(LEADS))


def test_tables_take_turns_and_none_waits_for_ever(tables: Tables) -> None:
    """Incident: thirteen lists each night, beside a night's own reading, and a key over its budget."""
    tables.night()
    # Two lists of transfers: of what left, and of what came.
    assert len(TURNS.streams) + 1 == TURNS.lists
    read: set[str] = set()
    for _ in range(TURNS.nights):
        tables.days_pass()
        before = tables.asked()
        found = tables.night([stream for stream in STREAMS if stream.turns])
        assert tables.asked() - before <= TURNS.a_night
        assert not [name for name, one in found.items() if one.change.any]
        read |= {name for name, one in found.items() if one.lists}
    assert read == {*TURNS.streams} == {stream.name for stream in STREAMS if stream.turns}


def test_a_long_list_is_read_bit_by_bit_and_finds_each_change(tables: Tables) -> None:
    """Incident: a lead that was deleted on page thirty, and a customer for years."""
    tables.night()
    tables.only(LEADS)
    tables.server.whop.page_limit = 4
    names = [row["id"] for row in sorted(tables.rows(LEADS), key=lambda row: row["created_at"])]
    assert len(names) > 15
    tables.part.remove_row("alice", "leads", names[0])
    tables.part.edit_row("alice", "leads", names[1], member={"id": "mber_new"})
    nights = 0
    while names[0] in tables.here(LEADS):
        tables.days_pass()
        before = tables.asked()
        tables.night([LEADS])
        assert tables.asked() - before <= 1 + TURNS.pages + 1
        nights += 1
        assert nights < 10
    assert nights > 1
    assert tables.here(LEADS)[names[1]]["member_id"] == "mber_new"
    assert len(tables.here(LEADS)) == len(names) - 1


def test_a_page_that_changes_while_it_is_read_removes_nobody(tables: Tables) -> None:
    """Incident: rows that moved to another page while it was read, counted as deleted."""
    tables.night()
    tables.only(LEADS)
    tables.server.whop.page_limit = 3
    before = tables.here(LEADS).keys()
    made = 0

    def arrive() -> None:
        nonlocal made
        made += 1
        newest = max(tables.sold.tables["leads"].values(), key=lambda row: row["created_at"])
        tables.sold.put("leads", newest | {"id": f"lead_new{made}", "created_at": f"2099-01-{made:02}T00:00:00.000Z"})

    tables.server.whop.between_pages = arrive
    for _ in range(3):
        # As one that was never read, which is read to its end.
        with tables.warehouse.write() as connection:
            connection.execute(stream_reads.delete())
        tables.night([LEADS])
    assert made
    assert before <= tables.here(LEADS).keys()


def test_what_left_a_list_keeps_its_last_state(tables: Tables) -> None:
    """Incident: a person who gave up waiting, and waits in the report."""
    tables.night()
    entry, review = ids_of(tables, WAITING_LIST)[0], ids_of(tables, REVIEWS)[0]
    tables.part.edit_row("alice", "waitlist_entries", entry, status="canceled")
    tables.part.edit_row("alice", "reviews", review, status="removed")
    product = ids_of(tables, PRODUCTS)[0]
    tables.part.remove_row("alice", "products", product)
    for _ in range(TURNS.nights):
        tables.days_pass()
        tables.night()
    gone = {
        row["id"]: row["status"] for one in (WAITING_LIST, REVIEWS) for row in tables.rows(one) if row["removed_at"]
    }
    assert gone == {entry: "canceled", review: "removed"}
    assert product not in tables.here(PRODUCTS)


def test_a_missing_permission_turns_off_its_table_only(tables: Tables) -> None:
    """Incident: no reviews, because the key could not read invoices."""
    tables.sold.permissions -= {"invoice:basic:read"}
    read = tables.night()
    refused = {name: one.refused for name, one in read.items() if one.refused}
    assert refused.keys() == {"invoices"}
    told = refused["invoices"]
    assert told
    assert "invoice:basic:read" in told.detail
    assert "permission" in told.hint
    assert tables.rows(REVIEWS)
    tables.sold.revoked = True
    with pytest.raises(AuthError):
        read_table(tables.account, INVOICES)


def test_lists_read_for_other_ends_are_stored_without_a_request(tables: Tables) -> None:
    """Incident: refunds asked for twice each night."""
    tables.night()
    refunds = sorted(tables.sold.tables["refunds"].values(), key=lambda row: row["created_at"])
    after = now().fromisoformat(refunds[0]["created_at"])
    tables.part.edit_row("alice", "refunds", refunds[-1]["id"], status="failed")
    before = tables.asked()
    assert store_told(tables.account, REFUNDS, refunds[1:], after).change.updated == 1
    assert tables.asked() == before
    assert len(tables.here(REFUNDS)) == len(refunds)
    # What a list that begins later lacks is gone; what is older isn't asked for.
    tables.part.remove_row("alice", "refunds", refunds[1]["id"])
    assert store_told(tables.account, REFUNDS, refunds[2:], after).change.updated == 1
    assert tables.here(REFUNDS).keys() == {one["id"] for one in refunds} - {refunds[1]["id"]}


def test_a_webhook_reads_the_row_that_it_names(tables: Tables) -> None:
    """Incident: an invoice that was paid in the morning and open until its table's turn."""
    tables.night()
    name = ids_of(tables, INVOICES)[0]
    tables.part.edit_row("alice", "invoices", name, status="paid")
    told = reread("msg_1", orjson.dumps({"type": "invoice.paid", "data": {"id": name}}))
    assert told.rows == {rows_of(INVOICES): [name]}
    assert refresh_rows(tables.account, INVOICES, [name]).updated == 1
    assert tables.here(INVOICES)[name]["status"] == "paid"
    assert not reread("msg_2", orjson.dumps({"type": "invoice.paid", "data": {"id": "../x"}})).rows


def test_without_its_account_nothing_is_asked(tables: Tables) -> None:
    """Incident: the products of all of Whop in one seller's table."""
    tables.account.lists._account_id = None  # pyright: ignore[reportAttributeAccessIssue] - as before the first sale
    before = tables.asked()
    tables.night()
    assert tables.asked() == before
    assert not tables.rows(PRODUCTS)


def test_a_person_who_was_taken_out_stays_out_when_the_row_is_read_again(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: hashes of leads of years ago, deleted in the night and back in the next."""
    tables.night()
    name, other = ids_of(tables, LEADS)[:2]
    with tables.warehouse.write() as connection:
        for row in (name, other):
            at = connection.execute(select(LEADS.table.c.first_seen_at).where(LEADS.table.c.id == row)).scalar_one()
            old = {"first_seen_at": at - timedelta(days=400), "ingested_at": at - timedelta(days=400)}
            connection.execute(update(LEADS.table).where(LEADS.table.c.id == row).values(old))
    monkeypatch.setenv("KEEP_BUYERS_DAYS", "365")
    delete_old(tables.warehouse, Keep(buyers=365), now(), personal())
    assert {key for key, row in tables.here(LEADS).items() if row["buyer_hash"] is None} == {name, other}

    def known() -> list[bool]:
        return [
            bool(tables.here(LEADS)[key]["buyer_hash"] or tables.here(LEADS)[key]["user_id"]) for key in (name, other)
        ]

    tables.part.edit_row("alice", "leads", name, member={"id": "mber_new"})
    for _ in range(2):
        tables.only(LEADS)
        tables.days_pass()
        tables.night([LEADS])
        assert known() == [False, False]
    assert tables.here(LEADS)[name]["member_id"] == "mber_new"
    refresh_rows(tables.account, LEADS, [name, other])
    assert known() == [False, False]
    # Without the rule they are told again.
    monkeypatch.setenv("KEEP_BUYERS_DAYS", "0")
    refresh_rows(tables.account, LEADS, [name, other])
    assert known() == [True, True]
