-- No day, platform or currency is lost or counted twice.
with ledger as (
    select occurred_on, profile_id, platform, currency, {{ total('gross') }} as gross, {{ total('fee') }} as fee, {{ total('net') }} as net
    from {{ ref('fct_ledger') }}
    group by occurred_on, profile_id, platform, currency
)

select *
from ledger
full outer join {{ ref('revenue_daily') }} as daily using (occurred_on, profile_id, platform, currency)
where
    ledger.net is distinct from daily.net
    or ledger.gross is distinct from daily.gross
    or ledger.fee is distinct from daily.fee
