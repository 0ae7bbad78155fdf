"""dbt-duckdb plugin between dbt and the lake: views over the Delta tables, and models streamed into them slice by slice.

What a model replaces is decided at run time (vars), never from `config()`, whose values are frozen when the manifest is parsed.
"""

import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from duckdb import DuckDBPyConnection

from orchestration.settings import settings_of
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake

# Rows in a batch: large enough for good Parquet row groups, small enough to keep memory flat.
BATCH_ROWS = 122_880
T = TypeVar("T")


class Plugin(BasePlugin):
    """Reads the lake through views and writes models into it."""

    connection: DuckDBPyConnection
    parent: int

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Keep the run's connection, of which every use takes a cursor of its own, and who started dbt."""
        self.connection, self.parent = conn, os.getppid()

    def store(self, target_config: TargetConfig) -> None:
        """Do what the macro asks for: `open` the lake, or `replace` a table from a view with the model's rows."""
        request = json.loads(target_config.location.path if target_config.location else "{}")
        if not request["lake_root"]:
            raise ConfigurationError("dbt needs the lake: run it through shelfcast or Dagster, or pass --vars '{lake_root: <folder>, ...}'.")
        # Keys come by the environment: variables are printed in dbt's logs.
        lake = Lake(request["lake_root"], settings_of(request["lake_root"]).storage_options)
        if request["action"] == "open":
            self._open(lake)
        else:
            self._replace(lake, request)

    def _open(self, lake: Lake) -> None:
        with self.connection.cursor() as cursor:
            lake.reach(cursor)
            for table, contract in CONTRACTS.items():
                cursor.execute(f"create schema if not exists {contract.layer}")
                self._point(cursor, lake, table)

    def _replace(self, lake: Lake, request: dict[str, Any]) -> None:
        table = request["table"]
        columns = ", ".join(f'"{name}"' for name in CONTRACTS[table].names)
        rows = f"select {columns} from {request['rows']}"
        with self.connection.cursor() as cursor:
            if CONTRACTS[table].sliced:
                lake.replace(table, _block(request), self._while_awaited(lambda: cursor.execute(rows).to_arrow_reader(BATCH_ROWS)))
            else:
                lake.overwrite(table, self._while_awaited(lambda: pa.table(cursor.execute(rows).to_arrow_table()))())
            self._point(cursor, lake, table)

    def _while_awaited(self, make: Callable[[], T]) -> Callable[[], T]:
        """`make`, refused once the run that started dbt was killed: its successor may be writing the same slices already."""

        def made() -> T:
            if os.getppid() != self.parent:
                raise MissingData("The run that started dbt is gone, so nothing more is written. Run the command again.")
            return make()

        return made

    def _point(self, cursor: DuckDBPyConnection, lake: Lake, table: str) -> None:
        """Let the table's view show the version that stands now."""
        cursor.execute(f"create or replace view {table.replace('/', '.')} as {lake.select(table)}")


def _block(request: dict[str, Any]) -> SliceBlock:
    regions = tuple(Region(name) for name in request["regions"])
    if not regions:
        raise ConfigurationError("dbt was told no slices: pass the vars regions, week_first and week_last (Dagster does that from its partitions).")
    return SliceBlock(regions, Week.parse(request["week_first"]), Week.parse(request["week_last"]))
