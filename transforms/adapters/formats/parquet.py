"""Parquet files: their rows with the types that they have, counted by a second reader from what the file's footer says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from transforms.adapters.formats.delimited import Records
from transforms.adapters.formats.headers import ROW, SHAPE, column_names
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal, quoted

_MOST_DIGITS = 38
"""Digits of a decimal that DuckDB holds: of wider ones it takes other bytes than theirs."""
_LAST = (1 << 63) - 1
_BATCH = 20_000
_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)


def read_parquet(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> Records:
    """Make the view `file` of a file's rows.

    Raises
    ------
    LandingFileRefused
        If its footer cannot be read, or two of its columns have one name.
    """
    try:
        file = parquet.ParquetFile(path)
        total, schema = file.metadata.num_rows, file.schema_arrow
        column_names(schema.names, name, 1)
        odd = {field.name: convert for field in schema if (convert := _conversion(file, field)) is not None}
        if odd:
            _load(connection, file, odd)
    except _FAULTS as error:
        first = str(error).strip().splitlines()[0].replace(str(path), name)
        raise LandingFileRefused(f"{name}: expected a readable parquet file, but reading failed: {first} Drop the file again.") from error
    numbered = f"(row_number() over ())::bigint as {ROW}, null::varchar as {SHAPE}, "
    rows = "from parquet_rows" if odd else f"from read_parquet({literal(str(path))})"
    kinds = connection.execute(f"describe {rows}").fetchall()
    # Programs that know no text write bytes: they are read as what they say, and shown as bytes where they are no text.
    texts = ", ".join(f"coalesce(try(decode({quoted(c)})), {quoted(c)}::varchar) as {quoted(c)}" for c, kind, *_ in kinds if kind == "BLOB")
    connection.execute(f"create or replace temp view file as select {'' if odd else numbered}*{f' replace ({texts})' if texts else ''} {rows}")
    return Records(pa.table({}), 0, 0, total)


def zones_of(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Columns of instants of a readable file -> the time zone whose clock they were told by, where the file says one that the database knows."""
    told = {field.name: field.type.tz for field in parquet.read_schema(path) if pa.types.is_timestamp(field.type) and field.type.tz}
    known = {name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()} if told else set()
    return {name: zone for name, zone in told.items() if zone in known}


def _conversion(file: parquet.ParquetFile, field: pa.Field) -> Callable[[pa.Array], pa.Array] | None:
    """Return how a column is converted that DuckDB would read as something else, or not at all; None where it reads the column as it is."""
    kind = field.type
    if pa.types.is_decimal(kind) and kind.precision > _MOST_DIGITS:
        narrow = pa.decimal128(_MOST_DIGITS, min(max(kind.scale, 0), _MOST_DIGITS))
        return (lambda values: values.cast(narrow)) if _are(file, field.name, narrow) else (lambda values: values.cast(pa.string()))
    if pa.types.is_duration(kind):
        # They are whole numbers to DuckDB.
        return lambda values: pc.binary_join_element_wise(values.cast(pa.int64()).cast(pa.string()), kind.unit, " ")
    # The footer's statistics would tell it at once, but of a broken footer pyarrow ends the whole process.
    if pa.types.is_timestamp(kind) and kind.unit == "ms" and not _are(file, field.name, pa.timestamp("us", kind.tz)):
        return lambda values: _clipped(values, pa.timestamp("us", kind.tz))
    return None


def _are(file: parquet.ParquetFile, column: str, kind: pa.DataType) -> bool:
    """Whether all of a column's values can be of a type without loss."""
    try:
        for batch in file.iter_batches(_BATCH, columns=[column]):
            batch[column].cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _clipped(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Milliseconds as microseconds; what lies beyond them is infinitely far, which is no date to anyone."""
    numbers = values.cast(pa.int64())
    late, early = pc.greater(numbers, _LAST // 1000), pc.less(numbers, -_LAST // 1000)
    inside = pc.if_else(pc.or_(late, early), 0, numbers)
    micros = pc.if_else(late, _LAST, pc.if_else(early, -_LAST, pc.multiply(inside, 1000)))
    return micros.cast(kind)


def _load(connection: duckdb.DuckDBPyConnection, file: parquet.ParquetFile, odd: dict[str, Callable[[pa.Array], pa.Array]]) -> None:
    """Make the table `parquet_rows` of numbered rows, batch by batch, with some columns converted."""

    def converted(batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
        columns = [odd[name](batch[name]) if name in odd else batch[name] for name in batch.schema.names]
        numbers = pa.array(range(start, start + batch.num_rows), pa.int64())
        return pa.record_batch([numbers, pa.nulls(batch.num_rows, pa.string()), *columns], names=[ROW, SHAPE, *batch.schema.names])

    def batches() -> Iterator[pa.RecordBatch]:
        start = 1
        for batch in file.iter_batches(_BATCH):
            yield converted(batch, start)
            start += batch.num_rows

    empty = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in file.schema_arrow], schema=file.schema_arrow)
    connection.register("parquet_batches", pa.RecordBatchReader.from_batches(converted(empty, 1).schema, batches()))
    connection.execute("create or replace temp table parquet_rows as from parquet_batches")
    connection.unregister("parquet_batches")
