-- Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there.
select
    product_id,
    valid_from,
    name,
    category,
    vendor,
    size_ml,
    case_pack,
    price,
    margin,
    return_cost,
    delisted_on,
    delisting_known_at
from {{ source("bronze", "products") }}
