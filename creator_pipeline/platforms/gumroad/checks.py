"""Checks on what a run has just read. They ride in the run's own step and cost no request."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg

from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.sync import Loaded
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.profiles import connected

_SALES = dg.AssetKey(["gumroad", "sales"])
_EVENTS = dg.AssetKey(["sales_events", "gumroad"])

SPECS = [
    dg.AssetCheckSpec(
        "refunds_known",
        asset=_SALES,
        description="Every partial refund has an amount, and it is settled with Gumroad's own totals of the day.",
    ),
    dg.AssetCheckSpec(
        "known_fields", asset=_SALES, description="The API's objects have no field this code has never heard of."
    ),
    dg.AssetCheckSpec(
        "ledger_agrees",
        asset=_EVENTS,
        description="Ledger and sales add up to the same money, and no sale gives back more than it brought.",
    ),
]


@dataclass
class Tally:
    """What the checks need of the parts of a run, added up as they land."""

    sales: int = 0
    unknown_refunds: list[str] = field(default_factory=list[str])
    estimated_refunds: list[str] = field(default_factory=list[str])
    new_keys: set[str] = field(default_factory=set[str])
    over_refunded: list[str] = field(default_factory=list[str])
    gross_micros: int = 0
    ledger_micros: int = 0

    def add(self, part: Loaded) -> None:
        """Count a committed part."""
        self.new_keys |= part.new_keys
        self.estimated_refunds = [sale for sale in self.estimated_refunds if sale not in part.settled]
        for row in part.sales:
            if row.kind != "sale":
                continue
            self.sales += 1
            self.gross_micros += row.price_micros
            if row.refunded_micros is None:
                self.unknown_refunds.append(row.id)
            elif not row.refund_exact:
                self.estimated_refunds.append(row.id)
            if (row.refunded_micros or 0) > row.price_micros:
                self.over_refunded.append(row.id)
        self.ledger_micros += sum(event.gross_micros for event in part.events if event.event_type == "sale")


def results(tally: Tally, selected: AbstractSet[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
    """The results of those checks that belong to the run."""
    agrees = tally.gross_micros == tally.ledger_micros and not tally.over_refunded
    made = {
        "refunds_known": dg.AssetCheckResult(
            check_name="refunds_known",
            asset_key=_SALES,
            passed=not tally.unknown_refunds and not tally.estimated_refunds,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "without_amount": tally.unknown_refunds[:20],
                "estimated_to_the_cent": tally.estimated_refunds[:20],
            },
        ),
        "known_fields": dg.AssetCheckResult(
            check_name="known_fields",
            asset_key=_SALES,
            passed=not tally.new_keys,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"new_fields": sorted(tally.new_keys)},
        ),
        "ledger_agrees": dg.AssetCheckResult(
            check_name="ledger_agrees",
            asset_key=_EVENTS,
            passed=agrees,
            metadata={
                "sales": tally.sales,
                "gross_micros_of_sales": tally.gross_micros,
                "gross_micros_of_ledger": tally.ledger_micros,
                "refunded_more_than_sold": tally.over_refunded[:20],
            },
        ),
    }
    for key in selected:
        if key.name in made:
            yield made[key.name]


@dg.asset_check(
    asset=dg.AssetKey("daily_revenue"),
    name="agrees_with_gumroad",
    description="The ledger equals Gumroad's own totals of each day, as the last drift scan saw them.",
)
def agrees_with_gumroad(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare every profile's days; names those that differ and the command that reads them again."""
    house, lines, hints, days = warehouse.open(), list[str](), list[str](), 0
    for profile_id in connected(house, "gumroad"):
        seen = drift.seen_totals(house, profile_id)
        if not seen:
            continue
        days += len(seen)
        for found in drift.differing(seen, drift.ledger_totals(house, profile_id, min(seen), max(seen))):
            lines.append(f"{profile_id} {found.describe()}")
            first, last = found.day - timedelta(days=1), found.day + timedelta(days=1)
            hints.append(f"creator-pipeline backfill gumroad --profile {profile_id} --from {first} --to {last}")
    return dg.AssetCheckResult(
        passed=not lines,
        metadata={"days_compared": days, "differences": lines[:20], "hint": hints[:20]},
        description=lines[0] if lines else None,
    )
