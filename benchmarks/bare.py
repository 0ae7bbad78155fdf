"""What conditioning costs without a product around it: DuckDB runs the same joins over the raw files and writes Parquet, and nothing else.

The SQL of the models is taken from dbt, compiled for the slices in question; reading the raw files is written by hand. No checks, quarantine,
versions, lineage, atomic replacement or history.
"""

import json
import subprocess
import sys
from pathlib import Path

import duckdb

from orchestration.settings import DBT_PROJECT
from transforms.calendar import SliceBlock

_MODELS = ("stores", "products", "event_weeks", "returns", "shipments", "weather", "weather_known", "demand")

_STAGING = {
    "stores": """
        select store_id, lower(replace(region, ' ', '_')) as region, store_name as name, store_format as format, zip, upper(weather_city) as place,
            weather_city_miles::double * 1.609344 as place_km, lat::double as latitude, lon::double as longitude
        from read_csv('{source}/stores.csv', all_varchar = true)
    """,
    "products": """
        select item_id as product_id, null::date as valid_from, description as name, category, vendor, bottle_ml::double as size_ml,
            coalesce(case_pack::bigint, 1) as case_pack, bottle_price::double as price, 0.33 * bottle_price::double as margin,
            0.1 * bottle_price::double as return_cost
        from read_csv('{source}/products.csv', all_varchar = true)
    """,
    "demographics": """
        select zip, date '2014-12-04' as valid_from, total_population::double as population, per_capita_income::double as income,
            median_rent::double as median_rent, median_age::double as median_age
        from read_csv('{source}/zip_demographics.csv', all_varchar = true)
    """,
    "events": """
        select e.event, e.kind, e.date::date as start_date, e.date::date as end_date, null::varchar as region, null::varchar as store_id,
            null::varchar as product_id, null::timestamptz as known_at
        from read_csv('{source}/events.csv', all_varchar = true) as e
    """,
    "shipments": """
        select s.region, d.store_id::varchar as store_id, d.item_id::varchar as product_id, d.week_start as week,
            d.bottles_shipped::bigint as units_shipped, timezone('UTC', (d.week_start + 7)::timestamp) as known_at, d.filename as source_file,
            timezone('UTC', timestamp '2022-06-06') as arrived_at
        from read_parquet('{source}/shipments/*.parquet', filename = true) as d
        join staging.stg_stores as s on s.store_id = d.store_id::varchar
        where d.week_start between date '{first}' and date '{last}'
    """,
    "returns": """
        select null::varchar as region, null::varchar as store_id, null::varchar as product_id, null::date as week, null::bigint as units_returned,
            null::timestamptz as known_at, null::varchar as source_file, null::timestamptz as arrived_at where false
    """,
    "weather_observed": """
        select p.region, p.place, w.date::date as observed_date, date_trunc('week', w.date::date)::date as week,
            (w.tmin_f::double - 32) / 1.8 as tmin_c, (w.tmax_f::double - 32) / 1.8 as tmax_c, w.precip_in::double * 25.4 as precip_mm,
            timezone('UTC', (w.date::date + 1)::timestamp) as known_at
        from read_csv('{source}/weather_observed_daily.csv', all_varchar = true) as w
        join (select distinct region, place from staging.stg_stores) as p on p.place = upper(w.city)
    """,
    "weather_forecast": """
        select p.region, p.place, timezone('America/New_York', w.issued_at_et::timestamp) as issued_at, w.target_date::date as target_date,
            (w.fc_tmin_f::double - 32) / 1.8 as tmin_c, (w.fc_tmax_f::double - 32) / 1.8 as tmax_c, null::double as precip_mm
        from read_csv('{source}/weather_forecast_daily.csv', all_varchar = true) as w
        join (select distinct region, place from staging.stg_stores) as p on p.place = upper(w.city)
    """,
}


def compiled_models(block: SliceBlock, scratch: Path) -> dict[str, str]:
    """SQL of each model as dbt compiles it for the slices of `block`."""
    variables = {"regions": [str(region) for region in block.regions], "week_first": str(block.first), "week_last": str(block.last)}
    target = scratch / f"compiled-{block.last}"
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet", "compile", "--profiles-dir", ".", "--target-path", str(target)]
    subprocess.run([*command, "--vars", json.dumps(variables)], cwd=DBT_PROJECT, check=True)
    return {name: next(target.glob(f"compiled/*/models/*/{name}.sql")).read_text() for name in _MODELS}


def condition_bare(source: Path, models: dict[str, str], block: SliceBlock, out: Path) -> None:
    """Read the raw files of `source`, run the models, write one Parquet file for each below `out`."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set memory_limit = '2GB'; set timezone = 'UTC'; set preserve_insertion_order = false")
        for schema in ("staging", "silver", "gold"):
            connection.execute(f"create schema {schema}")
        for name, sql in _STAGING.items():
            connection.execute(f"create view staging.stg_{name} as {sql.format(source=source, first=block.first, last=block.last)}")
        for name, sql in models.items():
            connection.execute(f"copy ({sql}) to '{out}/{name}.parquet' (format parquet)")
            layer = "gold" if name == "demand" else "silver"
            connection.execute(f"create view {layer}.{name} as from read_parquet('{out}/{name}.parquet')")
