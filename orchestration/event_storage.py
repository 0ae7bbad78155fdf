"""Dagster's SQLite event log, with the events of a slice range written in one transaction, and a lock held for each run that is executed.

Dagster's own commits each event twice, 10 ms an event here. Switched on by `dagster.yaml` together with DAGSTER_EVENT_BATCH_SIZE; what is the same on
PostgreSQL is orchestration.history.batches.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dagster import Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.event import listen

from orchestration.history.batches import BatchingEventLog, EventRow
from orchestration.history.locks import FileRunLocks
from orchestration.settings import dagster_home

_MOST_OPEN = 8


@dataclass(frozen=True)
class _Opened:
    """A database that a connection is kept to, and which file that was; None before there was one."""

    engine: Engine
    file: tuple[int, int] | None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - before each query
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _hurry(connection: DBAPIConnection, _: object) -> None:
    # A commit need not wait for the disk: a process that is killed loses nothing, and a power cut the last events, never the database.
    connection.cursor().execute("pragma synchronous = normal")


class BatchingSqliteEventLogStorage(BatchingEventLog, SqliteEventLogStorage):
    """SQLite event log that takes a batch of asset events in one transaction for each of its two files."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """A folder, where it is not to be the one below DAGSTER_HOME."""
        return {"base_dir": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build from `dagster.yaml`; the parent names its own class here."""
        return cls(inst_data=inst_data, base_dir=config_value.get("base_dir", str(dagster_home() / "history" / "runs")))

    @cached_property
    def _opened(self) -> "dict[str, _Opened]":
        return {}

    @property
    def locks(self) -> FileRunLocks:
        """Locks of the runs that are executed."""
        return FileRunLocks(Path(self._base_dir).parent / "executed")

    def dispose(self) -> None:
        """Close what is open; the last to close a database writes its log into it."""
        for opened in self._opened.values():
            opened.engine.dispose()
        self._opened.clear()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # The parent opens a database for each query, and closing it writes its log to the disk: more than half of what a small run's events took.
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
                self._opened[shard] = _Opened(engine, _identity(self.path_for_shard(shard)))
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        """The engine of a database, which keeps a connection; one whose file was removed or replaced meanwhile begins anew."""
        opened = self._opened.get(shard)
        if opened is not None and opened.file is not None and opened.file == _identity(self.path_for_shard(shard)):
            return opened.engine
        if opened is not None or not Path(self.path_for_shard(shard)).exists():
            self._initialized_dbs.discard(shard)
        self._close_but(_MOST_OPEN - 1, shard)
        engine = create_engine(self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
        listen(engine, "connect", _hurry)
        self._opened[shard] = _Opened(engine, _identity(self.path_for_shard(shard)))
        return engine

    def _close_but(self, kept: int, shard: str) -> None:
        """Close a database, and those that were opened first: a run's file is used while the run lasts."""
        for name in [shard, *[name for name in self._opened if name not in {shard, INDEX_SHARD_NAME}][: max(0, len(self._opened) - kept)]]:
            if (closed := self._opened.pop(name, None)) is not None:
                closed.engine.dispose()

    def _insert_for_run(self, run_id: str, rows: Sequence[EventRow]) -> None:
        """Write into the run's file."""
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)

    def _insert(self, connection: Connection, rows: Sequence[EventRow]) -> Sequence[int]:
        connection.execute(SqlEventLogStorageTable.insert(), rows)
        # SQLite has one writer at a time, so the rows of one statement have consecutive numbers.
        last = int(connection.execute(text("select last_insert_rowid()")).scalar_one())
        return range(last - len(rows) + 1, last + 1)
