"""Asset ``products``: each thing sold anywhere, and the work that it is an edition of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Connection, func, select

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.works import Work, read_works, work_of
from creator_pipeline.platforms import PLATFORMS, of_provider, sources
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import OWNERS, column_schema
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.outcome import RETRY
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.stream_assets import NIGHTLY
from creator_pipeline.runtime.tags import run_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, replace
from creator_pipeline.store.locks import lock, lock_profile
from creator_pipeline.store.tables import products, profiles, sales_events

KEY = asset_key("products")
_SHOWN = 20


def works_of(path: str | None) -> dict[str, Work]:
    """The works of the file at ``WORKS_FILE``; none where it is not set.

    Raises:
        ConfigError: it can't be read.
        DataError: it isn't such a file.
    """
    if not path:
        return {}
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"WORKS_FILE can't be read: {error}.", hint="See docs/products.md.") from None
    return read_works(text, Path(path).name)


def build(warehouse: Warehouse, works: Mapping[str, Work]) -> Change:
    """Make the table equal to what the ledger has sold.

    Args:
        warehouse: where the tables are.
        works: by product.
    """
    change = Change()
    with warehouse.read() as connection:
        names = connection.execute(select(profiles.c.id).order_by(profiles.c.id)).scalars().all()
    for profile_id in names:
        with warehouse.write() as connection:
            lock(connection, products.name)
            lock_profile(connection, profile_id)
            rows = list(_rows(connection, profile_id, works))
            mine, what = products.c.profile_id == profile_id, f"products of {profile_id}"
            # It follows from the ledger, which refuses to shrink by itself.
            change += replace(connection, products, rows, mine, what=what, allow_shrink=True)
    return change


def _rows(connection: Connection, profile_id: str, works: Mapping[str, Work]) -> Iterator[tuple[Any, ...]]:
    events = sales_events.c
    asked = (
        select(
            events.platform,
            events.product_id,
            func.max(events.product_name),
            func.min(events.occurred_on),
            func.max(events.occurred_on),
        )
        .where(events.profile_id == profile_id, events.product_id.is_not(None))
        .group_by(events.platform, events.product_id)
        .order_by(events.platform, events.product_id)
    )
    others = {
        platform.in_ledger: platform.other_ids.get()(connection, profile_id)
        for platform in PLATFORMS
        if platform.other_ids
    }
    for platform, product, name, first, last in connection.execute(asked).all():
        further = sorted(others.get(platform, {}).get(product, ()))
        found = work_of(product, further, works)
        said = (found.work, found.series or None, found.author or None) if found else (None, None, None)
        yield (profile_id, platform, product, name, " ".join(further) or None, first, last, *said, now())


@dg.asset(
    key=KEY,
    deps=[asset_key("sales_events", source.provider) for source in sources()],
    group_name="facts",
    kinds={"python", "table"},
    owners=OWNERS,
    description="A row for each thing that a profile sold on a platform, with its work, series and author where the "
    "file at `WORKS_FILE` says them."
    f"{see('products.md')}",
    metadata={**column_schema(products), **code(build)},
    freshness_policy=NIGHTLY,
    retry_policy=RETRY,
)
def list_products(warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
    """List what was sold."""
    stored, works = warehouse.open(), works_of(settings.load().works_file)
    change = build(stored, works)
    with stored.read() as connection:
        count = connection.execute(select(func.count()).select_from(products)).scalar_one()
    return dg.MaterializeResult(metadata={"dagster/row_count": count, "works": len(works), **change.metadata()})


@dg.asset_check(
    asset=KEY, description="All money of the ledger belongs to a work; always passed without a file at WORKS_FILE."
)
def money_is_mapped(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Name the products without a work that brought money, the largest first."""
    if not settings.load().works_file:
        return dg.AssetCheckResult(passed=True, metadata={"products": 0}, description="WORKS_FILE is not set.")
    with warehouse.open().read() as connection:
        found = unmapped(connection)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"products": len(found), "not_mapped": found[:_SHOWN], "hint": "Add them to the file at WORKS_FILE."},
    )


def unmapped(connection: Connection) -> list[str]:
    """Products of the ledger that brought money and have no work, the largest amount first."""
    events, table = sales_events.c, products.c
    net = func.sum(events.net_micros)
    both = (
        (table.profile_id == events.profile_id)
        & (table.platform == events.platform)
        & (table.product_id == events.product_id)
    )
    asked = (
        select(events.profile_id, events.platform, events.product_id, func.max(events.product_name), events.currency)
        .add_columns(net)
        .join_from(sales_events, products, both, isouter=True)
        .where(table.work.is_(None), events.product_id.is_not(None))
        .group_by(events.profile_id, events.platform, events.product_id, events.currency)
        .having(net != 0)
        .order_by(func.abs(net).desc(), events.product_id)
    )
    return [
        f"{profile_id}: {platform.label if (platform := of_provider(provider)) else provider} {product} "
        f"({name}): {to_text(int(amount), currency)} {currency}"
        for profile_id, provider, product, name, currency, amount in connection.execute(asked)
    ]


JOB = asset_job(
    "product_works",
    [KEY],
    "Lists each thing that was sold, with its work.",
)


@dg.schedule(
    job=JOB,
    cron_schedule="55 4 * * *",
    execution_timezone="UTC",
    description="Lists what was sold, after the night's runs.",
)
def products_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Lists what was sold, after the night's runs."""
    moment = context.scheduled_execution_time.astimezone(UTC)
    return dg.RunRequest(run_key=f"products:{moment:%Y-%m-%dT%H:%M}", tags=run_tags("nightly"))
