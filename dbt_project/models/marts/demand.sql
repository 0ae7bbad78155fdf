with

shipments as (
    select * from {{ ref("shipments") }}
    where {{ in_slices() }}
),

returns as (
    select
        region,
        store_id,
        product_id,
        week,
        sum(units_returned) as units_returned
    from {{ ref("returns") }}
    where {{ in_slices() }}
    group by all
),

netted as (
    select
        region,
        store_id,
        product_id,
        week,
        coalesce(shipments.units_shipped, 0) as units_shipped,
        coalesce(returns.units_returned, 0) as units_returned,
        greatest(coalesce(shipments.units_shipped, 0) - coalesce(returns.units_returned, 0), 0) as demand
    from shipments
    full outer join returns using (region, store_id, product_id, week)
)

select * from netted
