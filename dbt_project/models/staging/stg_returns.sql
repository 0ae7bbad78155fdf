-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
select
    region,
    store_id,
    product_id,
    week,
    units_returned,
    known_at,
    source_file,
    arrived_at
from {{ source("bronze", "returns") }}
where {{ in_slices() }}
