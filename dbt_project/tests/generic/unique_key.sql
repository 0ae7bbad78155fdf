{% test unique_key(model, columns, week_column=none) %}
    select
        {{ columns | join(", ") }},
        count(*) as n
    from {{ model }}
    {% if week_column %}where {{ in_slices(week_column) }}{% endif %}
    group by all
    having count(*) > 1
{% endtest %}
