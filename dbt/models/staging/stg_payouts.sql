select
    platform,
    profile_id,
    payout_id,
    amount,
    currency,
    status,
    state,
    created_at,
    processed_at,
    period_end,
    balance,
    balance_currency,
    withheld,
    released_on,
    estimated
from {{ origin('payouts') }}
