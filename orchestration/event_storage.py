"""Dagster's SQLite event log, with the events of a slice range written in one transaction.

A run over a range of slices emits two events (planned, materialized) for each slice and asset. Dagster's SQLite storage commits each of them
twice, 10 ms an event here; its PostgreSQL storage writes batches, and this does the same for SQLite. Switched on by `dagster.yaml` together with
DAGSTER_EVENT_BATCH_SIZE.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

_BATCHED = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """SQLite event log that takes a batch of asset events in one transaction for each of its two files."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build from `dagster.yaml`; the parent names its own class here."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store asset events of one run together; anything else goes the ordinary way."""
        runs = {event.run_id for event in events}
        if len(runs) != 1 or not {event.get_dagster_event().event_type for event in events} <= _BATCHED:
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(runs.pop()) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            statement = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            ids = [int(row[0]) for row in connection.execute(statement, rows)]
            tagged = [(event, number) for event, number in zip(events, ids, strict=True) if event.get_dagster_event().is_step_materialization]
            if tagged:
                self._store_asset_event_tags(connection, *map(list, zip(*tagged, strict=True)))
            # The asset table keeps the last event only, so the batch's last one of each asset decides.
            for event, number in {event.get_dagster_event().asset_key: (event, number) for event, number in zip(events, ids, strict=True)}.values():
                self._store_asset_event(connection, event, number)
