select
    occurred_on,
    profile_id,
    platform,
    currency,
    {{ count_of("case when event_type in ('refund', 'chargeback', 'chargeback_reversal', 'pages_read') then 0 else quantity end") }} as units,
    {{ count_of("case when event_type in ('refund', 'chargeback') then 1 when event_type = 'chargeback_reversal' then -1 else 0 end") }} as refunds,
    {{ total('gross') }} as gross,
    {{ total('fee') }} as fee,
    {{ total('net') }} as net
from {{ ref('fct_ledger') }}
group by occurred_on, profile_id, platform, currency
