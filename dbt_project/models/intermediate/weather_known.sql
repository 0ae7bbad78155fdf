with

-- Exact decimals: a mean of floats depends on the order in which threads add them.
observed as (
    select
        region,
        place,
        week,
        {{ exact("tmin_c") }} as tmin_c,
        {{ exact("tmax_c") }} as tmax_c,
        {{ exact("precip_mm") }} as precip_mm
    from {{ ref("weather") }}
),

-- A forecast speaks from its issue until the next one for the same day.
forecasts as (
    select
        region,
        place,
        target_date,
        issued_at,
        {{ exact("tmin_c") }} as tmin_c,
        {{ exact("tmax_c") }} as tmax_c,
        {{ exact("precip_mm") }} as precip_mm,
        lead(issued_at) over (
            partition by region, place, target_date
            order by issued_at
        ) as replaced_at
    from {{ ref("stg_weather_forecast") }}
),

places as (
    select distinct
        region,
        place
    from {{ ref("stores") }}
    where
        place is not null
        and {{ in_regions() }}
),

targets as (
    select
        places.region,
        places.place,
        origins.week,
        horizons.horizon,
        (origins.week + 7 * horizons.horizon)::date as target_week
    from places
    cross join ({{ block_weeks() }}) as origins
    cross join (select unnest(range(1, 14))::integer as horizon) as horizons
),

days as (
    select
        targets.*,
        (targets.target_week + offsets.days)::date as target_date,
        timezone('UTC', (targets.week + 7)::timestamp) as origin_end
    from targets
    cross join (select unnest(range(0, 7))::integer as days) as offsets
    -- Forecasts reach days ahead, not months: most target days have none, and the join below is the costly one.
    where (targets.target_week + offsets.days)::date in (select target_date from forecasts)
),

-- The last forecast for the day that had been issued before the origin ended.
forecast_days as (
    select
        days.region,
        days.place,
        days.week,
        days.horizon,
        avg(forecasts.tmin_c) as tmin_c,
        avg(forecasts.tmax_c) as tmax_c,
        avg(forecasts.precip_mm) as precip_mm,
        count(*) as forecast_days,
        max(forecasts.issued_at) as last_issued_at
    from days
    inner join forecasts
        on
            days.region = forecasts.region
            and days.place = forecasts.place
            and days.target_date = forecasts.target_date
            and days.origin_end > forecasts.issued_at
            and (forecasts.replaced_at is null or days.origin_end <= forecasts.replaced_at)
    group by all
),

-- A past week speaks for its own week of the year and the two beside it; week 53 stands beside week 1.
seasons as (
    select
        observed.*,
        (weekofyear(observed.week) - 1 + neighbours.step + 53) % 53 as season
    from observed
    cross join (select unnest([-1, 0, 1]) as step) as neighbours
),

climate as (
    select
        targets.region,
        targets.place,
        targets.week,
        targets.horizon,
        avg(seasons.tmin_c) as tmin_c,
        avg(seasons.tmax_c) as tmax_c,
        avg(seasons.precip_mm) / 7 as precip_mm
    from targets
    inner join seasons
        on
            targets.region = seasons.region
            and targets.place = seasons.place
            and weekofyear(targets.target_week) - 1 = seasons.season
            and targets.week >= seasons.week
    group by all
),

known as (
    select
        targets.region,
        targets.place,
        targets.week,
        targets.target_week,
        targets.horizon,
        coalesce(f.forecast_days, 0) as forecast_days,
        f.last_issued_at,
        case
            when f.forecast_days = 7 or (f.forecast_days > 0 and climate.tmax_c is null) then 'forecast'
            when f.forecast_days > 0 then 'mixed'
            when climate.tmax_c is not null then 'climatology'
            else 'unknown'
        end as basis,
        {% for column in ("tmin_c", "tmax_c", "precip_mm") -%}
        case
            when f.{{ column }} is null then climate.{{ column }}
            when climate.{{ column }} is null then f.{{ column }}
            else (f.{{ column }} * f.forecast_days + climate.{{ column }} * (7 - f.forecast_days)) / 7
        end {% if column == "precip_mm" %}* 7 {% endif %}as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from targets
    left join forecast_days as f using (region, place, week, horizon)
    left join climate using (region, place, week, horizon)
)

select * from known
