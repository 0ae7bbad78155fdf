with

stores as (
    select * from {{ ref("stg_stores") }}
),

demographics as (
    select * from {{ ref("stg_demographics") }}
    qualify row_number() over (
        partition by zip
        order by valid_from desc
    ) = 1
),

described as (
    select
        stores.*,
        demographics.population,
        demographics.income,
        demographics.median_rent,
        demographics.median_age
    from stores
    left join demographics on stores.zip = demographics.zip
)

select * from described
