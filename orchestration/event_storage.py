"""Dagster's SQLite event log, with the events of a slice range written in one transaction, and a lock held for each run that is executed.

A run over a range of slices emits two events (planned, materialized) for each slice and asset. Dagster's SQLite storage commits each of them
twice, 10 ms an event here; its PostgreSQL storage writes batches, and this does the same for SQLite. Switched on by `dagster.yaml` together with
DAGSTER_EVENT_BATCH_SIZE.

The first event that the process which executes a run writes is the run's start, whoever launched it: that process holds the run's lock from there on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEventType, Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import text

from orchestration.run_locks import RunLocks
from orchestration.settings import dagster_home

_BATCHED = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
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
    def locks(self) -> RunLocks:
        """Locks of the runs that are executed."""
        return RunLocks(Path(self._base_dir).parent / "executed")

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; before a run counts as started, its lock is held."""
        if event.is_dagster_event and event.dagster_event_type == DagsterEventType.RUN_START:
            self.locks.hold(event.run_id)
        super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the asset events of each run together; anything else (planned checks) goes the ordinary way."""
        by_run: dict[str, list[EventLogEntry]] = {}
        others: list[EventLogEntry] = []
        for event in events:
            batched = event.get_dagster_event().event_type in _BATCHED
            (by_run.setdefault(event.run_id, []) if batched else others).append(event)
        for run_id, together in by_run.items():
            self._store_asset_events(run_id, together)
        super().store_event_batch(others)

    def _store_asset_events(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            # SQLite has one writer at a time, so the rows of one statement have consecutive numbers.
            last = int(connection.execute(text("select last_insert_rowid()")).scalar_one())
            ids = range(last - len(rows) + 1, last + 1)
            tagged = [(event, number) for event, number in zip(events, ids, strict=True) if event.get_dagster_event().is_step_materialization]
            if tagged:
                self._store_asset_event_tags(connection, *map(list, zip(*tagged, strict=True)))
            # The asset table keeps the last event only, so the batch's last one of each asset decides.
            for event, number in {event.get_dagster_event().asset_key: (event, number) for event, number in zip(events, ids, strict=True)}.values():
                self._store_asset_event(connection, event, number)
