select
    {{ platform() }},
    profile_id,
    scope,
    key,
    currency,
    reason,
    {{ amount('amount') }},
    since
from {{ origin('unexplained') }}
