"""Parquet files: their rows with the types that they have, counted by a second reader from what the file's footer says."""

from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from transforms.adapters.formats.delimited import Records
from transforms.adapters.formats.headers import ROW, SHAPE, column_names
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal


def read_parquet(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> Records:
    """Make the view `file` of a file's rows.

    Raises
    ------
    LandingFileRefused
        If its footer cannot be read, or two of its columns have one name.
    """
    try:
        file = parquet.ParquetFile(path)
        total, names = file.metadata.num_rows, file.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0].replace(str(path), name)
        raise LandingFileRefused(f"{name}: expected a readable parquet file, but reading failed: {first} Drop the file again.") from error
    column_names(names, name, 1)
    numbered = f"select (row_number() over ())::bigint as {ROW}, null::varchar as {SHAPE}, * from read_parquet({literal(str(path))})"
    connection.execute(f"create or replace temp view file as {numbered}")
    return Records(pa.table({}), 0, 0, total)


def zones_of(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Columns of instants of a readable file -> the time zone whose clock they were told by, where the file says one that the database knows."""
    told = {field.name: field.type.tz for field in parquet.read_schema(path) if pa.types.is_timestamp(field.type) and field.type.tz}
    known = {name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()} if told else set()
    return {name: zone for name, zone in told.items() if zone in known}
