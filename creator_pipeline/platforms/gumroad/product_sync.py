"""The catalogue from the API to the tables."""

from __future__ import annotations

from sqlalchemy import select

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.text import number
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.models import ProductRow, product_row
from creator_pipeline.platforms.gumroad.odd import keep_products, unreadable
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import GUARD_ROWS, GUARD_SHARE, Change, replace
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_products
from creator_pipeline.store.unreadable import Unreadable


def load_products(
    warehouse: Warehouse, client: GumroadClient, profile_id: str, *, allow_shrink: bool = False
) -> tuple[list[ProductRow], Change]:
    """Make the stored catalogue equal to the API's; what is gone keeps its row and gets ``removed_at``.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        profile_id: whose products.
        allow_shrink: accept that most products are gone.

    Raises:
        DataError: the catalogue shrank to less than half.
    """
    moment = now()
    rows: dict[str, ProductRow] = {}
    odd: list[Unreadable] = []
    for item in client.products():
        try:
            row = product_row(profile_id, item, moment)
        except DataError as error:
            odd.append(unreadable("products", item, error))
            continue
        rows[row.id] = row
    unread = {one.object_id for one in odd}
    any_unknown = any(one.asked for one in odd)
    mine = gumroad_products.c.profile_id == profile_id
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        stored = [ProductRow(*row) for row in connection.execute(select(gumroad_products).where(mine))]
        present = sum(row.removed_at is None for row in stored)
        if present >= GUARD_ROWS and len(rows) < present * GUARD_SHARE and not allow_shrink:
            raise DataError(
                f"gumroad/products of {profile_id}: {number(len(rows), 'product')} would replace {present}; "
                "nothing was written.",
                hint="If the catalogue really shrank, run again with the tag creator_pipeline/allow_shrink: true.",
            )
        # What was read before of a product stands as long as it can't be read; one without an id may be any.
        gone = [
            row if any_unknown or row.id in unread else row._replace(removed_at=row.removed_at or moment)
            for row in stored
            if row.id not in rows
        ]
        keep_products(connection, profile_id, odd, rows)
        change = replace(
            connection, gumroad_products, [*rows.values(), *gone], mine, what=f"gumroad/products {profile_id}"
        )
    return list(rows.values()), change
