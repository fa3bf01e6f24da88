"""Assets of Gumroad's declared tables, and the reading of single rows that a ping names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from creator_pipeline.core.json_fields import FieldReader
from creator_pipeline.platforms.gumroad import PLATFORM
from creator_pipeline.platforms.gumroad.access import SOURCE, GumroadResource
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.tables import STREAMS
from creator_pipeline.runtime.streams import Request
from creator_pipeline.runtime.table_assets import table_assets
from creator_pipeline.runtime.table_lists import Account
from creator_pipeline.store.engine import Warehouse

FIELDS = FieldReader("Gumroad", "Its row stays as it was. The API may have changed.", absent_is_null=True)


def account(resource: GumroadResource, warehouse: Warehouse, profile_id: str, client: GumroadClient) -> Account:
    """A profile's account, whose tables are read.

    Args:
        resource: hashes addresses.
        warehouse: where the tables are.
        profile_id: whose account.
        client: of the account.
    """
    connect = PLATFORM.where_to_connect.format(profile_id=profile_id)
    return Account(warehouse, SOURCE, profile_id, client.tables, FIELDS, resource.ring(), connect)


@contextmanager
def opened(request: Request[GumroadResource]) -> Generator[Account]:
    """The account that a load asks for."""
    with request.resource.client(request.warehouse, request.profile_id) as client:
        yield account(request.resource, request.warehouse, request.profile_id, client)


ASSETS, JOB = table_assets(SOURCE, STREAMS, opened)
