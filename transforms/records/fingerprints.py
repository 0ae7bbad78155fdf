"""Fingerprints of what a region's training sees at an origin: they tell whether anything that a model was trained on has changed since."""

import hashlib
import json

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import DEMAND
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_RETURNS, SILVER_STORES, SILVER_WEATHER_KNOWN
from transforms.lake.tables import Lake, day
from transforms.records.dataset_versions import READ_TABLES


def training_slices(lake: Lake, region: Region, origin: Week) -> str:
    """Order-free hash over the rows that training with this origin sees; what came or became known later does not enter.

    Of gold/demand the units shipped enter and not the returns, which are counted by the time at which they became known. Stores and products without
    deliveries so far are left out.
    """
    week, known = f"week <= {day(origin)}", f"(known_at is null or known_at < {day(origin.end)})"
    valid = f"(valid_from is null or valid_from < {day(origin.end)})"
    where = {
        DEMAND.name: f"region = '{region}' and {week} and units_shipped > 0",
        SILVER_RETURNS.name: f"region = '{region}' and {week} and {known}",
        SILVER_WEATHER_KNOWN.name: f"region = '{region}' and {week}",
        SILVER_EVENT_WEEKS.name: f"(region is null or region = '{region}') and {known}",
        SILVER_STORES.name: f"region = '{region}' and {valid} and store_id in (select store_id from here)",
        SILVER_PRODUCTS.name: f"{valid} and product_id in (select product_id from here)",
    }
    parts = [
        f"select '{table}' as t, count(*) as n, sum(hash({_columns(table)})::hugeint) as content from {table.replace('/', '_')} where {where[table]}"
        for table in READ_TABLES
    ]
    with lake.connect(*READ_TABLES) as connection:
        rows = connection.execute(
            f"""
            with here as (select distinct store_id, product_id from gold_demand where {where[DEMAND.name]})
            select t, n, content from ({" union all ".join(parts)}) order by t
            """
        ).fetchall()
    return hashlib.sha256(json.dumps([[table, n, str(content)] for table, n, content in rows]).encode()).hexdigest()[:16]


def training_contract() -> str:
    """Hash over columns and kinds of the tables that training reads."""
    described = {table: [(column.name, column.kind, column.unit) for column in CONTRACTS[table].columns] for table in READ_TABLES}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def _columns(table: str) -> str:
    # Which returns a row of demand knows depends on when one looks.
    late = {"units_returned", "demand"} if table == DEMAND.name else set()
    return ", ".join(f'"{name}"' for name in CONTRACTS[table].names if name not in late)
