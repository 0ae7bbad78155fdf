"""The record of what was run: the steps of runs as they ended, each run once. How a run tells of its steps is not known here."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Literal

import pyarrow as pa

from transforms.calendar import Week
from transforms.contracts import CONTRACTS
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.lake.database import literal
from transforms.lake.lease import turn
from transforms.lake.tables import Lake, day

WEEKLY_CYCLE = "weekly_cycle"
"""Job of the weekly cycle."""
_BY_COMMAND = {WEEKLY_CYCLE, "conditioning", "reference_data", "accuracy_board"}
"""Jobs that `shelfcast run` runs; others are started in Dagster."""


def command_again(job: str, last_week: date | None) -> str | None:
    """The command that does again what a run of a job failed to do; None where no command does."""
    if job not in _BY_COMMAND:
        return None
    return f"shelfcast run --week {last_week}" if job == WEEKLY_CYCLE and last_week else "shelfcast run"


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """One row of `gold/pipeline_steps`; `uncounted` names tables among its assets whose rows the run did not tell."""

    run_id: str
    step: str
    job: str
    assets: str | None
    regions: str | None
    first_week: date | None
    last_week: date | None
    started_at: datetime | None
    ended_at: datetime
    seconds: float | None
    rows: int | None
    state: Literal["succeeded", "failed", "skipped"]
    error: str | None
    started_by: str
    uncounted: tuple[str, ...] = ()


def record(lake: Lake, steps: Sequence[PipelineStep], before: Callable[[Collection[str]], None] | None = None) -> int:
    """Put steps on record, except those of runs that stand there already, and return how many were added.

    Whoever executes a run and whoever looks for finished ones may record it at the same time: they follow each other.

    Parameters
    ----------
    before
        Told which runs are about to be put on record: what it does is done for each run once, and done again only where a kill came in between.
    """
    if not steps:
        return 0
    with turn(lake, "pipeline_steps"):
        known = recorded(lake, {step.run_id for step in steps})
        rows = [_row(_counted(lake, step)) for step in steps if step.run_id not in known]
        if rows and before is not None:
            before({step.run_id for step in steps} - known)
        if rows:
            lake.append(PIPELINE_STEPS.name, pa.Table.from_pylist(rows, schema=PIPELINE_STEPS.schema))
    return len(rows)


def recorded(lake: Lake, run_ids: Collection[str]) -> set[str]:
    """Those of the runs that are on record."""
    if not run_ids or not lake.exists(PIPELINE_STEPS.name):
        return set()
    wanted = ", ".join(map(literal, sorted(run_ids)))
    return set(lake.read(PIPELINE_STEPS.name, where=f"run_id in ({wanted})", columns="distinct run_id")["run_id"].to_pylist())


def _row(step: PipelineStep) -> dict[str, object]:
    values = asdict(step)
    return {name: values[name] for name in PIPELINE_STEPS.names}


def _counted(lake: Lake, step: PipelineStep) -> PipelineStep:
    """The step with the rows of the tables that its run did not tell of, as those that dbt builds."""
    if not step.uncounted or step.state != "succeeded":
        return step
    return replace(step, rows=(step.rows or 0) + rows_of(lake, step, step.uncounted))


def rows_of(lake: Lake, step: PipelineStep, tables: Iterable[str]) -> int:
    """Rows that tables hold in the regions and weeks of a step."""
    counts = [f"select count(*) as n from {table.replace('/', '_')} where {_within(step, table)}" for table in tables]
    with lake.connect(*tables) as connection:
        [(rows,)] = connection.execute(f"select sum(n)::bigint from ({' union all '.join(counts)})").fetchall()
    return int(rows)


def _within(step: PipelineStep, table: str) -> str:
    contract = CONTRACTS[table]
    if not contract.sliced or step.first_week is None or step.last_week is None or step.regions is None:
        return "true"
    regions = ", ".join(map(literal, step.regions.split(",")))
    return f"region in ({regions}) and {contract.week_column} between {day(Week(step.first_week))} and {day(Week(step.last_week))}"
