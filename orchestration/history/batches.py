"""What the event logs of both databases have in common: asset events written in batches, and the lock of a run held from its start.

A run over a range of slices emits two events (planned, materialized) for each slice and asset. The first event that the process which executes a run
writes is the run's start, whoever launched it: that process holds the run's lock from there on. Private names of Dagster 1.13 are used.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import Connection

from orchestration.history.locks import RunLocks

EventRow: TypeAlias = Mapping[str, Any]
"""An event as a row of Dagster's table of events."""

_BATCHED = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}


class BatchingEventLog(SqlEventLogStorage):
    """Event log that takes a batch of asset events in a few statements and knows the locks of runs; the other parent is Dagster's of the database."""

    @cached_property
    def _there(self) -> set[tuple[str, str]]:
        return set()

    @property
    @abstractmethod
    def locks(self) -> RunLocks:
        """Locks of the runs that are executed."""

    @abstractmethod
    def _insert(self, connection: Connection, rows: Sequence[EventRow]) -> Sequence[int]:
        """Insert events and return their numbers, in the order of the rows."""

    def _insert_for_run(self, run_id: str, rows: Sequence[EventRow]) -> None:
        """Write what a database keeps of a run's events apart."""

    def has_table(self, table_name: str) -> bool:
        """Whether there is a table, as `_once` looks."""
        return self._once("table", table_name, super().has_table)  # type: ignore[safe-super]  # the other parent has it

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has a column, as `_once` looks."""
        return self._once("column", column_name, super().has_asset_key_col)

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of Dagster's was made, as `_once` looks."""
        return self._once("migration", name, super().has_secondary_index)

    def _once(self, kind: str, name: str, look: Callable[[str], bool]) -> bool:
        # Dagster looks before nearly every query, with a connection of its own each time: of what is there nothing goes again.
        if (kind, name) not in self._there and look(name):
            self._there.add((kind, name))
        return (kind, name) in self._there

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; before a run counts as started, its lock is held."""
        if event.is_dagster_event and event.dagster_event_type == DagsterEventType.RUN_START:
            self.locks.hold(event.run_id)
        super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the asset events of each run together; anything else (planned checks) goes one by one."""
        by_run: dict[str, list[EventLogEntry]] = {}
        others: list[EventLogEntry] = []
        for event in events:
            batched = event.get_dagster_event().event_type in _BATCHED
            (by_run.setdefault(event.run_id, []) if batched else others).append(event)
        for run_id, together in by_run.items():
            self._store_asset_events(run_id, together)
        for event in others:
            self.store_event(event)

    def _store_asset_events(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        self._insert_for_run(run_id, rows)
        with self.index_transaction() as connection:
            ids = self._insert(connection, rows)
            tagged = [(event, number) for event, number in zip(events, ids, strict=True) if event.get_dagster_event().is_step_materialization]
            if tagged:
                self._store_asset_event_tags(connection, *map(list, zip(*tagged, strict=True)))
            # The asset table keeps the last event only, so the batch's last one of each asset decides.
            for event, number in {event.get_dagster_event().asset_key: (event, number) for event, number in zip(events, ids, strict=True)}.values():
                self._store_asset_event(connection, event, number)
