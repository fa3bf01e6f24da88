"""Asset ``daily_revenue``, and its checks."""

from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.core.windows import today
from creator_pipeline.ledger.chart import as_markdown, draw, sums, words
from creator_pipeline.ledger.rollup import both_sums, last_days, roll_up
from creator_pipeline.platforms import PLATFORMS, sources
from creator_pipeline.runtime.describe import OWNERS, column_schema, plotted
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import code, see
from creator_pipeline.runtime.outcome import RETRY
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.step_checks import figures
from creator_pipeline.store.tables import daily_revenue, sales_events

DAILY_REVENUE = asset_key("daily_revenue")
PICTURE_DAYS = 90
_OF_SALES = ("sale", "refund", "chargeback", "chargeback_reversal")


def daily_revenue_asset() -> dg.AssetsDefinition:
    """The asset ``daily_revenue``, which follows the ledger of each platform."""

    @dg.asset(
        key=DAILY_REVENUE,
        deps=[asset_key("sales_events", source.provider) for source in sources()],
        group_name="ledger",
        kinds={"python", "table"},
        owners=OWNERS,
        description="Units, refunds and money per day, profile, platform and currency. Only days whose ledger changed "
        "are added up again; the picture shows the net revenue of the last 90 days."
        f"{see('dagster.md')}",
        metadata={**column_schema(daily_revenue), **code(roll_up)},
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=timedelta(hours=48), warn_window=timedelta(hours=26)
        ),
        retry_policy=RETRY,
    )
    def roll_up_ledger(warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
        """Add up the days that changed and draw the last ninety."""
        stored = warehouse.open()
        done, last = roll_up(stored), today()
        rows = last_days(stored, last - timedelta(days=PICTURE_DAYS - 1), last)
        totals = sums(rows)
        text = f"Net revenue of the {PICTURE_DAYS} days to {last}: {words(totals, sources())}"
        picture = draw(rows, last, sources(), PICTURE_DAYS)
        net = {
            f"net_90_days_{platform}_{currency}": to_text(amount, currency)
            for (platform, currency), amount in totals.items()
        }
        with stored.read() as connection:
            count = connection.execute(select(func.count()).select_from(daily_revenue)).scalar_one()
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "days_added_up": done.days,
                **done.change.metadata(),
                **net,
                **plotted(net),
                "picture": dg.MetadataValue.md(f"{as_markdown(picture, text)}\n\n{text}."),
            }
        )

    return roll_up_ledger


@dg.asset_check(
    asset=DAILY_REVENUE,
    description="The roll-up adds up to the ledger, currency by currency: nothing is missing, nothing counts twice.",
)
def equals_ledger(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare net sums of both tables."""
    with warehouse.open().read() as connection:
        ledger, rolled = both_sums(connection)
    wrong = {currency for currency in ledger.keys() | rolled.keys() if ledger.get(currency) != rolled.get(currency)}
    return dg.AssetCheckResult(
        passed=not wrong,
        metadata=figures(
            {
                "currencies_that_differ": wrong,
                "ledger": {currency: to_text(net, currency) for currency, net in ledger.items()},
                "hint": "creator-pipeline migrate; then materialize daily_revenue" if wrong else "",
            },
            passed=not wrong,
        ),
    )


@dg.asset_check(
    asset=DAILY_REVENUE,
    description="No product of the ledger gave back more money than it brought in, sale by sale.",
)
def refunds_within_sales(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Look for external ids whose sales, refunds and disputes add up to less than nothing.

    A correction of the platform's, or a share taken back of an affiliate's earnings, is no sale that gave back more.
    """
    events = sales_events.c
    # Where external ids name what was sold, many sales share one.
    by_sale = [platform.in_ledger for platform in PLATFORMS if not platform.personal.get().ids_name_things]
    with warehouse.open().read() as connection:
        rows = connection.execute(
            select(events.platform, events.profile_id, events.external_id)
            .where(events.platform.in_(by_sale), events.event_type.in_(_OF_SALES))
            .group_by(events.platform, events.profile_id, events.external_id)
            .having(func.sum(events.gross_micros) < 0)
        ).all()
        known = {
            (platform.in_ledger, *sale)
            for platform in PLATFORMS
            if platform.checks and (mine := [row[1:] for row in rows if row[0] == platform.in_ledger])
            for sale in platform.checks.get().gave_more(connection, [(one[0], one[1]) for one in mine])
        }
    wrong = [row for row in rows if tuple(row) not in known]
    return dg.AssetCheckResult(
        passed=not wrong, metadata=figures({"sales": [" ".join(row) for row in wrong]}, passed=not wrong)
    )
