with sold as (
    select
        product_key,
        profile_id,
        platform,
        product_id,
        max(product_name) as name,
        min(occurred_on) as first_sold_on,
        max(occurred_on) as last_sold_on
    from {{ ref('fct_ledger') }}
    where product_id is not null
    group by product_key, profile_id, platform, product_id
)

select
    sold.product_key,
    sold.profile_id,
    sold.platform,
    sold.product_id,
    coalesce(listed.name, sold.name) as name,
    listed.other_ids,
    sold.first_sold_on,
    sold.last_sold_on,
    case when listed.work is not null then {{ key_of(['listed.profile_id', 'listed.work', 'listed.author']) }} end as work_key,
    listed.work,
    listed.series,
    listed.author
from sold
left join {{ ref('stg_products_sold') }} as listed
    on listed.profile_id = sold.profile_id
    and listed.platform = sold.platform
    and listed.product_id = sold.product_id
