-- None is lost by a join, and none stands twice.
select payout_key
from {{ ref('fct_payouts') }}
full outer join {{ ref('payout_reconciliation') }} as compared using (payout_key)
where (state in ('paid', 'on_the_way')) is distinct from (compared.verdict is not null)
