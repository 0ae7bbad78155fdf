with

credits as (
    select * from {{ ref("stg_returns") }}
),

latest as (
    select
        region,
        store_id,
        product_id,
        week,
        units_returned,
        known_at
    from credits
    qualify row_number() over (
        partition by region, store_id, product_id, week, known_at
        order by source_file desc
    ) = 1
)

select * from latest
