select
    zip,
    valid_from,
    population,
    income,
    median_rent,
    median_age
from {{ source("bronze", "demographics") }}
