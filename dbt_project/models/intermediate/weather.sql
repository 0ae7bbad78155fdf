with

-- Exact decimals: a mean of floats depends on the order in which threads add them.
days as (
    select
        region,
        place,
        week,
        observed_date,
        {{ exact("tmin_c") }} as tmin_c,
        {{ exact("tmax_c") }} as tmax_c,
        {{ exact("precip_mm") }} as precip_mm
    from {{ ref("stg_weather_observed") }}
),

weeks as (
    select
        region,
        place,
        week,
        avg(tmin_c) as tmin_c,
        avg(tmax_c) as tmax_c,
        avg(precip_mm) * 7 as precip_mm,
        count(distinct observed_date) as days
    from days
    where {{ in_slices() }}
    group by all
)

select * from weeks
