select
    region,
    store_id,
    product_id,
    week,
    units_shipped,
    known_at,
    source_file,
    arrived_at
from {{ source("bronze", "shipments") }}
where {{ in_slices() }}
