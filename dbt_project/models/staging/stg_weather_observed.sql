-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
-- Whole history: climatology looks back over past years.
select
    region,
    place,
    date as observed_date,
    week,
    tmin_c,
    tmax_c,
    precip_mm,
    known_at,
    source_file,
    arrived_at
from {{ source("bronze", "weather_observed") }}
