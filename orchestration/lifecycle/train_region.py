"""Training of one region at an origin, in a worker: what needs it, on approved data, stored as artifacts with what is to be recorded of them.

Why something needs training is a question for `retraining`, what is learned from all regions together for `pooled`; nothing is registered here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from models.ensemble.artifacts import save
from models.ensemble.ensemble import Ensemble
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_region
from orchestration.lifecycle.retraining import Decision, Inputs, plan_region
from orchestration.lifecycle.serving import panel_at
from orchestration.project import Project
from orchestration.provenance import environment, source_commit
from transforms.calendar import Region, Week
from transforms.lake.remote.working_copy import push
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import Dataset, usable
from transforms.records.model_registry import ModelVersion
from transforms.rows import Segment


@dataclass(frozen=True)
class TrainTask:
    """Train what a region needs at `week`, on the approved data that the origin may use."""

    root: str
    storage_options: Mapping[str, str]
    week: Week
    project: Project
    run_id: str
    on_demand: bool = False

    def __call__(self, region: Region) -> tuple[list[Decision], list[ModelVersion]]:
        """Return what was decided and the versions trained; their artifacts lie below `models/` already."""
        lake = Lake(self.root, dict(self.storage_options))
        dataset = usable(lake, region, self.week, self.project.history)
        decisions = plan_region(lake, self.project, region, self.week, dataset, self.on_demand)
        wanted = {decision.segment for decision in decisions if decision.retrained}
        versions = list(self._train(lake, region, dataset, wanted)) if wanted else []
        fitted = {(version.format, version.mover) for version in versions}
        return [decision if decision.segment in fitted or not decision.retrained else _too_little(decision) for decision in decisions], versions

    def _train(self, lake: Lake, region: Region, dataset: Dataset, wanted: set[Segment]) -> Iterator[ModelVersion]:
        spec, pinned = TrainingSpec(**self.project.training), lake.at(dataset.delta_versions)
        inputs = Inputs.of(pinned, region, self.week, spec).dumps()
        about = {
            "region": str(region),
            "trained_week": str(self.week),
            "dataset_version": dataset.version,
            "data_versions": dataset.delta_versions,
            "code_version": code_version(spec),
            "spec": asdict(spec),
        }
        for trained in train_region(panel_at(pinned, region, self.week), spec, wanted):
            yield stored(lake, trained, about, self.run_id, inputs)


def stored(lake: Lake, trained: Trained, about: Mapping[str, Any], run_id: str, inputs: str | None) -> ModelVersion:
    """Save a trained model, and the one to compare it by, and return what is to be recorded."""
    region, week = about["region"], about["trained_week"]
    metadata = {**about, "format": trained.format, "mover": trained.mover, "metrics": trained.metrics}
    name, sha256 = save(trained.model, metadata, lake.path("models", region))
    earlier: tuple[str, str] | None = None
    if isinstance(trained.model, Ensemble) and trained.model.held_back is not None:
        earlier = save(trained.model.held_back, {**metadata, "held_back": True}, lake.path("models", region))
    push(lake, *(lake.path("models", region, saved[0]) for saved in ((name, sha256), earlier) if saved))
    return ModelVersion(
        region=region,
        format=trained.format,
        mover=trained.mover,
        model_version=f"{region}-{trained.format}-{trained.mover}-{week}-{sha256[:8]}",
        kind="baseline" if trained.mover == "all" else "ensemble",
        trained_week=Week.parse(week).monday,
        trained_at=datetime.now(UTC),
        run_id=run_id,
        code_version=about["code_version"],
        dataset_version=about["dataset_version"],
        data_versions=json.dumps(about["data_versions"], sort_keys=True),
        metrics=json.dumps(trained.metrics, sort_keys=True),
        artifact_uri=f"models/{region}/{name}",
        sha256=sha256,
        held_back_uri=f"models/{region}/{earlier[0]}" if earlier else None,
        held_back_sha256=earlier[1] if earlier else None,
        inputs=inputs,
        source_commit=source_commit(),
        environment=json.dumps(environment(), sort_keys=True),
    )


def _too_little(decision: Decision) -> Decision:
    return replace(decision, retrained=False, cause="none", reason="too little history for a model of its own")
