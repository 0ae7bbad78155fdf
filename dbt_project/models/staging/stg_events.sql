-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
select
    event,
    kind,
    start_date,
    end_date,
    region,
    store_id,
    product_id,
    known_at
from {{ source("bronze", "events") }}
