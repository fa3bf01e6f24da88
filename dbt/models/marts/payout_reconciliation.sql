with lines as (
    select
        platform,
        profile_id,
        payout_id,
        currency,
        count(*) as lines,
        count(*) - count(ledger_id) as lines_without_a_row,
        {{ total('net') }} as net
    from {{ ref('stg_payout_lines') }}
    group by platform, profile_id, payout_id, currency
),

payouts as (
    select
        *,
        balance_currency is not null and balance_currency <> currency as exchanged
    from {{ ref('fct_payouts') }}
    where state in ('paid', 'on_the_way')
),

open_ as (
    select platform, profile_id, key as payout_id, currency, {{ total('amount') }} as amount
    from {{ ref('stg_unexplained') }}
    where scope = 'payout'
    group by platform, profile_id, key, currency
),

compared as (
    select
        payouts.payout_key,
        payouts.platform,
        payouts.profile_id,
        payouts.payout_id,
        payouts.created_on,
        payouts.amount,
        payouts.currency,
        payouts.exchanged,
        payouts.estimated,
        coalesce(lines.lines, 0) as lines,
        coalesce(lines.lines_without_a_row, 0) as lines_without_a_row,
        lines.net as lines_net,
        -- Another currency's lines can't be compared with what the bank got.
        case when not payouts.exchanged then cast(payouts.amount - lines.net as numeric(38, 6)) end as difference,
        open_.amount as unexplained
    from payouts
    left join lines
        on lines.platform = payouts.platform
        and lines.profile_id = payouts.profile_id
        and lines.payout_id = payouts.payout_id
        and lines.currency = coalesce(payouts.balance_currency, payouts.currency)
    left join open_
        on open_.platform = payouts.platform
        and open_.profile_id = payouts.profile_id
        and open_.payout_id = payouts.payout_id
        and open_.currency = coalesce(payouts.balance_currency, payouts.currency)
)

select
    *,
    case
        when unexplained is not null or difference <> 0 then 'differs'
        when lines = 0 then 'no lines'
        when exchanged then 'other currency'
        else 'equal'
    end as verdict
from compared
