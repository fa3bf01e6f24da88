select
    occurred_on,
    profile_id,
    platform,
    currency,
    cast(units as bigint) as units,
    cast(refunds as bigint) as refunds,
    gross,
    fee,
    net
from {{ origin('daily_revenue') }}
