select
    profile_id,
    platform,
    product_id,
    name,
    other_ids,
    work,
    series,
    author
from {{ origin('products_sold') }}
