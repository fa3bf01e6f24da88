"""The data dictionary, made from the tables. ``python -m creator_pipeline_tests.tools.dictionary`` writes it anew."""

from __future__ import annotations

from sqlalchemy import Table

from creator_pipeline import platforms
from creator_pipeline.store.tables import metadata
from creator_pipeline_tests.support import paths

PATH = paths.ROOT / "docs" / "data-dictionary.md"
_HEAD = """# Data dictionary

Made from `creator_pipeline/store/tables.py` and the [declared tables and views](tables.md); the same on SQLite and PostgreSQL.
Columns that end in `_micros` are integer millionths of the unit of the row's currency. Times are UTC.

## Views for reports

Amounts in units of the currency, with six places: `numeric(24, 6)` on PostgreSQL; exact text on SQLite, which has no decimals.
`local_day` is the day in the seller's time zone (`profiles.timezone`: `creator-pipeline profiles add alice --timezone
America/Los_Angeles`), `occurred_on` the UTC day; what has no time of day, as KDP's royalties, keeps its day. SQLite knows no
time zones: `local_day` is null there. A zone that PostgreSQL doesn't know counts as UTC. The role `pipeline_reader` may read
all of them.

| view | a row for each | columns |
|---|---|---|
| `revenue` | row of `sales_events` | `gross`, `fee`, `net`, `currency`; `occurred_on`, `local_day`, `settled_on` |
| `daily_revenue_amounts` | row of `daily_revenue` | UTC day: `units`, `refunds`, `gross`, `fee`, `net` |
| `daily_revenue_local` | seller's day, profile, platform, currency | the same figures by `local_day`, added up from the ledger |
| `payout_amounts` | payout | `amount`, `balance`, `withheld`, each with its currency |
| `kdp_books`, `kdp_kenp_rates`, `kdp_kenp_estimates`, `kdp_orders`, `kdp_orders_placed`, `kdp_payments_counted` | see [declared tables](tables.md) | at the end of this page |
| `sync_status` | connected account | `connection`, `last_success`, `expected_by`, `late_since`, `reason`, `hint`: see the [runbook](runbook.md#who-is-late) |
"""


def _table(table: Table) -> str:
    lines = [f"## {table.name}", ""]
    if table.comment:
        lines += [table.comment, ""]
    lines += ["| column | type | key | may be null | meaning |", "|---|---|---|---|---|"]
    for column in table.columns:
        kind = str(column.type).lower().replace("datetime", "timestamp")
        key, null = "yes" if column.primary_key else "", "yes" if column.nullable else ""
        meaning = (column.comment or "").replace("|", "\\|")
        lines.append(f"| `{column.name}` | {kind} | {key} | {null} | {meaning} |")
    return "\n".join(lines)


def text() -> str:
    """The whole document."""
    platforms.declared()
    views = [view.table for view in platforms.declared_views()]
    return "\n\n".join([_HEAD.rstrip(), *map(_table, (*metadata.sorted_tables, *views))]) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
