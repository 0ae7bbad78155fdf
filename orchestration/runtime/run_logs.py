"""Logs of runs that ended long ago: removed from the run history, which keeps the runs themselves and what stands in each slice of each asset.

A run's own log (a SQLite file, and what its steps printed) is read by that run's page alone. The UI's pages of assets, slices and checks read the
index of all runs, which keeps of a slice what was written into it last, with its numbers but without tables and plots, and of a check how it came out
last. An index on another database is maintained where that is.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
from sqlalchemy import Connection, text

from orchestration.event_storage import BatchingSqliteEventLogStorage

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_FREE_SHARE = 0.2
"""Share of free pages from which a SQLite file is written anew."""
_BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps beside a file."""
_SUPERSEDED = """
    select e.id from event_logs as e where e.run_id in (select value from json_each(:runs)) and (
        e.dagster_event_type in ('ASSET_MATERIALIZATION_PLANNED', 'ASSET_CHECK_EVALUATION_PLANNED')
        or e.dagster_event_type in ('ASSET_MATERIALIZATION', 'ASSET_OBSERVATION') and exists (
            select 1 from event_logs as later
            where later.asset_key = e.asset_key and later.partition is e.partition and later.id > e.id
                and later.dagster_event_type = e.dagster_event_type
        )
    )
"""
"""Events of the index that say nothing any more: what a run that has ended was going to do, and what a later run wrote over."""
_CHECKED_AGAIN = """
    select c.id, c.evaluation_event_storage_id from asset_check_executions as c where c.run_id in (select value from json_each(:runs)) and exists (
        select 1 from asset_check_executions as later
        where later.asset_key = c.asset_key and later.check_name = c.check_name and later.partition is c.partition and later.id > c.id
    )
"""
"""Results of checks that a later run made again, and the events that tell of them."""
_LONG = 500
"""Characters from which an entry of what a run told of a slice is a table or a plot and not a number."""


@dataclass(frozen=True, slots=True)
class RemovedLogs:
    """What was removed, or would be: the logs of how many runs, their files and bytes; events of the index; databases written anew to free pages."""

    runs: int
    files: int
    size: int
    events: int
    compacted: tuple[str, ...]


def remove_old_logs(instance: dg.DagsterInstance, before: datetime, dry_run: bool) -> RemovedLogs:
    """Remove the logs of runs that ended before a moment; the runs stay on record, with what they materialised and checked."""
    storage = instance.event_log_storage
    if not isinstance(storage, BatchingSqliteEventLogStorage):
        return NOTHING
    runs, files, size = 0, 0, 0
    records = instance.get_run_records(dg.RunsFilter(statuses=_ENDED, updated_before=before))
    events = _forget_superseded(storage, [record.dagster_run.run_id for record in records], dry_run)
    for record in records:
        places = [Path(f"{storage.path_for_shard(record.dagster_run.run_id)}{end}") for end in _BESIDE]
        places.append(Path(instance.storage_directory()) / record.dagster_run.run_id)
        found = [path for place in places for path in _files_of(place)]
        runs, files, size = runs + bool(found), files + len(found), size + sum(path.stat().st_size for path in found)
        if not dry_run:
            for place in places:
                _remove(place)
    databases = [Path(storage.path_for_shard("index")), *Path(instance.root_directory).rglob("history/runs.db")]
    crowded = [path for path in databases if path.is_file() and _free_share(path) > _FREE_SHARE]
    return RemovedLogs(runs, files, size, events, tuple(path.name for path in crowded if dry_run or _compacted(path)))


NOTHING = RemovedLogs(0, 0, 0, 0, ())


def _forget_superseded(storage: BatchingSqliteEventLogStorage, run_ids: list[str], dry_run: bool) -> int:
    """Delete events of these runs from the index that say nothing any more, with their tags, and shorten the others; return how many were deleted."""
    runs = {"runs": json.dumps(run_ids)}
    with storage.index_transaction() as connection:
        checked_again = connection.execute(text(_CHECKED_AGAIN), runs).all()
        checks = {
            "checks": json.dumps([row[0] for row in checked_again]),
            "events": json.dumps([row[1] for row in checked_again if row[1] is not None]),
        }
        count = int(connection.execute(text(f"select count(*) from ({_SUPERSEDED})"), runs).scalar_one()) + len(checked_again)
        if not dry_run:
            connection.execute(text(f"delete from asset_event_tags where event_id in ({_SUPERSEDED})"), runs)
            connection.execute(text(f"delete from event_logs where id in ({_SUPERSEDED})"), runs)
            connection.execute(text("delete from event_logs where id in (select value from json_each(:events))"), checks)
            connection.execute(text("delete from asset_check_executions where id in (select value from json_each(:checks))"), checks)
            _shorten(connection, runs)
    return count


def _shorten(connection: Connection, runs: dict[str, str]) -> None:
    """Leave out what is long, tables and plots, from what these runs told of slices."""
    told = (
        f"select id, event from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and length(event) > {_LONG} "
        "and run_id in (select value from json_each(:runs))"
    )
    for number, event in connection.execute(text(told), runs).all():
        entry = json.loads(str(event))
        materialization = entry["dagster_event"]["event_specific_data"]["materialization"]
        short = [one for one in materialization["metadata_entries"] if len(json.dumps(one)) <= _LONG]
        if len(short) < len(materialization["metadata_entries"]):
            materialization["metadata_entries"] = short
            connection.execute(text("update event_logs set event = :event where id = :id"), {"event": json.dumps(entry), "id": number})


def _files_of(place: Path) -> Iterator[Path]:
    yield from (path for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file())


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _free_share(path: Path) -> float:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (free,), (pages,) = (connection.execute(f"pragma {name}").fetchone() for name in ("freelist_count", "page_count"))
    return float(free / max(pages, 1))


def _compacted(path: Path) -> bool:
    """Write a database anew without its free pages; False where another process uses it, and the next maintenance may."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        try:
            connection.execute("vacuum")
        except sqlite3.OperationalError:
            return False
    return True
