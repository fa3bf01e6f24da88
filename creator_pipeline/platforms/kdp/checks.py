"""Asset checks of what a run has ingested, by what is stored and by the totals that a workbook states."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import dagster as dg
from sqlalchemy import func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.kdp.columns import MARKETPLACE_CURRENCY, normal
from creator_pipeline.platforms.kdp.dimensions import UNKNOWN_CURRENCY
from creator_pipeline.platforms.kdp.ingest import Ingested
from creator_pipeline.platforms.kdp.ledger import PLATFORM
from creator_pipeline.platforms.kdp.ledger_rewrite import EVENT_TYPES, snapshots
from creator_pipeline.platforms.kdp.models import Report, next_period, slice_month
from creator_pipeline.platforms.kdp.precedence import Decision, decide
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.step_checks import figures
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_royalties, sales_events

_ROYALTIES = asset_key("kdp", "royalties")
_EVENTS = asset_key("sales_events", "amazon_kdp")

SPECS = [
    dg.AssetCheckSpec(
        "totals_equal_summary",
        asset=_ROYALTIES,
        description="Units of every month equal the workbook's own Summary; a range that cuts a month differs.",
    ),
    dg.AssetCheckSpec(
        "currency_fits_marketplace",
        asset=_ROYALTIES,
        description="Every known shop pays in its one currency, and no row was left out for an unknown one.",
    ),
    dg.AssetCheckSpec(
        "periods_without_gaps",
        asset=_ROYALTIES,
        description="No month is missing between the first and the last one of a profile's reports.",
    ),
    dg.AssetCheckSpec(
        "no_overlap_left",
        asset=_EVENTS,
        description="No book of a slice counts twice, what counts is what was decided, and the ledger holds it.",
    ),
]


def differing_months(report: Report) -> list[str]:
    """Months of which the Summary has other units than the rows. Months without rows are left out."""
    units: defaultdict[str, int] = defaultdict(int)
    for row in report.of_kind("sales"):
        units[row.dimensions.month] += row.measures.units_sold - row.measures.units_refunded
    stated: defaultdict[str, int] = defaultdict(int)
    for name, sums in report.stated.items():
        if name.startswith("Summary "):
            stated[name.removeprefix("Summary ")] += sums.units_sold
    return [
        f"{report.file_name} {month}: {units[month]} units in the rows, {stated[month]} in the Summary"
        for month in sorted(units.keys() & stated.keys())
        if units[month] != stated[month]
    ]


def unexpected_currencies(report: Report) -> list[str]:
    """Shops with a currency that they don't pay in, and rows that were left out because there is no such currency."""
    refused = [
        f"{report.file_name} {each.sheet or ''} row {each.row}: left out, {each.found} is no currency"
        for each in report.problems
        if each.hint == UNKNOWN_CURRENCY
    ]
    distinct = {row.dimensions for row in report.rows if row.dimensions.counted}
    pairs = {(each.marketplace or "", each.currency) for each in distinct}
    return refused + sorted(
        f"{report.file_name}: {shop} in {currency}"
        for shop, currency in pairs
        if currency and MARKETPLACE_CURRENCY.get(normal(shop), currency) != currency
    )


def missing_months(decided: Decision) -> list[str]:
    """Months without a report between the first and the last one of a series."""
    months: defaultdict[str, set[date]] = defaultdict(set)
    for name in decided.counts:
        series = name.rpartition(":")[0]
        if series.startswith(("sales", "kenp")):
            months[series].add(slice_month(name))
    missing = list[str]()
    for series, there in sorted(months.items()):
        month = min(there)
        while month < max(there):
            if month not in there:
                missing.append(f"{series} {month:%Y-%m}")
            month = next_period(month, "month")
    return missing


def counted_twice(warehouse: Warehouse, profile_id: str) -> list[str]:
    """What counts twice or against the decision, and currencies in which the ledger isn't the sum of what counts."""
    rows, events = kdp_royalties.c, sales_events.c
    mine = (rows.profile_id == profile_id) & rows.counted
    with warehouse.read() as connection:
        twice = connection.execute(
            select(rows.slice, rows.event_key)
            .where(mine)
            .group_by(rows.slice, rows.event_key)
            .having(func.count(rows.upload_id.distinct()) > 1)
        ).all()
        pairs = connection.execute(select(rows.slice, rows.upload_id).where(mine).distinct()).all()
        decided = decide(snapshots(connection, profile_id)).counts
        sums = [
            {currency: int(micros) for currency, micros in connection.execute(query) if micros}
            for query in (
                select(rows.currency, func.sum(rows.royalty_micros)).where(mine).group_by(rows.currency),
                select(events.currency, func.sum(events.net_micros))
                .where(events.profile_id == profile_id, events.platform == PLATFORM, events.event_type.in_(EVENT_TYPES))
                .group_by(events.currency),
            )
        ]
    several = [f"{name}: {key} from several uploads" for name, key in twice]
    beside = [f"{name} from {upload[:16]}" for name, upload in pairs if upload not in decided.get(name, ())]
    stored, ledger = sums
    unequal = [
        f"{code}: ledger {to_text(ledger.get(code, 0), code)}, rows {to_text(stored.get(code, 0), code)}"
        for code in sorted(stored.keys() | ledger.keys())
        if stored.get(code) != ledger.get(code)
    ]
    return [*sorted(several), *sorted(beside), *unequal]


def results(warehouse: Warehouse, landed: Sequence[Ingested]) -> Iterator[dg.AssetCheckResult]:
    """The results of all checks over the uploads of a run."""
    reports = [done.report for done in landed if done.report]
    with warehouse.read() as connection:
        names = sorted({done.file.profile_id for done in landed})
        decisions = {name: decide(snapshots(connection, name)) for name in names}
    found = {
        "totals_equal_summary": [line for report in reports for line in differing_months(report)],
        "currency_fits_marketplace": [line for report in reports for line in unexpected_currencies(report)],
        "periods_without_gaps": [
            f"{name}: {month}" for name, decided in decisions.items() for month in missing_months(decided)
        ],
    }
    for spec in SPECS[:-1]:
        yield _result(spec, found[spec.name])
    yield of_ledger(warehouse, names)


def of_ledger(warehouse: Warehouse, names: Iterable[str]) -> dg.AssetCheckResult:
    """The result of the check of the ledger.

    Args:
        warehouse: where the tables are.
        names: whose ledger.
    """
    lines = [f"{name}: {line}" for name in names for line in counted_twice(warehouse, name)]
    return _result(SPECS[-1], lines)


def _result(spec: dg.AssetCheckSpec, lines: Sequence[str]) -> dg.AssetCheckResult:
    warns = spec.name in {"totals_equal_summary", "periods_without_gaps"}
    return dg.AssetCheckResult(
        check_name=spec.name,
        asset_key=spec.asset_key,
        passed=not lines,
        severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
        description=lines[0] if lines else None,
        metadata=figures({"found": lines}, passed=not lines),
    )
