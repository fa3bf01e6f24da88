"""views of what KDP's reports say: books, rates of pages, orders, payments"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

VIEWS = ("kdp_books", "kdp_kenp_rates", "kdp_orders", "kdp_orders_placed", "kdp_payments_counted")
_OF_USE = "u.status IN ('accepted', 'superseded')"


def _postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _ratio(part: str, whole: str, digits: int) -> str:
    """A quotient: numeric on PostgreSQL, text on SQLite, which has no decimals; null where there is nothing to share."""
    if _postgres():
        return f"CAST(round(CAST({part} AS numeric) / nullif({whole}, 0), {digits}) AS numeric(24, {digits}))"
    return f"CASE WHEN {whole} <> 0 AND {part} IS NOT NULL THEN printf('%.{digits}f', {part} * 1.0 / {whole}) END"


def _made_on(column: str) -> str:
    """The last day that can be in a report of this time: where it is tomorrow already it is 14 hours later."""
    if _postgres():
        return f"CAST({column} AT TIME ZONE 'UTC' + INTERVAL '14 hours' AS date)"
    return f"date({column}, '+14 hours')"


def _of_payout(key: str) -> str:
    return f"(CAST(p.raw AS json) ->> '{key}')" if _postgres() else f"json_extract(p.raw, '$.{key}')"


def _orders(series: str) -> str:
    month = len(f"{series}:2026-03")
    return f"""
CREATE VIEW kdp_{series} AS
WITH told AS (
    SELECT r.profile_id, r.upload_id, r.slice, r.occurred_on, r.asin, r.title, r.author, r.marketplace,
           lower(r.marketplace) AS shop, r.units_sold - r.units_refunded - r.free_units AS paid, r.free_units AS free,
           u.snapshot_at, CASE WHEN length(r.slice) = {month} THEN 'month' ELSE 'day' END AS grain
    FROM kdp_royalties r JOIN kdp_uploads u ON u.id = r.upload_id
    WHERE r.slice LIKE '{series}:%' AND {_OF_USE}
), placed AS (
    SELECT told.*, rank() OVER (PARTITION BY profile_id, slice, shop ORDER BY snapshot_at DESC, upload_id DESC) AS place
    FROM told
), months AS (
    SELECT DISTINCT profile_id, slice, shop, {_made_on("snapshot_at")} AS made_on FROM placed
    WHERE place = 1 AND grain = 'month'
)
SELECT d.profile_id, d.occurred_on AS day, d.grain, d.asin, max(d.marketplace) AS marketplace, max(d.title) AS title,
       max(d.author) AS author, CAST(sum(d.paid) AS integer) AS paid_units, CAST(sum(d.free) AS integer) AS free_units,
       d.upload_id
FROM placed d
LEFT JOIN months m ON d.grain = 'day' AND m.profile_id = d.profile_id AND m.shop = d.shop
    AND m.slice = substr(d.slice, 1, {month}) AND d.occurred_on <= m.made_on
WHERE d.place = 1 AND m.slice IS NULL
GROUP BY d.profile_id, d.occurred_on, d.grain, d.asin, d.shop, d.upload_id
"""


def _views() -> list[str]:
    return [
        f"""
CREATE VIEW kdp_books AS
WITH told AS (
    SELECT r.profile_id, r.upload_id, r.sheet, r.source_row, r.asin, r.isbn, r.title, r.author, r.occurred_on,
           u.snapshot_at
    FROM kdp_royalties r JOIN kdp_uploads u ON u.id = r.upload_id
    WHERE (r.asin IS NOT NULL OR r.isbn IS NOT NULL) AND {_OF_USE}
), asins AS (
    SELECT profile_id, isbn, min(asin) AS asin FROM told WHERE asin IS NOT NULL AND isbn IS NOT NULL
    GROUP BY profile_id, isbn
), isbns AS (
    SELECT profile_id, asin, min(isbn) AS isbn FROM told WHERE asin IS NOT NULL AND isbn IS NOT NULL
    GROUP BY profile_id, asin
), named AS (
    SELECT t.profile_id, t.upload_id, t.sheet, t.source_row, t.title, t.author, t.occurred_on, t.snapshot_at,
           coalesce(t.asin, a.asin) AS asin, coalesce(t.isbn, i.isbn) AS isbn,
           coalesce(t.asin, a.asin, t.isbn) AS book
    FROM told t
    LEFT JOIN asins a ON a.profile_id = t.profile_id AND a.isbn = t.isbn
    LEFT JOIN isbns i ON i.profile_id = t.profile_id AND i.asin = t.asin
), placed AS (
    SELECT named.*, row_number() OVER (PARTITION BY profile_id, book ORDER BY CASE WHEN title IS NULL THEN 1 ELSE 0 END,
           snapshot_at DESC, upload_id DESC, sheet, source_row) AS place
    FROM named
)
SELECT profile_id, max(asin) AS asin, max(isbn) AS isbn, max(CASE WHEN place = 1 THEN title END) AS title,
       max(CASE WHEN place = 1 THEN author END) AS author, min(occurred_on) AS first_on, max(occurred_on) AS last_on,
       min(snapshot_at) AS first_seen_at, max(snapshot_at) AS last_seen_at,
       max(CASE WHEN place = 1 THEN upload_id END) AS upload_id
FROM placed
GROUP BY profile_id, book
""",
        f"""
CREATE VIEW kdp_kenp_rates AS
SELECT profile_id, month, marketplace, pages, royalty_micros, currency,
       {_ratio("royalty_micros", "(CAST(pages AS bigint) * 1000000)", 10)} AS rate, upload_id
FROM (
    SELECT profile_id, occurred_on AS month, max(marketplace) AS marketplace, CAST(sum(pages_read) AS integer) AS pages,
           CAST(sum(royalty_micros) AS bigint) AS royalty_micros, currency, max(upload_id) AS upload_id
    FROM kdp_royalties
    WHERE kind = 'kenp' AND finality = 'final' AND counted AND currency IS NOT NULL
    GROUP BY profile_id, occurred_on, lower(marketplace), currency
) AS sums
WHERE pages > 0
""",
        _orders("orders"),
        _orders("orders_placed"),
        f"""
CREATE VIEW kdp_payments_counted AS
SELECT p.profile_id, p.payout_id, k.marketplace, k.payment_number, k.period_start, k.period_end, k.paid_on,
       k.payment_method, p.status, p.state, k.currency, k.accrued_micros, k.withheld_micros,
       {_ratio("k.withheld_micros", "k.accrued_micros", 6)} AS withheld_share, k.adjustments_micros, k.net_micros,
       k.fx_rate AS printed_rate, {_ratio("k.payout_micros", "k.net_micros", 6)} AS implied_rate, k.payout_currency,
       k.payout_micros, k.upload_id
FROM payouts p
JOIN kdp_payments k ON k.profile_id = p.profile_id AND k.payment_row = k.source_row
    AND k.source_row = CAST({_of_payout("row")} AS integer) AND substr(k.upload_id, 1, 16) = {_of_payout("upload")}
WHERE p.provider = 'amazon_kdp'
""",
    ]


def upgrade() -> None:
    for view in _views():
        op.execute(view)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
