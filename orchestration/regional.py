"""What one worker does for one region: load its panel, train or score its weeks. Knows nothing of Dagster; results travel between processes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.lake import Lake
from transforms.registry import ModelVersion, champions

READ_TABLES = ("gold/demand", "silver/returns", "silver/stores", "silver/products", "silver/event_weeks", "silver/weather_known")


@dataclass(frozen=True)
class TrainTask:
    """Train one region at each of `weeks`."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    spec: Mapping[str, Any]
    run_id: str

    def __call__(self, region: Region) -> list[ModelVersion]:
        """Return the versions trained; their artifacts lie below `models/` already."""
        from models.artifacts import save  # noqa: PLC0415 - heavy: only workers pay
        from models.code_version import code_version  # noqa: PLC0415
        from models.training import TrainingSpec, train_region  # noqa: PLC0415
        from transforms.panel import Panel  # noqa: PLC0415

        lake = Lake(self.root, dict(self.storage_options))
        spec = TrainingSpec(**self.spec)
        data_versions = lake.versions(READ_TABLES)
        panel = Panel.load(lake, region, max(self.weeks))
        versions = []
        for week in self.weeks:
            for trained in train_region(panel.until(week), spec):
                segment = {"region": str(region), "format": trained.format, "mover": trained.mover, "trained_week": str(week)}
                about = {
                    **segment,
                    "data_versions": data_versions,
                    "code_version": code_version(),
                    "spec": asdict(spec),
                    "metrics": trained.metrics,
                }
                name, sha256 = save(trained.model, about, lake.path("models", str(region)))
                versions.append(
                    ModelVersion(
                        region=str(region),
                        format=trained.format,
                        mover=trained.mover,
                        model_version=f"{region}-{trained.format}-{trained.mover}-{week}-{sha256[:8]}",
                        kind="baseline" if trained.mover == "all" else "ensemble",
                        trained_week=week.monday,
                        trained_at=datetime.now(UTC),
                        run_id=self.run_id,
                        code_version=code_version(),
                        data_versions=json.dumps(data_versions, sort_keys=True),
                        metrics=json.dumps(trained.metrics, sort_keys=True),
                        artifact_uri=f"models/{region}/{name}",
                        sha256=sha256,
                    )
                )
        return versions


@dataclass(frozen=True)
class ScoreTask:
    """Forecast one region at each of `weeks`, with the models that were champions then."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    horizons: int

    def __call__(self, region: Region) -> tuple[pa.Table, pa.Table]:
        """Return rows of gold/forecasts and gold/order_plan."""
        from models.scoring import score_region  # noqa: PLC0415
        from transforms.panel import Panel  # noqa: PLC0415

        lake = Lake(self.root, dict(self.storage_options))
        panel = Panel.load(lake, region, max(self.weeks))
        tables = []
        for week in self.weeks:
            serving = {(row["format"], row["mover"]): _serving(lake, row) for row in champions(lake, [region], week)}
            ensembles = {segment: model for segment, model in serving.items() if segment[1] != "all"}
            baselines = {segment[0]: model for segment, model in serving.items() if segment[1] == "all"}
            tables.append(score_region(panel.until(week), self.horizons, ensembles, baselines))
        return pa.concat_tables([forecasts for forecasts, _ in tables]), pa.concat_tables([plan for _, plan in tables])


def _serving(lake: Lake, row: Mapping[str, Any]) -> Any:
    from models.artifacts import load  # noqa: PLC0415
    from models.scoring import Serving  # noqa: PLC0415

    path = Path(lake.path(row["artifact_uri"]))
    return Serving(load(path, row["sha256"]), row["model_version"], row["trained_week"])
