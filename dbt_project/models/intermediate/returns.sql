with

credits as (
    select * from {{ ref("stg_returns") }}
),

{% if adds_up("returns") -%}
held as (
    select
        region,
        store_id,
        product_id,
        week,
        sum(units_returned)::bigint as units_returned,
        known_at
    from credits
    group by all
)
{%- else -%}
-- Credits of several days stand side by side; of one that is in two files, the report that arrived last holds.
held as (
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
        order by arrived_at desc, source_file desc
    ) = 1
)
{%- endif %}

select * from held
