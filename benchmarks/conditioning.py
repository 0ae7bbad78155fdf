"""Landing to gold for all weeks and regions, against one DuckDB query that does the same joins and writes Parquet."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.settings import DBT_PROJECT
from transforms.adapters import load_provider
from transforms.calendar import SliceBlock
from transforms.lake import Lake
from transforms.landing import drop, ingest, ingest_reference, pending, regions, register


def conditioning(source: Path, scratch: Path) -> list[dict[str, object]]:
    """Seconds of both, and their ratio."""
    lake, provider = Lake(str(scratch / "lake")), load_provider("iowa_statewide")
    drop(lake, provider, source)
    started = time.perf_counter()
    register(lake, provider, datetime.now(UTC))
    ingest_reference(lake, provider)
    weeks = [item.week for item in pending(lake, provider)]
    block = SliceBlock(tuple(regions(lake)), min(weeks), max(weeks))
    ingest(lake, provider, [block])
    taken_in = time.perf_counter() - started
    _dbt("tag:reference", {"lake_root": lake.root})
    slices = {"regions": list(map(str, block.regions)), "week_first": str(block.first), "week_last": str(block.last)}
    started = time.perf_counter()
    _dbt("tag:sliced", {"lake_root": lake.root, **slices})
    built = time.perf_counter() - started
    bare = _bare(source, scratch)
    peer = {"peer": "bare DuckDB query to Parquet", "peer_value": bare}
    return [
        {"name": "conditioning: landing to bronze", "value": taken_in, "unit": "s", **peer},
        {"name": "conditioning: bronze to gold, one dbt invocation", "value": built, "unit": "s", **peer},
        {"name": "conditioning: dbt over bare query", "value": built / bare, "unit": "ratio", **peer},
    ]


def _dbt(select: str, variables: dict[str, object]) -> None:
    command = [
        str(Path(sys.executable).parent / "dbt"),
        "--quiet",
        "build",
        "--profiles-dir",
        ".",
        "--select",
        select,
        "--vars",
        json.dumps(variables),
    ]
    subprocess.run(command, cwd=DBT_PROJECT, check=True)


def _bare(source: Path, scratch: Path) -> float:
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set memory_limit = '2GB'")
        connection.execute(
            f"""
            copy (
                select s.region, d.store_id::varchar as store_id, d.item_id as product_id, d.week_start as week,
                    sum(d.bottles_shipped)::bigint as demand
                from read_parquet('{source}/shipments/*.parquet') as d
                join read_csv('{source}/stores.csv', all_varchar = true) as s on s.store_id = d.store_id::varchar
                group by all order by all
            ) to '{scratch}/bare.parquet' (format parquet)
            """
        )
    return time.perf_counter() - started
