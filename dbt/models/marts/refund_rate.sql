with months as (
    select
        month,
        profile_id,
        platform,
        currency,
        {{ total("case when event_type in ('sale', 'royalty') then gross end") }} as sold,
        {{ total("case when event_type = 'refund' then -gross end") }} as refunded,
        {{ total("case when event_type in ('chargeback', 'chargeback_reversal') then -gross end") }} as disputed
    from {{ ref('fct_ledger') }}
    where event_type in ('sale', 'royalty', 'refund', 'chargeback', 'chargeback_reversal')
    group by month, profile_id, platform, currency
)

select
    month,
    profile_id,
    platform,
    currency,
    sold,
    refunded,
    disputed,
    {{ ratio('refunded', 'sold') }} as refund_rate,
    {{ ratio('disputed', 'sold') }} as dispute_rate
from months
