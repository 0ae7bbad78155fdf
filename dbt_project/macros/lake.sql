{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Layers are schemas as they are: bronze, staging, silver, gold. -#}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}

{% macro lake_request(action, table=none, rows=none) -%}
    {{ return(tojson({
        "action": action,
        "table": table,
        "rows": rows,
        "lake_root": var("lake_root"),
        "regions": var("regions"),
        "week_first": var("week_first"),
        "week_last": var("week_last"),
    })) }}
{%- endmacro %}

{% macro open_lake() -%}
    {#- Puts a view over every table of the lake, so that ref() and source() see whole tables and not this run's slices alone. -#}
    {%- if execute and var("lake_root") -%}
        {%- set nothing = api.Relation.create(schema="main", identifier="lake") -%}
        {%- do adapter.store_relation("delta_sink", nothing, [], lake_request("open"), "delta", config) -%}
    {%- endif -%}
    select 1
{%- endmacro %}

{% materialization delta, adapter="duckdb" %}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- set rows = make_intermediate_relation(target_relation, suffix="__rows") -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- A view, so that the rows are computed once, while they are streamed into the table. -#}
    {% call statement("main") -%}
        create or replace view {{ rows }} as ({{ compiled_code }})
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {% do adapter.store_relation("delta_sink", rows, [], lake_request("replace", this.schema ~ "/" ~ this.identifier, rows | string), "delta", config) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
