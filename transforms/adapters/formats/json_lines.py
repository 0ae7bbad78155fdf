"""Lines of JSON as a table of texts: every value as it is written, so that `01-02-2024` stays an identifier and `101` a number without a fraction."""

from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters.formats.bounds import check_nesting
from transforms.adapters.formats.delimited import Records
from transforms.adapters.formats.headers import ROW, SHAPE, column_names
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal, quoted


def read_json_lines(connection: duckdb.DuckDBPyConnection, path: Path, name: str, compression: str) -> Records:
    """Make the view `file` of a file's objects, one a line, with a column for each key; nested values stay JSON.

    Raises
    ------
    LandingFileRefused
        If a line is no JSON, is too long or nested too deeply, or if two keys differ in the case of their letters alone.
    """
    total = check_nesting(path, compression, name)
    lines = f"read_ndjson_objects({literal(str(path))}, compression = {literal(compression)})"
    connection.execute(f"create or replace temp table objects as select (row_number() over ())::bigint as {ROW}, json from {lines}")
    found = """
        select key, min(position) from (select unnest(json_keys(json)) as key, row_number() over () as position from objects)
        group by key order by 2, 1
    """
    keys = [row[0] for row in connection.execute(found).fetchall()]
    if not keys:
        raise LandingFileRefused(f"{name}: expected a JSON object in each line, came none. Drop the file again.")
    # A key may be anything: as a JSON pointer none is read as a path.
    pointers = (literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)
    columns = ", ".join(f"{_text(pointer)} as {quoted(column)}" for pointer, column in zip(pointers, column_names(keys, name, 1), strict=True))
    shape = """
        case
            when json_type(json) <> 'OBJECT' then 'a JSON ' || lower(json_type(json))
            when len(json_keys(json)) <> list_unique(json_keys(json)) then 'two values for one key'
        end
    """
    connection.execute(f"create or replace temp view file as select {ROW}, {shape} as {SHAPE}, {columns} from objects")
    return Records(pa.table({}), 0, 0, total)


def _text(pointer: str) -> str:
    """SQL of a value as text; a whole number without a point, since programs that know no whole numbers with gaps write 101.0."""
    text = f"json_extract_string(json, {pointer})"
    return f"case when ends_with({text}, '.0') and json_type(json, {pointer}) = 'DOUBLE' then {text}[:-3] else {text} end"
