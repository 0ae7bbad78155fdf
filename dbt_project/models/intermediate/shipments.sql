with

-- Read where it is used: a copy of all deliveries would cost more than reading two columns of them again.
deliveries as not materialized (
    select * from {{ ref("stg_shipments") }}
),

{% if adds_up("shipments") -%}
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

-- The same delivery in two files counts once: the report that arrived last is the one that holds.
superseded as (
    select
        region,
        store_id,
        product_id,
        week,
        source_file
    from deliveries
    semi join told_by_several using (region, week)
    qualify row_number() over (
        partition by region, store_id, product_id, week
        order by known_at desc, arrived_at desc, source_file desc
    ) > 1
),

held as (
    select
        region,
        store_id,
        product_id,
        week,
        units_shipped,
        known_at
    from deliveries
    anti join superseded using (region, store_id, product_id, week, source_file)
)
{%- endif %}

select * from held
