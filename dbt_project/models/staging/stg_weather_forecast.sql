-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
-- Whole history: a forecast issued in one week is for days of the next.
select
    region,
    place,
    week,
    issued_at,
    target_date,
    tmin_c,
    tmax_c,
    precip_mm,
    outlook,
    known_at,
    source_file,
    arrived_at
from {{ source("bronze", "weather_forecast") }}
