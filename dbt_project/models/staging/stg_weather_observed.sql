-- Whole history: climatology looks back over past years.
select
    region,
    place,
    date as observed_date,
    week,
    tmin_c,
    tmax_c,
    precip_mm,
    known_at
from {{ source("bronze", "weather_observed") }}
