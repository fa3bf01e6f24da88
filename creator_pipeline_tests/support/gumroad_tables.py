"""The declared tables of a stand-in's seller: read as a night does, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad.access import SOURCE
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.product_sync import load_products
from creator_pipeline.platforms.gumroad.table_assets import FIELDS
from creator_pipeline.platforms.gumroad.tables import STREAMS
from creator_pipeline.runtime.table_lists import Account, TableRead
from creator_pipeline.runtime.table_reads import read_table
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer


class Tables:
    """The tables of one seller of a stand-in, in a warehouse."""

    def __init__(self, warehouse: Warehouse, ring: KeyRing, server: SandboxServer, profile_id: str = "alice") -> None:
        self.warehouse, self.server, self.profile_id = warehouse, server, profile_id
        self.seller = server.world.gumroad[profile_id]
        with warehouse.write() as connection:
            profiles.add_profile(connection, profile_id, f"{profile_id}@example.com")
            profiles.connect(connection, ring, "gumroad", profile_id, self.seller.token)
        self.client = GumroadClient(server.gumroad_url, self.seller.token, Free())
        self.account = Account(warehouse, SOURCE, profile_id, self.client.tables, FIELDS, ring, "connect again")

    @property
    def part(self) -> Any:
        """What can happen to the seller."""
        return self.server.world.gumroad

    @property
    def studio(self) -> str:
        """The product that is a membership."""
        found = self.seller.product("studio")
        assert found
        return found.id

    def catalogue(self) -> None:
        """Read the products."""
        load_products(self.warehouse, self.client, self.profile_id)

    def read(self, stream: TableStream, **over: Any) -> TableRead:
        """Read one table."""
        return read_table(self.account, stream, **over)

    def night(self, streams: Sequence[TableStream] = STREAMS) -> dict[str, TableRead]:
        """Read the products, then each table."""
        self.catalogue()
        return {stream.name: self.read(stream) for stream in streams}

    def rows(self, stream: TableStream) -> list[dict[str, Any]]:
        """Every row of a table."""
        with self.warehouse.read() as connection:
            found = connection.execute(select(stream.table).order_by(*stream.table.primary_key)).mappings()
            return [dict(row) for row in found]

    def here(self, stream: TableStream) -> dict[str, dict[str, Any]]:
        """Rows that aren't gone, by id."""
        return {row["id"]: row for row in self.rows(stream) if row["removed_at"] is None}

    def close(self) -> None:
        """Close the client."""
        self.client.close()
