"""The in-memory database that tables are computed with: one way to open it, and one to put a value or a name into its SQL."""

import math

import duckdb

_NEVER_FULL = "64GB"


def open_database() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB of its own, in UTC, whose results are collected as a whole.

    DuckDB hands results out through a buffer of 1 MB, and workers that find it full wait until rows have been fetched. With 1.5 a worker has been
    seen not to wake up again (on a busy machine, once in some thousands of queries): the query then spins for ever. All rows are wanted in memory
    anyway, so the buffer has no end.
    """
    connection = duckdb.connect()
    connection.execute(f"set timezone = 'UTC'; set streaming_buffer_size = '{_NEVER_FULL}'")
    return connection


def literal(value: str | float) -> str:
    """SQL literal of a text (without NUL, which neither a provider file nor a path may hold) or a number, read back to the last bit.

    A float has an exponent: DuckDB takes digits with a point alone for a decimal, and a cast of that to double is an ulp off now and then.
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return f"'{value}'::double"
    digits = repr(value)
    return digits if "e" in digits else f"{digits}e0"


def quoted(name: str) -> str:
    """SQL identifier of a name that is not empty."""
    return '"' + name.replace('"', '""') + '"'
