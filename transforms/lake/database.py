"""The in-memory database that tables are computed with: one way to open it, and one to put a value or a name into its SQL."""

import math
import os
import threading
from collections.abc import Mapping
from importlib.resources import files

import duckdb

_NEVER_FULL = "64GB"


_opening = threading.Lock()
_shared: dict[int, duckdb.DuckDBPyConnection] = {}
"""The database of each process: one that was forked finds its parent's here, whose threads it has not, and leaves it alone."""


def _turn_of_a_fork() -> None:
    """A child in whose parent another thread was just opening would wait for that thread, which it has not."""
    global _opening  # noqa: PLW0603 - there is no other way to give a forked process a lock of its own
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_turn_of_a_fork)


def open_database() -> duckdb.DuckDBPyConnection:
    """Return a session of this process's DuckDB, in UTC, whose results are collected as a whole: make temporary things alone in it, and set nothing.

    To make a database takes 10 ms, which was a fifth of the time in which a small drop was taken in.

    DuckDB hands results out through a buffer of 1 MB, and workers that find it full wait until rows have been fetched. With 1.5 a worker has been
    seen not to wake up again (on a busy machine, once in some thousands of queries): the query then spins for ever. All rows are wanted in memory
    anyway, so the buffer has no end.
    """
    process = os.getpid()
    with _opening:
        if process not in _shared:
            _shared[process] = duckdb.connect()
            # Files are read once or have changed: their content is not to fill the memory of a process that lasts.
            _shared[process].execute("set enable_external_file_cache = false")
        return session_of(_shared[process])


def own_database() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB like that of `open_database` for one alone, who has settings, extensions or keys for it."""
    return _session(duckdb.connect())


def session_of(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return another session of a database, for a thread of its own: a connection answers one question at a time, and settings are a session's."""
    return _session(database.cursor())


def _session(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute(f"set timezone = 'UTC'; set streaming_buffer_size = '{_NEVER_FULL}'")
    return connection


def read_from_store(connection: duckdb.DuckDBPyConnection, address: str, options: Mapping[str, str]) -> None:
    """Let a DuckDB read files below an S3 address, with the keys of the options. The extension comes as a package: nothing is downloaded.

    The keys stay with DuckDB's secret manager, which shows them to nobody, for as long as the connection lasts.
    """
    package = files("duckdb_extension_httpfs")
    extension = package / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    scheme, _, endpoint = options.get("AWS_ENDPOINT_URL", "").rpartition("://")
    held = {
        "key_id": options.get("AWS_ACCESS_KEY_ID"),
        "secret": options.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": options.get("AWS_SESSION_TOKEN"),
        "region": options.get("AWS_REGION"),
        "endpoint": endpoint.rstrip("/") or None,
        "url_style": "path" if endpoint else None,
        "use_ssl": "false" if scheme == "http" else None,
    }
    values = ", ".join(f"{name} {literal(value)}" for name, value in held.items() if value is not None)
    connection.execute(f"load {literal(str(extension))}")
    connection.execute(f"create or replace secret lake (type s3, scope {literal(address)}, {values})")


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
