"""Checks on what a run has just read. They ride in the run's own step and cost no request."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg

from creator_pipeline.core.text import number
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.ledger import is_from_payout
from creator_pipeline.platforms.gumroad.sync import Loaded
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.step_checks import SHOWN, StepCheck, Verdict, figures, known_fields
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import connected

SALES = asset_key("gumroad", "sales")
EVENTS = asset_key("sales_events", "gumroad")

PAGES_COMPLETE = "pages_complete"
READ_AGAIN = "creator-pipeline backfill gumroad --profile PROFILE --from DAY --to DAY"
CHECKS = (
    StepCheck(
        SALES,
        "refunds_known",
        "Every partial refund has an amount, and it is settled with Gumroad's own totals of the day.",
        f"Read their days again once Gumroad shows totals for them: {READ_AGAIN}",
    ),
    StepCheck(
        SALES,
        PAGES_COMPLETE,
        "Every sale stands on a page of Gumroad's list, as the list is read.",
        "Nothing is to be done: the sales are loaded. Gumroad's pages leave out a sale whose id is higher than its "
        "time tells; these were found by reading their day with other page keys.",
    ),
    StepCheck(
        SALES,
        "fees_known",
        "Every sale for money tells Gumroad's fee.",
        "Their gross is in the ledger without a fee, so their net is too high by it. Read their days again once "
        f"Gumroad tells it: {READ_AGAIN}",
        warns=False,
    ),
    StepCheck(
        SALES,
        "sales_readable",
        "Every sale of the list can be read.",
        "Nothing is lost: what was told is kept in the table unreadable. It counts as soon as Gumroad tells it right "
        "and its day is read again: creator-pipeline backfill gumroad --from DAY --to DAY.",
        warns=False,
    ),
    known_fields(SALES),
    StepCheck(
        EVENTS,
        "ledger_agrees",
        "Ledger and sales add up to the same money, and no sale gives back more than it brought.",
        "Materialize sales_events/gumroad for these days.",
        warns=False,
    ),
)


@dataclass
class Tally:
    """What the checks need of the parts of a run, added up as they land."""

    read: int = 0
    sales: int = 0
    unknown_refunds: list[str] = field(default_factory=list[str])
    estimated_refunds: list[str] = field(default_factory=list[str])
    new_keys: set[str] = field(default_factory=set[str])
    over_refunded: list[str] = field(default_factory=list[str])
    gross_micros: int = 0
    ledger_micros: int = 0
    without_fee: list[str] = field(default_factory=list[str])
    skipped: set[str] = field(default_factory=set[str])
    odd: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, part: Loaded) -> None:
        """Count a committed part."""
        self.read += 1
        self.new_keys |= part.new_keys
        self.skipped |= part.skipped
        self.odd |= {one.object_id: one.detail for one in part.odd}
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
            if not row.fee_told:
                self.without_fee.append(row.id)
            if (row.refunded_micros or 0) > row.price_micros:
                self.over_refunded.append(row.id)
        sold = (event for event in part.events if event.event_type == "sale" and not is_from_payout(event))
        self.ledger_micros += sum(event.gross_micros for event in sold)

    def verdicts(self) -> Iterator[Verdict]:
        """What came out; nothing where nothing was read."""
        if not self.read:
            return
        yield Verdict(
            "refunds_known",
            not self.unknown_refunds and not self.estimated_refunds,
            {
                "without_amount": self.unknown_refunds,
                "estimated_to_the_cent": self.estimated_refunds,
            },
        )
        yield Verdict(
            "fees_known",
            not self.without_fee,
            {"without_fee": self.without_fee},
            f"{number(len(self.without_fee), 'sale tells', 'sales tell')} no fee" if self.without_fee else None,
        )
        yield Verdict(
            PAGES_COMPLETE,
            not self.skipped,
            {"on_no_page": sorted(self.skipped)},
            f"{number(len(self.skipped), 'sale stands', 'sales stand')} on no page of Gumroad's list"
            if self.skipped
            else None,
        )
        yield Verdict(
            "sales_readable",
            not self.odd,
            {"odd": [f"{sale}: {why}" for sale, why in sorted(self.odd.items())]},
            f"{number(len(self.odd), 'sale')} can't be read" if self.odd else None,
        )
        yield Verdict("known_fields", not self.new_keys, {"new_fields": sorted(self.new_keys)})
        yield Verdict(
            "ledger_agrees",
            self.gross_micros == self.ledger_micros and not self.over_refunded,
            {
                "sales": self.sales,
                "gross_micros_of_sales": self.gross_micros,
                "gross_micros_of_ledger": self.ledger_micros,
                "refunded_more_than_sold": self.over_refunded,
            },
        )


@dg.asset_check(
    asset=asset_key("daily_revenue"),
    name="agrees_with_gumroad",
    description="The ledger equals Gumroad's own totals of each day, as the last drift scan saw them. Sales that the "
    "totals leave out or count on another day are named and no difference.",
)
def agrees_with_gumroad(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare every profile's days, after a roll-up."""
    return agreement(warehouse.open())


def agreement(stored: Warehouse) -> dg.AssetCheckResult:
    """Compare every profile's days; names those that differ and the command that reads them again."""
    lines, hints, known, days = list[str](), list[str](), list[str](), 0
    sure, waiting = False, list[str]()
    for profile_id in connected(stored, "gumroad"):
        seen = drift.seen_totals(stored, profile_id)
        if not seen:
            waiting.append(profile_id)
            continue
        days += len(seen)
        ours = drift.ledger_totals(stored, profile_id, min(seen), max(seen))
        for found, why, suspect in drift.explained(stored, profile_id, drift.differing(seen, ours)):
            if why is not None:
                known.append(f"{profile_id} {found.day}: {why.describe()}")
                continue
            lines.append(f"{profile_id} {found.describe()}")
            if suspect is not None:
                lines[-1] += f"; Gumroad lists sale {suspect.sale_id} and doesn't count it"
            sure = sure or suspect is None
            first, last = found.day - timedelta(days=1), found.day + timedelta(days=1)
            hints.append(f"creator-pipeline backfill gumroad --profile {profile_id} --from {first} --to {last}")
    first_line = lines[0] if lines else f"Not compared yet: {', '.join(waiting[:SHOWN])}." if waiting else None
    if waiting:
        hints.append("The job gumroad_drift compares each night; servers without totals can't be compared.")
    return dg.AssetCheckResult(
        asset_key=asset_key("daily_revenue"),
        check_name="agrees_with_gumroad",
        passed=not lines and not waiting,
        severity=dg.AssetCheckSeverity.ERROR if sure else dg.AssetCheckSeverity.WARN,
        metadata=figures(
            {
                "days_compared": days,
                "differences": lines,
                "hint": hints,
                "counted_otherwise": known,
                "not_compared_yet": waiting,
            },
            passed=not lines and not waiting,
        ),
        description=first_line,
    )
