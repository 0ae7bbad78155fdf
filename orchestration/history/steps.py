"""How the steps of a run ended, from its events: as they come while it is executed, or from the run history once it has ended.

Where that is put on record is `transforms.records.pipeline_steps`; when, is decided by whoever executes runs or looks for those that ended.
"""

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
)

from orchestration.history.made import Details
from orchestration.people import PERSON_TAG
from transforms import errors
from transforms.contracts import CONTRACTS
from transforms.errors import ShelfcastError
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import PipelineStep, record

WHY = "shelfcast/why"
"""Tag of a run: what it was requested for, in words."""
COMMAND_LINE = "command line"
"""Who started a run that no person, schedule or sensor is named on."""
_OURS = {error.__name__ for error in vars(errors).values() if isinstance(error, type) and issubclass(error, ShelfcastError)}
_EXCERPT = re.compile(r"LINE \d+: ")
_LOGIN = re.compile(r"://[^@/\s]*@")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_OUR_NAME = re.compile(r"^transforms\.errors\.\w+: ")
_LONGEST = 500
_ROW_COUNTS = ("dagster/partition_row_count", "dagster/row_count")
_Event = dg.DagsterEventType
_ENDS = {_Event.STEP_SUCCESS, _Event.STEP_FAILURE, _Event.STEP_SKIPPED}
_ENDED_BADLY = {_Event.RUN_FAILURE, _Event.RUN_CANCELED}
_TOLD = {_Event.STEP_START, _Event.ASSET_MATERIALIZATION, _Event.ASSET_CHECK_EVALUATION, *_ENDS, *_ENDED_BADLY}


@dataclass
class StepEvents:
    """What is known of a step: the times of its events, how it ended, and the rows of each asset that it made, None where that was not told."""

    started: float | None = None
    ended: float | None = None
    end: dg.DagsterEventType | None = None
    error: str | None = None
    made: dict[str, int | None] = field(default_factory=dict)
    details: Details = field(default_factory=Details)


@dataclass
class RunEvents:
    """What the events of a run tell of its steps."""

    steps: dict[str, StepEvents] = field(default_factory=dict)
    last_words: str | None = None

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run_id: str) -> "RunEvents":
        """Read them from the history."""
        found = cls()
        for entry in instance.all_logs(run_id, of_type=_TOLD):
            found.see(entry.get_dagster_event(), entry.timestamp)
        return found

    def see(self, event: dg.DagsterEvent, at: float | None = None) -> None:
        """Take an event in, of a time in seconds since 1970, or of now."""
        if event.event_type in _ENDED_BADLY:
            self.last_words = event.message
        if event.step_key is None or event.event_type not in _TOLD:
            return
        at = time.time() if at is None else at
        step = self.steps.setdefault(event.step_key, StepEvents())
        if event.event_type == _Event.STEP_START:
            step.started = at
        elif event.event_type == _Event.ASSET_MATERIALIZATION:
            _add_rows(step, event.step_materialization_data.materialization)
            step.details.see_made(event.step_materialization_data.materialization)
        elif event.event_type == _Event.ASSET_CHECK_EVALUATION:
            step.details.see_checked(event.asset_check_evaluation_data)
        else:
            step.ended, step.end = at, event.event_type
            step.error = cause(event) if event.event_type == _Event.STEP_FAILURE else None


Record = Callable[[dg.DagsterInstance, dg.DagsterRun, RunEvents], None]
"""Takes a run that has just ended with what its events told."""


Announce = Callable[[dg.DagsterInstance, dg.DagsterRun, RunEvents, list[PipelineStep]], None]
"""Takes a run, with what its events told and its steps, just before these are put on record."""


def record_run(
    lake: Lake, tell: Callable[[str], None], announce: Announce | None, instance: dg.DagsterInstance, run: dg.DagsterRun, seen: RunEvents
) -> None:
    """Put the steps of a run that has just ended on record. What cannot be recorded is told: what the run did stands."""

    def before(_: Collection[str]) -> None:
        if announce is not None:
            announce(instance, run, seen, steps)

    try:
        steps = steps_of(instance, run, seen, time.time())
        record(lake, steps, before)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is not to fail by it
        tell(f"How the steps of run {run.run_id} ended is not on record in gold/pipeline_steps: {first_sentence(f'{type(error).__name__}: {error}')}")


