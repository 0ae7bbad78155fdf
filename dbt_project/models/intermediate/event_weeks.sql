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
        -- What began before there were data ("always", a spreadsheet's day 0) is spread from their first day on.
        unnest(generate_series(greatest(start_date, date '1980-01-01'), end_date, interval 1 day))::date as day
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
