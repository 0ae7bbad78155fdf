"""A new version of a region's data on its way into production: data checks, training check, scoring check; then approved, or left to a person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from models.evaluation.gate import Gate
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import train_region
from orchestration.lifecycle.serving import champions_serving, panel_at, steps_at
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Week
from transforms.contracts.bronze import LANDING_FILES, QUARANTINE
from transforms.lake.database import open_database
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.records.data_checks import Check, Limits
from transforms.records.dataset_versions import Dataset, decide, last_approved, latest_versions, log, record


@dataclass(frozen=True, slots=True)
class Moves:
    """Differences of forecasts between two versions of the data, at one origin and with the same champions.

    Attributes
    ----------
    share
        Sum of absolute changes of the expected demand over its sum before.
    moved
        Forecasts that change by more than 10 % and half a unit.
    largest
        The forecasts that move most: store, product, target week, before, after.
    """

    origin: Week
    forecasts: int
    moved: int
    share: float
    largest: list[dict[str, Any]]


def review(lake: Lake, project: Project, regions: Sequence[Region], run_id: str, tell: Callable[[str], None]) -> list[Dataset]:
    """Record and check the present data of `regions`, approve what passes all checks; return the latest version of each region.

    Parameters
    ----------
    tell
        Told whom this waits for, where somebody else decides at the moment: what they have decided is not decided again.
    """
    with lease(lake, "decisions", f"data versions, {run_id}", tell):
        return _review(lake, project, regions, run_id)


def _review(lake: Lake, project: Project, regions: Sequence[Region], run_id: str) -> list[Dataset]:
    limits = Limits(**project.data.model_dump(include=set(Limits.__dataclass_fields__)))
    record(lake, regions, limits, run_id, datetime.now(UTC))
    known = log(lake, regions)
    undecided = {region: dataset for region, dataset in {dataset.region: dataset for dataset in known}.items() if not dataset.actor}
    approved = {region: last_approved(known, region, dataset.recorded_at) for region, dataset in undecided.items()}
    task = _CheckTask(lake.root, lake.storage_options, project, undecided, approved)
    # A worker loads the learning libraries, for longer than conditioning a week takes: none is started where there is nothing to score or train.
    computed = [region for region in undecided if task.computes(region)]
    outcomes = {region: task(region) for region in undecided if region not in computed}
    outcomes |= dict(map_regions(task, computed, settings().workers))
    for region, dataset in undecided.items():
        failed = [*dataset.failed, *(check for check in outcomes[region] if not check.passed)]
        names = ", ".join(check.name for check in [*dataset.checks, *outcomes[region]])
        reason = "; ".join(map(str, failed)) or f"passed: {names}"
        decide(lake, dataset, "awaiting approval" if failed else "approved", f"checks, run {run_id}", reason, datetime.now(UTC))
    return latest_versions(lake, regions)


def quarantined(lake: Lake) -> list[tuple[Any, ...]]:
    """Source, file, rule, rows and first message of what stands in quarantine, most rows first: one row of it says what there is to correct."""
    with lake.connect(QUARANTINE.name, LANDING_FILES.name) as connection:
        return connection.execute(
            "select source, source_file, rule, count(*), min(message) from bronze_quarantine group by all order by 4 desc limit 50"
        ).fetchall()


def forecast_moves(lake: Lake, region: Region, project: Project, before: Mapping[str, int], after: Mapping[str, int], origin: Week) -> Moves | None:
    """Score the champions of `origin` on both versions of the data; None where no ensemble serves there."""
    ensembles, baselines = champions_serving(lake, region, origin, Gate(**project.gate.judged))
    if not ensembles:
        return None
    panels = [panel_at(lake.at(pins), region, origin, project.sold_out) for pins in (before, after)]
    forecasts = [score_region(panel, project.horizons, ensembles, baselines, project.clusters)[0] for panel in panels]
    return _compare(origin, *forecasts)


def _compare(origin: Week, before: pa.Table, after: pa.Table) -> Moves:
    with open_database() as connection:
        connection.register("b", before)
        connection.register("a", after)
        connection.execute(
            """
            create temp table moves as
            select
                store_id, product_id, target_week, coalesce(b.expected, 0) as before, coalesce(a.expected, 0) as after,
                abs(after - before) as distance
            from b full join a using (store_id, product_id, target_week)
            """
        )
        [(n, moved, share)] = connection.execute(
            """
            select
                count(*), count(*) filter (where distance > 0.5 and distance > 0.1 * before), coalesce(sum(distance) / nullif(sum(before), 0), 0)
            from moves
            """
        ).fetchall()
        largest = connection.execute("select * exclude (distance) from moves where distance > 0 order by distance desc limit 10").to_arrow_table()
    return Moves(origin, n, moved, share, largest.to_pylist())


@dataclass(frozen=True)
class _CheckTask:
    """Training check and scoring check of one region's new version against the one that was approved last."""

    root: str
    storage_options: Mapping[str, str]
    project: Project
    versions: Mapping[Region, Dataset]
    approved: Mapping[Region, Dataset | None]

    def __call__(self, region: Region) -> list[Check]:
        dataset, approved = self.versions[region], self.approved[region]
        if approved is None:
            return []
        origin = min(approved.last_week, dataset.last_week)
        checks = [self._scoring(self._lake, region, approved, dataset, origin)]
        if self._is_rewritten(dataset):
            checks.append(self._training(self._lake, region, approved, dataset, origin))
        return checks

    def computes(self, region: Region) -> bool:
        """Whether there is a model to score with, or one to train."""
        dataset, approved = self.versions[region], self.approved[region]
        if approved is None:
            return False
        steps, _ = steps_at(self._lake, region, min(approved.last_week, dataset.last_week))
        return bool(steps) or self._is_rewritten(dataset)

    @property
    def _lake(self) -> Lake:
        return Lake(self.root, dict(self.storage_options))

    def _is_rewritten(self, dataset: Dataset) -> bool:
        rewritten = next((check.value for check in dataset.checks if check.name == "share rewritten"), 0.0)
        return rewritten > self.project.data.retrain_above

    def _scoring(self, lake: Lake, region: Region, approved: Dataset, dataset: Dataset, origin: Week) -> Check:
        limit = self.project.data.max_forecast_move
        moves = forecast_moves(lake, region, self.project, approved.delta_versions, dataset.delta_versions, origin)
        if moves is None:
            return Check("forecast move", True, 0.0, limit, f"no champion at {origin} to score with")
        detail = f"{moves.moved} of {moves.forecasts} forecasts at {origin} move by more than 10 %"
        return Check("forecast move", moves.share <= limit, moves.share, limit, detail)

    def _training(self, lake: Lake, region: Region, approved: Dataset, dataset: Dataset, origin: Week) -> Check:
        """Train the linear members on both versions: the new one may not make the held-back error much worse."""
        errors = [self._held_back(lake.at(pins), region, origin) for pins in (approved.delta_versions, dataset.delta_versions)]
        limit = self.project.data.max_training_loss
        if errors[0] is None or errors[1] is None:
            return Check("training loss", errors[0] is None, 0.0, limit, f"held-back MAPE at {origin}: {errors[0]} before, {errors[1]} now")
        ratio = errors[1] / errors[0]
        return Check("training loss", ratio <= limit, ratio, limit, f"held-back MAPE at {origin}: {errors[0]:.3f} before, {errors[1]:.3f} now")

    def _held_back(self, lake: Lake, region: Region, origin: Week) -> float | None:
        spec = TrainingSpec(**{**self.project.training, "members": ("lasso",)})
        found = [trained.metrics for trained in train_region(panel_at(lake, region, origin), spec) if trained.mover != "all"]
        known = [mape for metrics in found if (mape := metrics.get("mape")) is not None]
        return sum(known) / len(known) if known else None
