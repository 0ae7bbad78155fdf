-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
select
    zip,
    valid_from,
    population,
    income,
    median_rent,
    median_age
from {{ source("bronze", "demographics") }}
