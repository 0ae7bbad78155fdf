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
-- A file holds each delivery once: only slices that several files speak about can hold one twice.
told_by_several as (
    select
        region,
        week
    from deliveries
    group by all
    having min(source_file) <> max(source_file)
),

told_once as (
    select
        region,
        store_id,
        product_id,
        week,
        units_shipped,
        known_at
    from deliveries
    where (region, week) not in (select (several.region, several.week) from told_by_several as several)
),

-- The same delivery in two files counts once: the report that arrived last is the one that holds.
told_last as (
    select
        region,
        store_id,
        product_id,
        week,
        units_shipped,
        known_at
    from deliveries
    where (region, week) in (select (several.region, several.week) from told_by_several as several)
    qualify row_number() over (
        partition by region, store_id, product_id, week
        order by known_at desc, arrived_at desc, source_file desc
    ) = 1
),

held as (
    select * from told_once
    union all
    select * from told_last
)
{%- endif %}

select * from held
