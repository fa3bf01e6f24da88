"""who is late, what is told together, and views for reports"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

VIEWS = ("sync_status", "revenue", "daily_revenue_amounts", "daily_revenue_local", "payout_amounts")
_REVENUE_OF_0001 = """
CREATE VIEW revenue AS
SELECT occurred_on, occurred_at, profile_id, platform, event_type, product_id, product_name, quantity,
       gross_micros / 1000000.0 AS gross, fee_micros / 1000000.0 AS fee, net_micros / 1000000.0 AS net, currency, id
FROM sales_events
"""
_COLUMNS = (
    ("cause", sa.Text(), "What is told in one mail with it; null where it is told by itself"),
    ("subject", sa.Text(), "What it is about, for the subject of a mail"),
    ("profile_id", sa.Text(), "Whose it is; null for the installation's"),
    ("mended_told_at", sa.DateTime(timezone=True), "When it was told that it is solved; null until then"),
)
_CONNECTION_COLUMNS = (
    ("fresh_at", "Begin of the last sync that read yesterday and today"),
    ("expected_by", "When it is late without another such sync; null while none is expected"),
)


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _amount(column: str, name: str) -> str:
    """An amount in units with six places: numeric on PostgreSQL, exact text on SQLite, which has no decimals."""
    if _postgres():
        return f"CAST({column} * 0.000001 AS numeric(24, 6)) AS {name}"
    return (
        f"CASE WHEN {column} < 0 THEN '-' ELSE '' END || (abs({column}) / 1000000) || '.' || "
        f"printf('%06d', abs({column}) % 1000000) AS {name}"
    )


def _amounts(names: str) -> str:
    return ", ".join(_amount(f"{name}_micros", name) for name in names.split())


def _local_day() -> str:
    """The seller's day of a row. A platform that tells days and no times tells the seller's own."""
    if not _postgres():
        return "CAST(NULL AS DATE)"
    return (
        "CASE WHEN e.platform = 'amazon_kdp' THEN e.occurred_on "
        "ELSE CAST(e.occurred_at AT TIME ZONE coalesce(z.name, 'UTC') AS date) END"
    )


def _zones() -> str:
    if not _postgres():
        return ""
    # A zone that PostgreSQL doesn't know would be an error of the whole view.
    return "LEFT JOIN profiles p ON p.id = e.profile_id LEFT JOIN pg_timezone_names z ON z.name = p.timezone"


def _views() -> list[str]:
    now = "CURRENT_TIMESTAMP" if _postgres() else "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    late = f"c.expected_by < {now}"
    # A row of a health check tells why; without one nothing has checked since.
    return [
        f"""
CREATE VIEW sync_status AS
SELECT c.profile_id, c.provider AS platform, c.status AS connection, c.last_synced_at, c.fresh_at AS last_success,
       c.expected_by, CASE WHEN {late} THEN c.expected_by END AS late_since,
       CASE WHEN {late} OR c.status <> 'active' THEN coalesce(h.text, c.last_error,
           'No reason is known: is dagster-daemon running, and the sensor pipeline_health on?') END AS reason,
       CASE WHEN {late} OR c.status <> 'active' THEN h.hint END AS hint
FROM platform_connections c
LEFT JOIN health_reports h
    ON h.id = 'late/' || c.provider || '/' || c.profile_id AND h.resolved_at IS NULL
WHERE c.access_token IS NOT NULL
""",
        f"""
CREATE VIEW revenue AS
SELECT e.occurred_on, e.occurred_at, e.profile_id, e.platform, e.event_type, e.product_id, e.product_name, e.quantity,
       {_amounts("gross fee net")}, e.currency, e.id, {_local_day()} AS local_day, e.settled_on, e.fee_exact
FROM sales_events e {_zones()}
""",
        f"""
CREATE VIEW daily_revenue_amounts AS
SELECT occurred_on, profile_id, platform, currency, units, refunds, {_amounts("gross fee net")}
FROM daily_revenue
""",
        f"""
CREATE VIEW daily_revenue_local AS
SELECT local_day, profile_id, platform, currency, units, refunds, {_amounts("gross fee net")}
FROM (
    SELECT {_local_day()} AS local_day, e.profile_id, e.platform, e.currency,
           sum(CASE WHEN e.event_type IN ('refund', 'chargeback', 'chargeback_reversal', 'pages_read') THEN 0
               ELSE e.quantity END) AS units,
           sum(CASE WHEN e.event_type IN ('refund', 'chargeback') THEN 1
               WHEN e.event_type = 'chargeback_reversal' THEN -1 ELSE 0 END) AS refunds,
           sum(e.gross_micros) AS gross_micros, sum(e.fee_micros) AS fee_micros, sum(e.net_micros) AS net_micros
    FROM sales_events e {_zones()}
    GROUP BY 1, 2, 3, 4
) AS days
""",
        f"""
CREATE VIEW payout_amounts AS
SELECT provider AS platform, profile_id, payout_id, created_at, processed_at, period_end, state, status,
       {_amount("amount_micros", "amount")}, currency, {_amount("balance_micros", "balance")}, balance_currency,
       {_amount("withheld_micros", "withheld")}, released_on, estimated
FROM payouts
""",
    ]


def upgrade() -> None:
    for name, kind, comment in _COLUMNS:
        op.add_column("health_reports", sa.Column(name, kind, nullable=True, comment=comment))
    for name, comment in _CONNECTION_COLUMNS:
        column = sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=comment)
        op.add_column("platform_connections", column)
    # What was told before this release stays told; that it is solved was told with it.
    op.execute("UPDATE health_reports SET mended_told_at = resolved_at WHERE resolved_at IS NOT NULL")
    op.execute("DROP VIEW revenue")
    for view in _views():
        op.execute(view)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.execute(_REVENUE_OF_0001)
    for name, _ in _CONNECTION_COLUMNS:
        op.drop_column("platform_connections", name)
    for name, *_ in _COLUMNS:
        op.drop_column("health_reports", name)
