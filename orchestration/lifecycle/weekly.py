"""The weekly cycle of a fleet's models: train week after week what needs it, then roll back, validate and rank what stands.

The order of the steps and what is written between them stand here; each step has a module of its own. A run gives its id and its log.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from orchestration.lifecycle.data_approval import review
from orchestration.lifecycle.ladder import rank_steps
from orchestration.lifecycle.pooled import train_pooled_models
from orchestration.lifecycle.promotion import validate
from orchestration.lifecycle.retraining import Decision
from orchestration.lifecycle.rollback import after_failing
from orchestration.lifecycle.train_region import TrainTask
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.contracts.life_cycle import RETRAINING
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.records.model_registry import POOLED, ModelEvent, ModelVersion, decide, register


@dataclass(frozen=True, slots=True)
class Training:
    """Versions that a run trained, and what was decided of each slice's segments, the pooled models' too."""

    versions: list[ModelVersion] = field(default_factory=list)
    decisions: list[tuple[Slice, Decision]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Validation:
    """Decisions on models that a run made, and the rows of `gold/ladder` that hold from its weeks on."""

    events: list[ModelEvent] = field(default_factory=list)
    ladder: list[dict[str, Any]] = field(default_factory=list)


def train_weeks(lake: Lake, project: Project, slices: Sequence[Slice], run_id: str, on_demand: bool, log: Callable[[str], None]) -> Training:
    """Train what needs it, week after week, and put on record what was trained, what was kept, and why."""
    review(lake, project, sorted({item.region for item in slices}), run_id, log)
    done = Training()
    for week, regions in by_week(slices):
        trained = train_week(lake, project, regions, week, run_id, on_demand, log)
        with lease(lake, "decisions", f"registration, run {run_id}", log):
            _register(lake, trained, f"run {run_id}", again=on_demand)
            lake.replace(RETRAINING.name, SliceBlock((*regions, POOLED), week, week), _rows(trained.decisions))
        done.versions.extend(trained.versions)
        done.decisions.extend(trained.decisions)
    return done


def train_week(
    lake: Lake, project: Project, regions: Sequence[Region], week: Week, run_id: str, on_demand: bool, log: Callable[[str], None]
) -> Training:
    """Train the regions' own models at an origin, then the pooled ones; nothing is registered."""
    trained = Training()
    task = TrainTask(lake.root, lake.storage_options, week, project, run_id, on_demand)
    for region, (decisions, versions) in map_regions(task, regions, settings().workers):
        log(f"{region} {week}: {len(versions)} models trained")
        trained.decisions.extend((Slice(region, week), decision) for decision in decisions)
        trained.versions.extend(versions)
    decisions, versions = train_pooled_models(lake, project, regions, week, run_id, on_demand)
    trained.decisions.extend((Slice(POOLED, week), decision) for decision in decisions)
    trained.versions.extend(versions)
    return trained


def judge_weeks(lake: Lake, project: Project, slices: Sequence[Slice], run_id: str, log: Callable[[str], None]) -> Validation:
    """Roll back what failed in production, judge each model that was trained at the slices' weeks, record what was decided, and order the ladder."""
    done = Validation()
    for week, regions in by_week(slices):
        # What another run has judged by the time the lease is ours no longer waits, and is not judged again.
        with lease(lake, "decisions", f"validation, run {run_id}", log):
            rolled_back = after_failing(lake, project, regions, week, f"live accuracy, run {run_id}")
            decide(lake, rolled_back)
            judged = validate(lake, project, regions, week, f"gate, run {run_id}")
            decide(lake, judged)
        done.events.extend([*rolled_back, *judged])
        done.ladder.extend(rank_steps(lake, project, regions, week).to_pylist())
    return done


def by_week(slices: Sequence[Slice]) -> list[tuple[Week, list[Region]]]:
    """The regions of each week, in the order of time: what is decided at a week builds on the weeks before it."""
    weeks = sorted({item.week for item in slices})
    return [(week, [item.region for item in slices if item.week == week]) for week in weeks]


def _register(lake: Lake, trained: Training, actor: str, again: bool) -> None:
    why = {(str(item.region), *decision.segment): f"{decision.cause}, {decision.reason}" for item, decision in trained.decisions}
    reasons = {version.model_version: why[version.region, version.format, version.mover] for version in trained.versions}
    register(lake, trained.versions, datetime.now(UTC), actor, reasons, again)


def _rows(decided: Sequence[tuple[Slice, Decision]]) -> pa.Table:
    rows = [{"region": str(item.region), "week": item.week.monday, **asdict(decision)} for item, decision in decided]
    return pa.Table.from_pylist(rows, schema=RETRAINING.schema)
