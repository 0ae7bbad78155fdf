with

deliveries as (
    select * from {{ ref("stg_shipments") }}
),

{% if "shipments" in var("additive") -%}
-- The files hold lines, and a week may be spread over several of them: what they say adds up.
held as (
    select
        region,
        store_id,
        product_id,
        week,
        sum(units_shipped)::bigint as units_shipped,
        max(known_at) as known_at
    from deliveries
    group by all
)
{%- else -%}
-- The same delivery in two files counts once: the report that arrived last is the one that holds.
held as (
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
        order by known_at desc, arrived_at desc, source_file desc
    ) = 1
)
{%- endif %}

select * from held
