{% test follows_contract(model, rules, week_column=none) %}
    {#- One pass over the run's slices for all rules of a table; a failing row names the rule that it breaks. -#}
    with

    checked as (
        select
            *,
            case
                {% for rule, broken in rules.items() -%}
                when {{ broken }} then '{{ rule }}'
                {% endfor %}
            end as rule
        from {{ model }}
        {% if week_column %}where {{ in_slices(week_column) }}{% endif %}
    )

    select * from checked
    where rule is not null
{% endtest %}
