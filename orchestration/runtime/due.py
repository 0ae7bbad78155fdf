"""What automation has to do next, read from the lake alone: regions whose newest week is complete and not forecast, and models with a cause to train.

Nothing that was done is asked for again, so a tick that is lost, or a run that failed, loses nothing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.lifecycle.retraining import plan_region
from orchestration.project import Project
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.bronze import CONDITIONED_SLICES
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, FORECASTS
from transforms.contracts.life_cycle import DATASET_EVENTS, DATASET_VERSIONS, MODEL_VERSIONS, RETRAINING
from transforms.errors import DataNotApproved, MissingData
from transforms.lake.tables import Lake, day
from transforms.landing import complete_weeks, regions
from transforms.monitoring.serving import newest_origins
from transforms.records.dataset_versions import Dataset, usable

_READ = (CONDITIONED_SLICES, DATASET_VERSIONS, DATASET_EVENTS, FORECASTS, MODEL_VERSIONS, RETRAINING, DRIFT, ACCURACY)


@dataclass(frozen=True, slots=True)
class Due:
    """Regions to do something for at a week as origin, and why."""

    block: SliceBlock
    why: str


def state(lake: Lake, project: Project) -> str:
    """Hash of all that is looked at here: while it stays, nothing else becomes due."""
    seen = [
        *(f"{table.name} {lake.version(table.name)}" for table in _READ),
        project.model_dump_json(),
        code_version(TrainingSpec(**project.training)),
    ]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def due_forecasts(lake: Lake, project: Project) -> Iterator[Due]:
    """Forecasts of regions whose newest weeks are complete and approved, one week after the other: the first of each region.

    A region that has been forecast before is forecast from each week since, as long as one of the target weeks had still to come; one that
    joins, from its newest week.
    """
    origins, by_week = _last_origins(lake), defaultdict(list)
    for region, complete in sorted(complete_weeks(lake).items()):
        last = origins.get(region)
        newest = max(complete)
        missing = [week for week in complete if last is not None and last < week and newest - week < project.horizons] or [newest]
        to_come = (week for week in missing if (last is None or week > last) and _usable(lake, project, region, week))
        if (first := next(to_come, None)) is not None:
            by_week[first, last is None].append(region)
    for (week, joins), together in sorted(by_week.items()):
        yield Due(
            SliceBlock(tuple(together), week, week),
            f"new region{'s' * (len(together) > 1)}, first forecast from {week}" if joins else f"{week} is complete",
        )


def due_training(lake: Lake, project: Project) -> Iterator[Due]:
    """Training that something speaks for in regions that have been forecast from their newest week: code, settings, data, accuracy, drift or age."""
    origins, found = _last_origins(lake), defaultdict(list)
    for region, complete in sorted(complete_weeks(lake).items()):
        week = origins.get(region)
        if week is None or week < max(complete) or (dataset := _usable(lake, project, region, week)) is None:
            continue
        decisions = plan_region(lake, project, region, week, dataset, on_demand=False)
        # A segment without rows enough has never had a model, and gets none by being asked for again.
        wanted = sorted({f"{decision.cause}: {decision.reason}" for decision in decisions if decision.retrained and decision.cause != "first"})
        if wanted:
            found[week, "; ".join(wanted)].append(region)
    for (week, why), together in sorted(found.items()):
        yield Due(SliceBlock(tuple(together), week, week), why)


def outdated(lake: Lake, project: Project, week: Week) -> list[Region]:
    """Regions that have not been forecast from `week`, or from other data than are to be used for it now; data that wait for approval are none."""
    with lake.connect(FORECASTS.name) as connection:
        rows = connection.execute(
            f"select region, any_value(dataset_version) from gold_forecasts where origin_week = {day(week)} group by region"
        ).fetchall()
    made_from = {Region(region): version for region, version in rows}

    def other(region: Region) -> bool:
        dataset = _usable(lake, project, region, week)
        return dataset is not None and dataset.version != made_from[region]

    return [region for region in regions(lake) if region not in made_from or other(region)]


def _last_origins(lake: Lake) -> dict[Region, Week]:
    """The last week that each region was forecast from."""
    return {Region(region): Week(week) for region, week in newest_origins(lake).items()}


def _usable(lake: Lake, project: Project, region: Region, week: Week) -> Dataset | None:
    """The version of its data that a region is to use at a week; None where that waits for approval, or the week is in none."""
    try:
        return usable(lake, region, week, project.history)
    except (DataNotApproved, MissingData):
        return None
