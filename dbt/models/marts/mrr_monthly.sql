with days as (
    select * from {{ ref('stg_subscriptions_daily') }}
),

latest as (
    select max(day) as day from days
),

months as (
    select
        {{ month_of('day') }} as month,
        profile_id,
        platform,
        currency,
        {{ count_of('new') }} as new,
        {{ count_of('churned') }} as churned
    from days
    group by {{ month_of('day') }}, profile_id, platform, currency
),

ends as (
    select
        months.*,
        least(cast(months.month + interval '1 month' - interval '1 day' as date), latest.day) as counted_on
    from months
    cross join latest
)

select
    ends.month,
    ends.profile_id,
    ends.platform,
    ends.currency,
    ends.counted_on,
    cast(coalesce(days.active, 0) as bigint) as active,
    ends.new,
    cast(coalesce(days.cancelling, 0) as bigint) as cancelling,
    ends.churned,
    cast(coalesce(days.mrr, 0) as numeric(24, 6)) as mrr
from ends
-- A day without any subscription has no row.
left join days
    on days.day = ends.counted_on
    and days.profile_id = ends.profile_id
    and days.platform = ends.platform
    and days.currency = ends.currency
