{% test no_forecast_after_origin(model, forecasts) %}
    {#- No forecast issued after the origin ended may be used; nor more forecast days than the earlier ones can cover. -#}
    select known.*
    from {{ model }} as known
    where
        {{ in_slices() }}
        and known.last_issued_at >= timezone('UTC', (known.week + 7)::timestamp)
    union all
    select known.*
    from {{ model }} as known
    where
        {{ in_slices() }}
        and known.forecast_days > 0
        and known.forecast_days > (
            select count(distinct issued.target_date)
            from {{ forecasts }} as issued
            where
                issued.region = known.region
                and issued.place = known.place
                and issued.target_date between known.target_week and known.target_week + 6
                and issued.issued_at < timezone('UTC', (known.week + 7)::timestamp)
        )
{% endtest %}
