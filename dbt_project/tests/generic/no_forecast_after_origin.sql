{% test no_forecast_after_origin(model, forecasts) %}
    {#- A slice may not use more forecast days than forecasts issued before its origin ended can cover. -#}
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