def steps_of(instance: dg.DagsterInstance, run: dg.DagsterRun, seen: RunEvents, ended_at: float) -> list[PipelineStep]:
    """The steps of a run that has ended, those that it did not come to among them."""
    regions, first, last = _slices(instance, run)
    broken = next((name for name, step in seen.steps.items() if step.end == _Event.STEP_FAILURE), None)
    why = f"Step {broken} failed." if broken else seen.last_words or "The run ended before this step did."
    by = _starter(run)
    rows = []
    for name in [*seen.steps, *(name for name in _planned(instance, run) if name not in seen.steps)]:
        step = seen.steps.get(name, StepEvents())
        ended = ended_at if step.ended is None else step.ended
        succeeded, skipped = step.end == _Event.STEP_SUCCESS, step.started is None
        counts = [rows for rows in step.made.values() if rows is not None]
        rows.append(
            PipelineStep(
                run_id=run.run_id,
                step=name,
                job=run.job_name,
                assets=",".join(step.made) or None,
                regions=",".join(regions) or None,
                first_week=first,
                last_week=last,
                started_at=None if step.started is None else _moment(step.started),
                ended_at=_moment(ended),
                seconds=None if step.started is None else round(max(ended - step.started, 0.0), 3),
                rows=sum(counts) if counts else None,
                state="succeeded" if succeeded else "skipped" if skipped else "failed",
                error=None if succeeded else first_sentence(step.error or why),
                started_by=by,
                uncounted=tuple(asset for asset, count in step.made.items() if count is None and asset in CONTRACTS and not _grows(asset)),
            )
        )
    return rows


def cause(event: dg.DagsterEvent) -> str:
    """Message of our own error, which says what to do, else the last line of the innermost one; the rest is in the run's log."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None and error.cls_name not in _OURS and "RemoteTraceback" not in str(error.cause.cls_name):
        error = error.cause
    # Neither quotes nor DuckDB's excerpt of the query, with the mark below the place.
    lines = [] if error is None else error.message.strip().splitlines()
    lines = [line for line in lines if any(map(str.isalnum, line)) and not _EXCERPT.match(line)]
    return lines[-1] if lines else "no message"


def _add_rows(step: StepEvents, made: dg.AssetMaterialization) -> None:
    """Slices of an asset come one by one, each with its own rows."""
    name = "/".join(made.asset_key.path)
    # A table that only grows tells its rows in all, which this run did not write.
    told = [made.metadata[key].value for key in _ROW_COUNTS if key in made.metadata and not _grows(name)]
    if told and isinstance(told[0], int):
        step.made[name] = (step.made.get(name) or 0) + told[0]
    else:
        step.made.setdefault(name, None)


def _grows(asset: str) -> bool:
    return asset in CONTRACTS and CONTRACTS[asset].append_only


def _planned(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    if not run.is_success and run.execution_plan_snapshot_id is not None:
        yield from instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).step_keys_to_execute


def _slices(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[list[str], date | None, date | None]:
    """Regions, first and last week of a run, as its tags name them: a range covers the regions between its ends as Dagster lists them."""
    single = run.tags.get(PARTITION_NAME_TAG, "")
    ends = [run.tags.get(tag, single) for tag in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)]
    if not all("|" in end for end in ends):
        return [], None, None
    (low, first), (high, last) = (end.split("|") for end in ends)
    known = list(instance.get_dynamic_partitions("region"))
    regions = known[known.index(low) : known.index(high) + 1] if low in known and high in known else sorted({low, high})
    return regions, date.fromisoformat(first), date.fromisoformat(last)


def _starter(run: dg.DagsterRun) -> str:
    if PERSON_TAG in run.tags:
        return run.tags[PERSON_TAG]
    named = [f"{what} {run.tags[tag]}" for what, tag in (("schedule", SCHEDULE_NAME_TAG), ("sensor", SENSOR_NAME_TAG)) if tag in run.tags]
    who = named[0] if named else COMMAND_LINE
    return f"{who}: {run.tags[WHY]}" if WHY in run.tags else who


def first_sentence(text: str) -> str:
    """The first sentence, with *** for who signs in at an address, and without the name of an error of ours: it says what to do."""
    text = _OUR_NAME.sub("", text)
    return _LOGIN.sub("://***@", _SENTENCE_END.split(" ".join(text.split()), maxsplit=1)[0])[:_LONGEST]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
