select
    day,
    profile_id,
    platform,
    currency,
    active,
    new,
    cancelling,
    churned,
    {{ amount('mrr') }}
from {{ origin('subscriptions_daily') }}
