"""dbt-duckdb plugin between dbt and the lake: views over the Delta tables, and models streamed into them slice by slice.

What a model replaces is decided at run time (vars), never from `config()`, whose values are frozen when the manifest is parsed.
"""

import json
from typing import Any

import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from duckdb import DuckDBPyConnection

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import ConfigurationError
from transforms.lake import Lake

# Rows in a batch: large enough for good Parquet row groups, small enough to keep memory flat.
BATCH_ROWS = 122_880


class Plugin(BasePlugin):
    """Reads the lake through views and writes models into it."""

    connection: DuckDBPyConnection

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Keep the run's connection; every use takes a cursor of its own."""
        self.connection = conn

    def store(self, target_config: TargetConfig) -> None:
        """Do what the macro asks for: `open` the lake, or `replace` a table from a view with the model's rows."""
        request = json.loads(target_config.location.path if target_config.location else "{}")
        if not request["lake_root"]:
            raise ConfigurationError("dbt needs the lake: run it through shelfcast or Dagster, or pass --vars '{lake_root: <folder>, ...}'.")
        lake = Lake(request["lake_root"])
        if request["action"] == "open":
            self._open(lake)
        else:
            self._replace(lake, request)

    def _open(self, lake: Lake) -> None:
        with self.connection.cursor() as cursor:
            for table, contract in CONTRACTS.items():
                cursor.execute(f"create schema if not exists {contract.layer}")
                self._point(cursor, lake, table)

    def _replace(self, lake: Lake, request: dict[str, Any]) -> None:
        table = request["table"]
        columns = ", ".join(f'"{name}"' for name in CONTRACTS[table].names)
        rows = f"select {columns} from {request['rows']}"
        with self.connection.cursor() as cursor:
            if CONTRACTS[table].sliced:
                lake.replace(table, _block(request), lambda: cursor.execute(rows).to_arrow_reader(BATCH_ROWS))
            else:
                lake.overwrite(table, pa.table(cursor.execute(rows).to_arrow_table()))
            self._point(cursor, lake, table)

    def _point(self, cursor: DuckDBPyConnection, lake: Lake, table: str) -> None:
        """Let the table's view show the version that stands now."""
        cursor.execute(f"create or replace view {table.replace('/', '.')} as {lake.select(table)}")


def _block(request: dict[str, Any]) -> SliceBlock:
    regions = tuple(Region(name) for name in request["regions"])
    if not regions:
        raise ConfigurationError("dbt was told no slices: pass the vars regions, week_first and week_last (Dagster does that from its partitions).")
    return SliceBlock(regions, Week.parse(request["week_first"]), Week.parse(request["week_last"]))
