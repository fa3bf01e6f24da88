-- The pipeline's own sums say the same. On PostgreSQL a sale may arrive between the two readings: that is no error.
{{ config(severity='error' if target.type == 'duckdb' else 'warn') }}

select *
from {{ ref('revenue_daily') }} as daily
full outer join {{ ref('stg_daily_revenue') }} as own using (occurred_on, profile_id, platform, currency)
where
    daily.units is distinct from own.units
    or daily.refunds is distinct from own.refunds
    or daily.gross is distinct from own.gross
    or daily.fee is distinct from own.fee
    or daily.net is distinct from own.net
