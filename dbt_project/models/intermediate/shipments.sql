with

deliveries as (
    select * from {{ ref("stg_shipments") }}
),

-- The same delivery in two files counts once: the report that arrived last is the one that holds.
latest as (
    select
        region,
        store_id,
        product_id,
        week,
        units_shipped,
        known_at
    from deliveries
    qualify row_number() over (
        partition by region, store_id, product_id, week
        order by known_at desc, source_file desc
    ) = 1
)

select * from latest
