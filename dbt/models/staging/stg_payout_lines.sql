select
    {{ platform() }},
    profile_id,
    payout_id,
    line,
    type,
    ledger_id,
    {{ amount('gross') }},
    {{ amount('fee') }},
    {{ amount('net') }},
    currency,
    occurred_on
from {{ origin('payout_lines') }}
