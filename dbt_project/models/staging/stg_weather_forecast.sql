-- Whole history: a forecast issued in one week is for days of the next.
select
    region,
    place,
    issued_at,
    target_date,
    tmin_c,
    tmax_c,
    precip_mm
from {{ source("bronze", "weather_forecast") }}
