"""What the event logs of both databases have in common: events of slices written in batches, and the lock of a run held from its start.

A run over a range of slices emits two events (planned, materialized or evaluated) for each slice and asset or check. The first event that the
process which executes a run writes is the run's start, whoever launched it: that process holds the run's lock from there on. Private names of Dagster
1.13 are used.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from dagster import AssetCheckEvaluation, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._serdes import serialize_value
from dagster_shared.record import replace
from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import DBAPIError

from orchestration.history.locks import RunLocks

EventRow: TypeAlias = Mapping[str, Any]
"""An event as a row of Dagster's table of events."""

_BATCHED = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}
_MOST_PLANNED = 500
"""Slices up to which it is put on record that a check of each is about to be evaluated; of more, nothing is until it has been."""
_Store: TypeAlias = Callable[[str, Sequence[EventLogEntry]], None]


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
        """Store the events of each run together; anything that is not of a slice goes one by one."""
        batches: dict[tuple[str, _Store], list[EventLogEntry]] = {}
        for event in events:
            kind = event.get_dagster_event().event_type
            if kind in _BATCHED:
                batches.setdefault((event.run_id, self._store_asset_events), []).append(event)
            elif kind == DagsterEventType.ASSET_CHECK_EVALUATION and event.run_id and _slice_of(event):
                batches.setdefault((event.run_id, self._store_evaluations), []).append(event)
            elif kind == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
                batches.setdefault((event.run_id, self._store_planned), []).append(event)
            else:
                self.store_event(event)
        try:
            for (run_id, store), together in batches.items():
                store(run_id, together)
        except DBAPIError as error:
            # Dagster prints it and goes on event by event: with its statement, of a page, nobody would see what is wrong.
            error.statement = None
            raise

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """The same for an event that comes alone; None as its number where a database keeps none."""
        if planned := _planned(event, self._event_to_row(event), event_id):
            with self.index_transaction() as connection:
                connection.execute(insert(AssetCheckExecutionsTable), planned)

    def _store_planned(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        """Store that checks are about to be evaluated: a row for each slice, as Dagster does, but none with the keys of all the others in it."""
        rows = [self._event_to_row(event) for event in events]
        self._insert_for_run(run_id, rows)
        with self.index_transaction() as connection:
            ids = self._insert(connection, rows)
            planned = [one for event, row, number in zip(events, rows, ids, strict=True) for one in _planned(event, row, number)]
            if planned:
                connection.execute(insert(AssetCheckExecutionsTable), planned)

    def _store_evaluations(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        """Store what checks found; each stands in the place of what had been planned, as in the parent's way of doing it one by one."""
        rows = [self._event_to_row(event) for event in events]
        self._insert_for_run(run_id, rows)
        with self.index_transaction() as connection:
            ids = self._insert(connection, rows)
            executions = [self._execution(event, row, number) for event, row, number in zip(events, rows, ids, strict=True)]
            by_check: dict[tuple[str, str], list[str | None]] = {}
            for one in executions:
                by_check.setdefault((one["asset_key"], one["check_name"]), []).append(one["partition"])
            table = AssetCheckExecutionsTable.c
            for (asset, name), partitions in by_check.items():
                own = (table.asset_key == asset, table.check_name == name, table.run_id == run_id)
                connection.execute(delete(AssetCheckExecutionsTable).where(*own, table.partition.in_(partitions)))
            connection.execute(insert(AssetCheckExecutionsTable), executions)

    def _execution(self, event: EventLogEntry, row: EventRow, number: int) -> dict[str, Any]:
        found = event.get_dagster_event().event_specific_data
        assert isinstance(found, AssetCheckEvaluation)  # noqa: S101 - chosen by the event's type
        status = AssetCheckExecutionRecordStatus.SUCCEEDED if found.passed else AssetCheckExecutionRecordStatus.FAILED
        target = found.target_materialization_data
        return {
            "asset_key": found.asset_key.to_string(),
            "check_name": found.check_name,
            "partition": found.partition,
            "run_id": event.run_id,
            "execution_status": status.value,
            "evaluation_event": row["event"],
            "evaluation_event_timestamp": row["timestamp"],
            "evaluation_event_storage_id": number,
            "materialization_event_storage_id": None if target is None else target.storage_id,
        }

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


def _slice_of(event: EventLogEntry) -> str | None:
    return event.get_dagster_event().asset_check_evaluation_data.partition


def _planned(event: EventLogEntry, row: EventRow, number: int | None) -> list[dict[str, Any]]:
    planned = event.get_dagster_event().event_specific_data
    assert isinstance(planned, AssetCheckEvaluationPlanned)  # noqa: S101 - chosen by the event's type
    subset = planned.partitions_subset
    keys: list[str | None] = [None] if subset is None else [*subset.get_partition_keys()]
    alone = event.get_dagster_event()._replace(event_specific_data=replace(planned, partitions_subset=None))
    common = {
        "asset_key": planned.asset_key.to_string(),
        "check_name": planned.check_name,
        "run_id": event.run_id,
        "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
        "evaluation_event": serialize_value(event._replace(dagster_event=alone)),
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": number,
    }
    return [{**common, "partition": key} for key in keys] if len(keys) <= _MOST_PLANNED else []
