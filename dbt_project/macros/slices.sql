{% macro in_slices(week_column="week") -%}
    {#-
        True for the rows of the slices that this run replaces. The one place where keys become SQL: anything but plain keys is refused.
    -#}
    {%- set weeks = [var("week_first"), var("week_last")] -%}
    {%- if execute and flags.WHICH in ("run", "build", "test") -%}
        {%- for region in var("regions") if not modules.re.fullmatch("[a-z][a-z0-9_]{0,62}", region) -%}
            {{ exceptions.raise_compiler_error("Var regions: " ~ region ~ " is not a region key (lower-case letters, digits, underscores).") }}
        {%- endfor -%}
        {%- for week in weeks if week and not modules.re.fullmatch("\d{4}-\d{2}-\d{2}", week) -%}
            {{ exceptions.raise_compiler_error("Vars week_first, week_last: " ~ week ~ " is not a week key (the Monday as YYYY-MM-DD).") }}
        {%- endfor -%}
    {%- endif -%}
    {%- if var("regions") and weeks[0] and weeks[1] -%}
        region in ('{{ var("regions") | join("', '") }}')
        and {{ week_column }} between date '{{ weeks[0] }}' and date '{{ weeks[1] }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro in_regions() -%}
    {#- True for the regions of the block, whatever the week. -#}
    region in ('{{ var("regions") | join("', '") }}')
{%- endmacro %}

{% macro block_weeks() -%}
    {#- The weeks of the block, one row each. -#}
    select unnest(
        generate_series(date '{{ var("week_first") or "1970-01-05" }}', date '{{ var("week_last") or "1970-01-05" }}', interval 7 day)
    )::date as week
{%- endmacro %}
