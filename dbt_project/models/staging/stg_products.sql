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
    return_cost
from {{ source("bronze", "products") }}
