"""Where a run history lies: the database that the environment names, the schema of a root in it, and what is said where it is lost."""

import fcntl
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from orchestration.settings import DAGSTER_DATABASE
from transforms.errors import ConfigurationError
from transforms.redaction import has_plain_parts, redacted

SQLITE = "sqlite"
EXECUTED = "shelfcast_executed_runs"
"""Table of the runs whose locks were taken, beside Dagster's own."""
SCHEMA_FILE = "postgresql_schema"
_EXPECTED = "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or 'sqlite' for files below the root"
_ESCAPED = "In user and password write @ as %40, / as %2F, ? as %3F and # as %23."
_CONNECT_SECONDS = "10"
# A server that is there and lets nobody in yet, or has lost the database; whatever else it refuses is a matter of the address.
_GONE = re.compile(r"database \S+ does not exist|starting up|shutting down|in recovery|too many (clients|connections)|remaining connection slots")
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SQLITE_FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


class HistoryLost(ConfigurationError):
    """The database of the run history cannot be reached, or is gone; the lake does not depend on it."""


def engine_address(database: str, schema: str) -> str:
    """The address as SQLAlchemy takes it, with the schema in which tables are looked for and made."""
    url = _url(database)
    options = f"{url.query.get('options', '')} -csearch_path={schema}".strip()
    query = {"connect_timeout": _CONNECT_SECONDS, "application_name": "shelfcast", **url.query, "options": options}
    return url.set(drivername="postgresql+psycopg2", query=query).render_as_string(hide_password=False)


def _url(database: str) -> URL:
    """Parse the address; what is wrong with it is told without it."""
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{DAGSTER_DATABASE} holds no address of a database: {_EXPECTED}.") from None
    if url.drivername.partition("+")[0] not in {"postgresql", "postgres"} or not url.database:
        raise ConfigurationError(f"{DAGSTER_DATABASE} holds an address of {url.drivername!r} or names no database: {_EXPECTED}.")
    if not has_plain_parts(database):
        raise ConfigurationError(f"{DAGSTER_DATABASE} holds an address whose parts cannot be told apart: {_EXPECTED}. {_ESCAPED}")
    return url


def schema_of(home: Path) -> str:
    """The schema of the root whose history folder this is.

    Its name ends with the folder's number on its disk: a root that was copied, or moved to another disk, has another one and begins a history of its
    own, so that no two roots write into one. One that is renamed, or mounted elsewhere, keeps it.
    """
    with _locked(home):
        named = _schema_named(home)
        if not named:
            named = f"shelfcast_{secrets.token_hex(4)}_{home.stat().st_ino}"
            place = home / SCHEMA_FILE
            draft = place.with_suffix(".tmp")
            draft.write_text(f"{named}\n")
            draft.replace(place)
    return named


def _schema_named(home: Path) -> str:
    """The schema that the folder names as its own; empty where it names none, or that of the root from which it was copied."""
    place = home / SCHEMA_FILE
    named = place.read_text().strip() if place.exists() else ""
    return named if named and re.fullmatch(rf"shelfcast_[0-9a-f]{{8}}_{home.stat().st_ino}", named) else ""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two commands that open a new root at once are to find one schema."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_schema(database: str, home: Path) -> None:
    """Reach the database, and make the root's schema in it where it is missing; raise `HistoryLost` or `ConfigurationError` with what to do."""
    schema = schema_of(home)
    with _connected(database, schema) as connection:
        if _is_made(connection, schema):
            return
        # One after the other: two that make a schema at once get in each other's way. The lock ends with the connection.
        connection.execute(text("select pg_advisory_lock(hashtextextended(:name, 0))"), {"name": schema})
        connection.execute(text(f"create schema if not exists {schema}"))
        connection.execute(text(f"create table if not exists {EXECUTED} (run_id text primary key)"))


def has_schema(database: str, home: Path) -> bool:
    """Reach the database, and tell whether the root's schema is in it; raise as `make_schema` does."""
    schema = _schema_named(home)
    with _connected(database, schema) as connection:
        return bool(schema) and _is_made(connection, schema)


def _is_made(connection: Connection, schema: str) -> bool:
    return connection.execute(text("select to_regclass(:name)"), {"name": f"{schema}.{EXECUTED}"}).scalar_one() is not None


@contextmanager
def _connected(database: str, schema: str) -> Iterator[Connection]:
    engine = create_engine(engine_address(database, schema), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _told(error, database) from None


def _told(error: SQLAlchemyError, database: str) -> ConfigurationError:
    """The error with what to do, and without who signs in."""
    said = said_by_database(error, database)
    url = _url(database)
    place = f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
    if isinstance(error, OperationalError) and ("FATAL" not in said or _GONE.search(said)):
        return HistoryLost(
            f"The run history's database {place} cannot be reached ({said}). Start it, or correct {DAGSTER_DATABASE}; "
            "data, models and the record do not depend on it."
        )
    return ConfigurationError(
        f"The run history's database {place} refuses what {DAGSTER_DATABASE} asks of it ({said}). Correct user and password there, "
        "and see that the user may create a schema in the database."
    )


def said_by_database(error: SQLAlchemyError, database: str) -> str:
    """The first line of what a database or its driver says, without who signs in."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = [" ".join(line.split()) for line in str(original).splitlines()]
    return redacted(next((line for line in lines if line), type(original).__name__), database)


def set_aside_damaged(home: Path, tell: Callable[[str], None]) -> None:
    """Rename the history's SQLite files that cannot be read, so that new ones are begun, and tell which."""
    # Of the runs' own files those that are still to be written to: of runs that are executed, or whose process died.
    executed = home / "history" / "executed"
    runs = [home / "history" / "runs" / f"{lock.name}.db" for lock in executed.iterdir()] if executed.is_dir() else []
    for path in [*(home / name for name in _SQLITE_FILES), *runs]:
        if path.is_file() and (why := _damage(path)):
            aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            for suffix in ("", "-wal", "-shm"):
                if (part := path.with_name(f"{path.name}{suffix}")).exists():
                    part.rename(aside.with_name(f"{aside.name}{suffix}"))
            tell(
                f"The run history's file {path} is damaged ({why}): it is {aside.name} now, and a new one is begun. "
                "Data, models and the record do not depend on it."
            )


def _damage(path: Path) -> str:
    """What is wrong with a file; empty where nothing is, or it cannot be told now."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            [(first,), *_] = connection.execute("pragma quick_check(1)").fetchall()
            return "" if first == "ok" else str(first)
    except sqlite3.DatabaseError as error:
        return str(error) if error.sqlite_errorcode & 0xFF in _DAMAGED else ""
