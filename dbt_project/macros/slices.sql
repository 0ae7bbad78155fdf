{% macro checked_var(name) -%}
    {#-
        A var as SQL may hold it: a text as it is, the items of a list in quotes with commas between them. The one place where vars become SQL
        (`lake_request` hands them to the plugin as JSON): anything but plain keys is refused.
    -#}
    {%- set listed = name in ("regions", "additive") -%}
    {%- set value = var(name) -%}
    {%- if execute -%}
        {%- set week = ["(\d{4}-\d{2}-\d{2})?", "a week key (the Monday as YYYY-MM-DD)"] -%}
        {%- set pattern, expected = {
            "regions": ["[a-z][a-z0-9_]{0,62}", "a list of region keys (lower-case letters, digits, underscores)"],
            "week_first": week,
            "week_last": week,
            "additive": ["[a-z][a-z_]*", "a list of names of sources (lower-case letters, underscores)"],
            "snapshots": ["as_published|backdated", "as_published or backdated"],
        }[name] -%}
        {%- set fits = value is iterable and value is not mapping and (value is not string) == listed -%}
        {%- for one in (value if fits and listed else [value])
            if not fits or one is not string or not modules.re.fullmatch(pattern, one) -%}
            {{ exceptions.raise_compiler_error(
                "Var " ~ name ~ ": expected " ~ expected ~ ", came " ~ one
                ~ ". Run dbt through shelfcast or Dagster, which set the vars, or correct it in --vars."
            ) }}
        {%- endfor -%}
    {%- endif -%}
    {%- if not listed -%}
        {{ value }}
    {%- elif value -%}
        '{{ value | join("', '") }}'
    {%- endif -%}
{%- endmacro %}

{% macro in_slices(week_column="week") -%}
    {#- True for the rows of the slices that this run replaces, for all rows where it names none. -#}
    {%- set regions = checked_var("regions") -%}
    {%- set first, last = checked_var("week_first"), checked_var("week_last") -%}
    {%- if regions and first and last -%}
        region in ({{ regions }})
        and {{ week_column }} between date '{{ first }}' and date '{{ last }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro in_regions() -%}
    {#- True for the regions of the block, whatever the week. -#}
    region in ({{ checked_var("regions") or "''" }})
{%- endmacro %}

{% macro block_weeks() -%}
    {#- The weeks of the block, one row each. -#}
    {%- set first, last = checked_var("week_first"), checked_var("week_last") -%}
    select unnest(
        generate_series(date '{{ first or "1970-01-05" }}', date '{{ last or "1970-01-05" }}', interval 7 day)
    )::date as week
{%- endmacro %}

{% macro adds_up(source) -%}
    {#- A text where the files of the source hold lines that add up, nothing where they hold reports that replace each other. -#}
    {%- if "'" ~ source ~ "'" in checked_var("additive").split(", ") -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro if_backdated(column) -%}
    {#- The column where figures from before the first publication are taken back in time, null where they are unknown. -#}
    {{ column if checked_var("snapshots") == "backdated" else "null::double" }}
{%- endmacro %}
