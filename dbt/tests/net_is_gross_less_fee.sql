-- Amounts of the ledger hold together in each row.
select id, gross, fee, net
from {{ ref('fct_ledger') }}
where net <> gross - fee
