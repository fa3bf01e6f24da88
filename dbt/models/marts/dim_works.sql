select
    work_key,
    profile_id,
    work,
    author,
    max(series) as series,
    count(*) as products,
    count(distinct platform) as platforms,
    min(first_sold_on) as first_sold_on,
    max(last_sold_on) as last_sold_on
from {{ ref('dim_products') }}
where work_key is not null
group by work_key, profile_id, work, author
