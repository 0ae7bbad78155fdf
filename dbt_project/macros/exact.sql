{% macro exact(column) -%}
    {#- A measured value to a millionth of its unit, so that sums and means are the same whatever the order of the rows. -#}
    {{ column }}::decimal(18, 6)
{%- endmacro %}
