with

events as (
    select * from {{ ref("stg_events") }}
),

event_days as (
    select
        event,
        kind,
        region,
        store_id,
        product_id,
        known_at,
        unnest(generate_series(start_date, end_date, interval 1 day))::date as day
    from events
),

weeks as (
    select
        date_trunc('week', day)::date as week,
        event,
        kind,
        region,
        store_id,
        product_id,
        count(distinct day) as days,
        min(known_at) as known_at
    from event_days
    group by all
)

select * from weeks
