with

listed as (
    select * from {{ ref("stg_products") }}
),

-- What a product is has always been so; what it cost is known from its first price list on, unless the project takes
-- that back in time.
before_listing as (
    select
        * replace (
            {% for column in ("price", "margin", "return_cost") -%}
            {{ if_backdated(column) }} as {{ column }},
            {% endfor -%}
            null::date as valid_from
        )
    from listed
    qualify
        row_number() over (
            partition by product_id
            order by valid_from nulls first
        ) = 1
        and valid_from is not null
),

spans as (
    select * from listed
    union all by name
    select * from before_listing
)

select
    *,
    lead(valid_from) over (
        partition by product_id
        order by valid_from nulls first
    ) as valid_to
from spans
