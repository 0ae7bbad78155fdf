select
    store_id,
    region,
    name,
    format,
    zip,
    place,
    place_km,
    latitude,
    longitude
from {{ source("bronze", "stores") }}
