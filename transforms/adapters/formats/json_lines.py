"""Lines of JSON as a table of texts: every value as it is written, so that `01-02-2024` stays an identifier and `101` a number without a fraction."""

import codecs
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from transforms.adapters.formats.bounds import PLAIN, check_nesting, read_chunks
from transforms.adapters.formats.delimited import Records, decode
from transforms.adapters.formats.headers import ROW, SHAPE, column_names
from transforms.adapters.numbers import CERTAIN
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal, quoted

_ADVICE = "Write one object in each line, without commas between them; if the file was cut off, drop it again."
_PLACE = re.compile(r"at byte \d+ in line (\d+): (.*)")


def read_json_lines(connection: duckdb.DuckDBPyConnection, path: Path, name: str, encoding: str, compression: str) -> Records:
    """Make the view `file` of a file's objects, one a line, with a column for each key; nested values stay JSON.

    Raises
    ------
    LandingFileRefused
        If a line is no JSON, is too long or nested too deeply, or if two keys differ in the case of their letters alone.
    """
    if _is_plain(path, name, encoding, compression):
        total = check_nesting(path, compression, name)
        lines = f"read_ndjson_objects({literal(str(path))}, compression = {literal(compression)})"
    else:
        connection.register("decoded", _decoded(path, name, encoding, compression))
        total = connection.execute("select count(*) from decoded").fetchall()[0][0]
        lines = "(select json::json as json from decoded)"
    try:
        connection.execute(f"create or replace temp table objects as select (row_number() over ())::bigint as {ROW}, json from {lines}")
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise _no_json(error, name) from error
    found = """
        select key, min(position) from (select unnest(json_keys(json)) as key, row_number() over () as position from objects)
        group by key order by 2, 1
    """
    keys = [row[0] for row in connection.execute(found).fetchall()]
    if not keys:
        raise LandingFileRefused(f"{name}: expected a JSON object in each line, came none: a JSON array, or an empty list? {_ADVICE}")
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


def _is_plain(path: Path, name: str, encoding: str, compression: str) -> bool:
    """Whether the database can read the text as it is: UTF-8 without a byte order mark."""
    start = next(read_chunks(path, compression, name))[0]
    return codecs.lookup(encoding).name == "utf-8" and not start.startswith(codecs.BOM_UTF8)


def _decoded(path: Path, name: str, encoding: str, compression: str) -> pa.Table:
    """The lines that are not blank of a text that the database cannot read as it is; it may read no other file than the one dropped."""
    with TemporaryDirectory(prefix="shelfcast-") as scratch:
        text = Path(scratch) / "decoded"
        decode(path, text, name, encoding, compression)
        check_nesting(text, PLAIN, name)
        with text.open(encoding="utf-8", newline="\n") as stream:
            return pa.table({"json": pa.array([line for line in stream if line.strip()], pa.string())})


def _no_json(error: duckdb.Error, name: str) -> LandingFileRefused:
    """The line that is no JSON; the database counts lines from the next one on."""
    found = _PLACE.search(str(error))
    row, problem = (f", row {max(int(found[1]) - 1, 1)}", found[2]) if found else ("", str(error).splitlines()[0])
    return LandingFileRefused(f"{name}{row}: expected a JSON object in each line, but it is none: {problem.split('. ')[0].rstrip('. ')}. {_ADVICE}")


def _text(pointer: str) -> str:
    """SQL of a value as text; a whole number without a point, since programs that know no whole numbers with gaps write 101.0.

    From 2^53 on it stays a fraction, whose last digits may have been others.
    """
    text = f"json_extract_string(json, {pointer})"
    whole = f"ends_with({text}, '.0') and json_type(json, {pointer}) = 'DOUBLE' and abs(try_cast({text} as double)) < {CERTAIN}"
    return f"case when {whole} then {text}[:-3] else {text} end"
