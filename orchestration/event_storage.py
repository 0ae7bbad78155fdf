"""Dagster's SQLite event log, with the events of a slice range written in one transaction, and a lock held for each run that is executed.

Dagster's own commits each event twice, 10 ms an event here. Switched on by `dagster.yaml` together with DAGSTER_EVENT_BATCH_SIZE; what is the same on
PostgreSQL is orchestration.history.batches.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, text

from orchestration.history.batches import BatchingEventLog, EventRow
from orchestration.history.locks import FileRunLocks
from orchestration.settings import dagster_home


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

    @property
    def locks(self) -> FileRunLocks:
        """Locks of the runs that are executed."""
        return FileRunLocks(Path(self._base_dir).parent / "executed")

    def run_connection(self, run_id: str | None = None) -> Any:
        """Open a run's log; one that maintenance has removed begins anew, empty."""
        if run_id is not None and not Path(self.path_for_shard(run_id)).exists():
            self._initialized_dbs.discard(run_id)
        return super().run_connection(run_id)

    def _insert_for_run(self, run_id: str, rows: Sequence[EventRow]) -> None:
        """Write into the run's file."""
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)

    def _insert(self, connection: Connection, rows: Sequence[EventRow]) -> Sequence[int]:
        connection.execute(SqlEventLogStorageTable.insert(), rows)
        # SQLite has one writer at a time, so the rows of one statement have consecutive numbers.
        last = int(connection.execute(text("select last_insert_rowid()")).scalar_one())
        return range(last - len(rows) + 1, last + 1)
