"""Dagster's run storage, event log and schedules in PostgreSQL, in a schema of each root's own, and run locks that the server frees.

Needs the extra `postgresql`: imported by nobody who keeps the history in SQLite. Named by `dagster.yaml`, which holds no address.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from orchestration.history.batches import BatchingEventLog, EventRow
from orchestration.history.database import EXECUTED, engine_address, schema_of
from orchestration.settings import dagster_database, dagster_home

_BEAT_SECONDS = 1.0
"""How often the holder of a lock looks whether its connection still stands."""
_REGAIN_SECONDS = 3.0
"""For how long a lock has to be free: a server that was restarted has lost the locks of processes that live, and they take them again."""
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000, "connect_timeout": 2}
_SERVER_KEEPALIVES = "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"
"""A machine that lost its power sends no end of its connections: without these the server would take it for alive for two hours."""
_NAME = "hashtextextended(current_schema() || '/' || :run, 0)"


class PostgresqlRunLocks:
    """Advisory locks of one schema: held by a connection of the process that executes the run, on whatever machine."""

    def __init__(self, address: str) -> None:
        self._engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=_KEEPALIVES)
        self._held: _HeldLock | None = None

    def hold(self, run_id: str) -> None:
        """Hold a run's lock from now on."""
        if self._held is not None and self._held.run_id == run_id:
            return
        self.release()
        self._held = _HeldLock(self._engine, run_id)
        with self._engine.connect() as connection:
            connection.execute(text(f"insert into {EXECUTED} (run_id) values (:run) on conflict do nothing"), {"run": run_id})

    def release(self) -> None:
        """Hold nothing any more."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def is_held(self, run_id: str) -> bool:
        """Whether a process executes the run; that none does is told once the lock was free twice."""
        with self.claim(run_id) as free:
            if not free:
                return True
        time.sleep(_REGAIN_SECONDS)
        with self.claim(run_id) as free:
            return not free

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """True where the lock is free; it is not for others within the block."""
        with self._engine.connect() as connection:
            free = bool(connection.execute(text(f"select pg_try_advisory_lock({_NAME})"), {"run": run_id}).scalar_one())
            yield free
            if free:
                # The server would free it a moment after the connection ends, in which another look would find it held.
                connection.execute(text(f"select pg_advisory_unlock({_NAME})"), {"run": run_id})

    def known(self) -> set[str]:
        """Runs that have a lock, held or not."""
        with self._engine.connect() as connection:
            return set(connection.execute(text(f"select run_id from {EXECUTED}")).scalars())

    def forget(self, run_id: str) -> None:
        """Remove the lock of a run that has ended."""
        with self._engine.connect() as connection:
            connection.execute(text(f"delete from {EXECUTED} where run_id = :run"), {"run": run_id})


class _HeldLock:
    """One lock with the connection that holds it, and a thread that takes it anew where the connection is lost."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.run_id = run_id
        self._engine, self._ended = engine, threading.Event()
        self._connection = self._connected()
        self._connection.execute(text(f"select pg_advisory_lock({_NAME})"), {"run": run_id})
        self._thread = threading.Thread(target=self._keep, name=f"lock of run {run_id}", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _connected(self) -> Connection:
        connection = self._engine.connect()
        connection.execute(text(_SERVER_KEEPALIVES))
        return connection

    def _keep(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            try:
                self._connection.execute(text("select 1"))
            except SQLAlchemyError:
                self._connection.close()
                self._regain()

    def _regain(self) -> None:
        """Try once; the next beat finds a closed connection where it did not succeed."""
        try:
            connection = self._connected()
            if connection.execute(text(f"select pg_try_advisory_lock({_NAME})"), {"run": self.run_id}).scalar_one():
                self._connection = connection
            else:
                connection.close()
        except SQLAlchemyError:
            return


class BatchingPostgresqlEventLogStorage(BatchingEventLog, PostgresEventLogStorage):
    """PostgreSQL event log that takes a batch of asset events in one transaction; Dagster's own writes planned ones one by one."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url)
        self._locks = PostgresqlRunLocks(postgres_url)

    @property
    def locks(self) -> PostgresqlRunLocks:
        """Locks of the runs that are executed."""
        return self._locks

    def dispose(self) -> None:
        """End with the instance: it executes nothing any more."""
        self._locks.release()
        super().dispose()

    def _insert(self, connection: Connection, rows: Sequence[EventRow]) -> Sequence[int]:
        number = SqlEventLogStorageTable.c.id
        return list(connection.execute(SqlEventLogStorageTable.insert().returning(number, sort_by_parameter_order=True), rows).scalars())


class PostgresqlStorage(DagsterPostgresStorage):
    """The three storages in the database that the environment names, in the schema of the root whose history Dagster is pointed at."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = BatchingPostgresqlEventLogStorage(postgres_url)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing: an address has a password in it, and the schema is the root's."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:  # noqa: ARG003 - Dagster's signature
        """Build from the environment."""
        return cls(engine_address(dagster_database(), schema_of(dagster_home())), inst_data)
