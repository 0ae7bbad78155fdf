"""Queries on PostgreSQL as Arrow, all of one database in one snapshot of it, with each failure as a sentence. The only importer of ADBC.

Nothing is written: neither here nor, since transactions are read-only, in the database.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import adbc_driver_manager
import pyarrow as pa
import pyarrow.compute as pc

from transforms.redaction import has_plain_parts, redacted

if TYPE_CHECKING:
    from adbc_driver_postgresql import dbapi

_SCHEMES = ("postgresql://", "postgres://")
_WITHIN = {"connect_timeout": "10", "keepalives_idle": "30", "tcp_user_timeout": "60000", "application_name": "shelfcast"}
"""Parameters of a connection, unless its address gives them: a server that is gone is noticed within a minute."""
_REASON = re.compile(r"Failed to connect: (.*)|(?:ERROR|FATAL):\s+(.*)")
_TIMED_OUT, _READ_ONLY = "statement timeout", "read-only transaction"
_LOST = ("terminating connection", "server closed the connection", "no connection to the server", "could not receive data", "could not send data")
_UNREADABLE = ("money",)
"""Types that arrive as something else than they are: money as a whole number of cents."""
_MOST_DIGITS = 38
_DAYS = (-719_162, 2_932_896)
"""0001-01-01 and 9999-12-31, as days since 1970."""
_MICROSECONDS = 86_400_000_000


class DatabaseUnreachable(Exception):
    """There is no connection, or it was lost: nothing more can be asked of this database now."""


class QueryFailed(Exception):
    """A query gave no rows that can be kept; says why and what to do."""


@dataclass(frozen=True)
class Rows:
    """Rows of a query, which are streamed as they are asked for."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Snapshot:
    """One state of a database, in which all its queries are read."""

    address: str
    variable: str
    """Where the address stands, as messages name it."""
    name: str
    """What PostgreSQL calls the snapshot."""

    @contextmanager
    def read(self, query: str, parameters: Sequence[date], seconds: int) -> Iterator[Rows]:
        """Stream the rows of a query whose parameters ($1, $2) are bound by the server.

        Raises
        ------
        QueryFailed
            If PostgreSQL refuses the query, it takes longer than `seconds`, or its columns cannot be kept as they are.
        DatabaseUnreachable
            If the connection is lost, also in the midst of the rows.
        """
        with _connected(self.address, self.variable) as connection, connection.cursor() as cursor:
            try:
                cursor.execute("set transaction isolation level repeatable read read only")
                # A name of PostgreSQL's own making; the statement takes no parameters.
                cursor.execute(f"set transaction snapshot '{self.name}'")
                cursor.execute(f"set local statement_timeout = {seconds * 1000:d}")
                cursor.execute(query, parameters=tuple(parameters) or None)
                rows = cursor.fetch_record_batch()
            except (adbc_driver_manager.Error, OSError) as error:
                raise self._explained(error, seconds) from None
            schema = _plain_schema(rows.schema)
            yield Rows(schema, self._batches(rows, schema, seconds))

    def _batches(self, rows: pa.RecordBatchReader, schema: pa.Schema, seconds: int) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = rows.read_next_batch()
            except StopIteration:
                return
            except (adbc_driver_manager.Error, OSError) as error:
                raise self._explained(error, seconds) from None
            yield pa.RecordBatch.from_arrays(list(map(_plain_column, batch.columns, schema)), schema=schema)

    def _explained(self, error: Exception, seconds: int) -> Exception:
        text = redacted(_reason(error), self.address)
        if any(sign in str(error) for sign in _LOST):
            return DatabaseUnreachable(f"the connection to the database in {self.variable} was lost: {text}. Fetch again.")
        if _TIMED_OUT in text:
            return QueryFailed(f"expected an answer within {seconds} seconds, came none. Ask for less, or set 'timeout' beside 'query' higher.")
        if _READ_ONLY in text:
            return QueryFailed(f"expected a query that only reads, came one that writes: {text}. Correct 'query' in the provider YAML.")
        return QueryFailed(f"PostgreSQL refuses the query: {text}. Correct 'query' in the provider YAML, or let the user of {self.variable} read it.")


