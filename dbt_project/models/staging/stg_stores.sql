-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
select
    store_id,
    region,
    name,
    format,
    zip,
    place,
    place_km,
    latitude,
    longitude,
    closed_on,
    closing_known_at
from {{ source("bronze", "stores") }}
