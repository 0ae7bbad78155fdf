"""When the pooled models are trained, and how: every region gives a sample in its own task, ensembles learn from all of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.training.code_version import code_version
from models.training.pooled import sample_region, train_pooled
from models.training.spec import TrainingSpec
from orchestration.lifecycle.retraining import Decision
from orchestration.lifecycle.serving import panel_at
from orchestration.lifecycle.train_region import stored
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import usable
from transforms.records.model_registry import POOLED, ModelVersion, latest_trained
from transforms.rows import Segment


def train_pooled_models(
    lake: Lake, project: Project, regions: Sequence[Region], week: Week, run_id: str, on_demand: bool
) -> tuple[list[Decision], list[ModelVersion]]:
    """Train the pooled models where they are due; return what was decided, and the versions trained."""
    latest = {(row["format"], row["mover"]): row for row in latest_trained(lake, POOLED, week)}
    cause, reason = _why(project, list(latest.values()), regions, week, on_demand)
    if cause == "none":
        kept = [Decision(*segment, False, cause, reason, row["model_version"]) for segment, row in latest.items()]
        return kept, []
    spec = TrainingSpec(**project.training)
    task = SampleTask(lake.root, lake.storage_options, project, week, -(-project.pooled.rows // len(regions)))
    # In the order of their names, so that the same samples give the same bytes.
    given = sorted(map_regions(task, regions, settings().workers), key=lambda item: item[0])
    about = {
        "region": str(POOLED),
        "trained_week": str(week),
        "dataset_version": None,
        "data_versions": {},
        "code_version": code_version(spec),
        "spec": asdict(spec),
        "samples": {str(region): version for region, (version, _) in given},
    }
    inputs = json.dumps({"samples": about["samples"]}, sort_keys=True)
    versions = [stored(lake, trained, about, run_id, inputs) for trained in train_pooled([sample for _, (_, sample) in given], spec)]
    return [Decision(version.format, version.mover, True, cause, reason, None) for version in versions], versions


@dataclass(frozen=True)
class SampleTask:
    """Draw one region's share of the rows."""

    root: str
    storage_options: Mapping[str, str]
    project: Project
    week: Week
    rows: int

    def __call__(self, region: Region) -> tuple[str, Mapping[Segment, Any]]:
        """Return the version of the data, and the rows of each segment."""
        lake = Lake(self.root, dict(self.storage_options))
        dataset = usable(lake, region, self.week, self.project.history)
        panel = panel_at(lake.at(dataset.delta_versions), region, self.week)
        return dataset.version, sample_region(panel, TrainingSpec(**self.project.training), self.rows)


def _why(project: Project, latest: Sequence[Mapping[str, Any]], regions: Sequence[Region], week: Week, on_demand: bool) -> tuple[str, str]:
    """(cause, reason); a run that leaves out regions that have given samples keeps the models that there are."""
    if not project.pooled.rows:
        return "none", "the project file asks for no pooled models"
    if not latest:
        return ("first", "no pooled models yet") if len(regions) > 1 else ("none", "one region alone pools nothing")
    names, given = {str(region) for region in regions}, set(json.loads(latest[0]["inputs"])["samples"])
    if not names >= given:
        return "none", f"this run is for {len(names)} of {len(names | given)} regions"
    if on_demand:
        return "on demand", "asked for"
    return next(_causes(project, latest[0], sorted(names - given), week), ("none", f"due every {project.pooled.every_weeks} weeks"))


def _causes(project: Project, row: Mapping[str, Any], joined: Sequence[str], week: Week) -> Iterator[tuple[str, str]]:
    if row["code_version"] != (code := code_version(TrainingSpec(**project.training))):
        yield "code", f"training code or settings {row['code_version']} became {code}"
    if joined:
        yield "new data", f"joined by {', '.join(joined)}"
    age = week - Week(row["trained_week"])
    if age >= project.pooled.every_weeks:
        yield "new data", f"{age} new weeks"
