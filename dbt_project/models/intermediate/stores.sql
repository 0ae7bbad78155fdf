with

stores as (
    select * from {{ ref("stg_stores") }}
),

demographics as (
    select * from {{ ref("stg_demographics") }}
),

-- Before the first figures were published none are known, unless the project says that they may be taken back in time.
first_known as (
    select
        zip,
        {% for column in ("population", "income", "median_rent", "median_age") -%}
        {{ if_backdated(column) }} as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from demographics
    qualify row_number() over (
        partition by zip
        order by valid_from
    ) = 1
),

before_figures as (
    select
        stores.*,
        first_known.population,
        first_known.income,
        first_known.median_rent,
        first_known.median_age,
        null::date as valid_from
    from stores
    left join first_known on stores.zip = first_known.zip
),

with_figures as (
    select
        stores.*,
        demographics.population,
        demographics.income,
        demographics.median_rent,
        demographics.median_age,
        demographics.valid_from
    from stores
    inner join demographics on stores.zip = demographics.zip
),

spans as (
    select * from before_figures
    union all by name
    select * from with_figures
)

select
    *,
    lead(valid_from) over (
        partition by store_id
        order by valid_from nulls first
    ) as valid_to
from spans