@contextmanager
def snapshot(address: str, variable: str) -> Iterator[Snapshot]:
    """Hold one state of a database for as long as its queries are read.

    Raises
    ------
    DatabaseUnreachable
        If the address is none of PostgreSQL's, or no server lets us in there.
    """
    if not (address.startswith(_SCHEMES) and has_plain_parts(address)):
        raise DatabaseUnreachable(
            f"expected an address like postgresql://user:password@host:5432/database in {variable}, came another text. Correct it; in a password "
            "write @ as %40 and / as %2F."
        )
    with _connected(address, variable) as connection, connection.cursor() as cursor:
        try:
            cursor.execute("set transaction isolation level repeatable read read only")
            cursor.execute("select pg_export_snapshot()")
            [name] = cursor.fetchone()
        except adbc_driver_manager.Error as error:
            text = redacted(_reason(error), address)
            raise DatabaseUnreachable(
                f"the database in {variable} gives no snapshot of itself: {text}. Use an address of the primary server."
            ) from None
        yield Snapshot(address, variable, name)


@contextmanager
def _connected(address: str, variable: str) -> "Iterator[dbapi.Connection]":
    # Loads Polars where that is installed, which sets variables of the environment.
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    given = address.partition("?")[2]
    more = "&".join(f"{name}={value}" for name, value in _WITHIN.items() if f"{name}=" not in given)
    try:
        connection = dbapi.connect(f"{address}{'&' if given else '' if '?' in address else '?'}{more}", autocommit=False)
    except adbc_driver_manager.Error as error:
        text = redacted(_reason(error), address)
        raise DatabaseUnreachable(
            f"no connection to the database in {variable}: {text}. Check that the server runs, and that address and password are right."
        ) from None
    with connection:
        yield connection


def _reason(error: Exception) -> str:
    """The first sentence that tells why, without what the libraries put around it."""
    found = _REASON.search(str(error))
    text = next(filter(None, found.groups())) if found else str(error).splitlines()[0]
    return text.strip().removesuffix(".")


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    """Types that a Parquet file can keep: a numeric of a declared width is a decimal, others are text with all their digits."""
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise QueryFailed(f"two columns are called {twice[0]!r}. Name one of them otherwise with 'as'.")
    return pa.schema([pa.field(field.name, _plain_type(field)) for field in schema])


def _plain_type(field: pa.Field) -> pa.DataType:
    metadata = field.metadata or {}
    kind = metadata.get(b"POSTGRESQL:type", b"").decode()
    storage = getattr(field.type, "storage_type", field.type)
    readable = not pa.types.is_nested(storage) and not pa.types.is_interval(storage)
    if kind in _UNREADABLE or not readable or (isinstance(field.type, pa.OpaqueType) and not pa.types.is_string(storage)):
        raise QueryFailed(f"column {field.name!r} is of type {kind or storage}, which no file keeps. Cast it in the query, like {field.name}::text.")
    if kind == "numeric":
        # How PostgreSQL packs precision and scale into one number; -1 where none are declared.
        packed = int(metadata.get(b"POSTGRESQL:typmod", b"-1")) - 4
        precision, scale = (packed >> 16) & 0xFFFF, packed & 0x7FF
        return pa.decimal128(precision, scale) if packed >= 0 and scale <= precision <= _MOST_DIGITS else pa.string()
    return field.type if isinstance(field.type, pa.UuidType | pa.JsonType) else storage


def _plain_column(values: Any, field: pa.Field) -> pa.Array:
    stored = values.storage if isinstance(values, pa.ExtensionArray) and not isinstance(field.type, pa.BaseExtensionType) else values
    if pa.types.is_date(field.type) or pa.types.is_timestamp(field.type):
        _refuse_beyond(stored, field)
    try:
        return stored.cast(field.type)
    except pa.ArrowInvalid:
        raise QueryFailed(f"column {field.name!r} holds a value that is no number of type {field.type}. Cast it in the query.") from None


def _refuse_beyond(values: pa.Array, field: pa.Field) -> None:
    """Refuse days that are no days of a calendar: infinity arrives as some day millions of years ago."""
    first, last = _DAYS
    if pa.types.is_timestamp(field.type):
        values, first, last = values.view(pa.int64()), first * _MICROSECONDS, (last + 1) * _MICROSECONDS - 1
    else:
        values = values.view(pa.int32())
    found = pc.min_max(values)
    if found["min"].is_valid and (found["min"].as_py() < first or found["max"].as_py() > last):
        raise QueryFailed(
            f"column {field.name!r} holds a day outside the years 1 to 9999, perhaps infinity. Say in the query what is meant, like "
            f"nullif({field.name}, 'infinity')."
        )
