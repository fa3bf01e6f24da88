"""Assets of Whop's declared tables, and the rows of them that other jobs read on their way."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError, PipelineError
from creator_pipeline.core.json_fields import FieldReader
from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.access import SOURCE, WhopAccess, WhopResource
from creator_pipeline.platforms.whop.odd import NOT_NARROWING
from creator_pipeline.platforms.whop.table_calls import TableCalls
from creator_pipeline.platforms.whop.tables import ALERTS, DISPUTES, MEMBERS, REFUNDS, STREAMS, VARIANTS
from creator_pipeline.runtime import table_store
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.profile_jobs import Work
from creator_pipeline.runtime.streams import Request
from creator_pipeline.runtime.table_assets import remember, table_assets
from creator_pipeline.runtime.table_lists import Account, TableRead
from creator_pipeline.runtime.table_reads import store_told
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.table_streams import TableStream

FIELDS = FieldReader("Whop", "Its row stays as it was. The API may have changed.", absent_is_null=True)
TOLD: Mapping[str, TableStream] = {
    "members": MEMBERS,
    "plans": VARIANTS,
    "refunds": REFUNDS,
    "disputes": DISPUTES,
    "dispute_alerts": ALERTS,
}
"""Lists that other jobs read, by the client's word for them, and the tables that hold their rows."""


def account(resource: WhopResource, warehouse: Warehouse, profile_id: str, access: WhopAccess) -> Account:
    """A profile's account, whose tables are read.

    Args:
        resource: hashes addresses.
        warehouse: where the tables are.
        profile_id: whose account.
        access: to it.
    """
    again = PLATFORM.where_to_connect.format(profile_id=profile_id)
    connect = f"give its key the permission under Developer, API keys, or take another key by {again}"
    lists = TableCalls(access.client, access.account_id)
    return Account(warehouse, SOURCE, profile_id, lists, FIELDS, resource.ring(), connect)


@contextmanager
def opened(request: Request[WhopResource]) -> Generator[Account]:
    """The account that a load asks for."""
    access = request.resource.access(request.warehouse, request.profile_id)
    with access.client:
        yield account(request.resource, request.warehouse, request.profile_id, access)


def store_read(
    resource: WhopResource, warehouse: Warehouse, profile_id: str, access: WhopAccess
) -> Iterator[tuple[TableStream, TableRead | PipelineError]]:
    """Store the lists that were read for other ends into their tables: no request is made for rows that are there.

    Args:
        resource: hashes addresses.
        warehouse: where the tables are.
        profile_id: whose account.
        access: whose client has read them.

    Yields:
        what each table came to, or why it was not stored: nobody asked for it, and its own reading says what is wrong.
    """
    own = account(resource, warehouse, profile_id, access)
    for operation, asked, items in access.client.take_read():
        stream, narrowed = TOLD.get(operation), asked.keys() - NOT_NARROWING
        if stream is None or narrowed - {"created_after"} or not settings.load().stream_on(stream.asset):
            continue
        after = datetime.fromisoformat(asked["created_after"]) if narrowed else None
        try:
            read = store_told(own, stream, items, after)
        except PipelineError as error:
            if isinstance(error, AuthError) and error.revoked:
                raise
            yield stream, error
            continue
        remember(warehouse, SOURCE, profile_id, stream, read)
        yield stream, read


def keep_told(work: Work, access: WhopAccess) -> None:
    """Store the lists that a job read for other ends, and log their tables' partitions.

    Args:
        work: of the job.
        access: whose client has read them.
    """
    for stream, read in store_read(work.resource, work.warehouse, work.profile_id, access):
        if isinstance(read, PipelineError):
            work.context.log.warning("%s of %s was not stored: %s", stream.asset, work.profile_id, read)
            continue
        with work.warehouse.read() as connection:
            there, gone = table_store.counts(connection, stream, work.profile_id)
        figures = {**read.change.metadata(), "rows_gone": gone}
        work.outcome.materialized(asset_key(stream.platform, stream.name), work.profile_id, there, figures)


ASSETS, JOB = table_assets(SOURCE, STREAMS, opened)
