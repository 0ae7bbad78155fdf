"""What one worker does for one region: load its panel, train or score its weeks. Knows nothing of Dagster; results travel between processes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.provenance import environment, source_commit
from transforms.calendar import Region, SliceBlock, Week
from transforms.clusters import Clusters
from transforms.contracts.gold import WEATHER_VALUE
from transforms.datasets import Dataset, History, approved_before, usable
from transforms.errors import DataNotApproved, MissingData
from transforms.lake import Lake, block_predicate
from transforms.landing import last_week
from transforms.registry import ModelVersion, champions
from transforms.scoreboard import by_segment_of


@dataclass(frozen=True)
class TrainTask:
    """Train one region at each of `weeks`, each on the approved data that the origin may use."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    spec: Mapping[str, Any]
    run_id: str
    history: History

    def __call__(self, region: Region) -> list[ModelVersion]:
        """Return the versions trained; their artifacts lie below `models/` already."""
        from models.artifacts import save  # noqa: PLC0415 - heavy: only workers pay
        from models.code_version import code_version  # noqa: PLC0415
        from models.training import TrainingSpec, train_region  # noqa: PLC0415

        lake = Lake(self.root, dict(self.storage_options))
        spec = TrainingSpec(**self.spec)
        versions = []
        for week, dataset, panel in _panels(lake, region, self.weeks, self.history):
            for trained in train_region(panel, spec):
                segment = {"region": str(region), "format": trained.format, "mover": trained.mover, "trained_week": str(week)}
                about = {
                    **segment,
                    "dataset_version": dataset.version,
                    "data_versions": dataset.delta_versions,
                    "code_version": code_version(spec),
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
                        code_version=code_version(spec),
                        dataset_version=dataset.version,
                        data_versions=json.dumps(dataset.delta_versions, sort_keys=True),
                        metrics=json.dumps(trained.metrics, sort_keys=True),
                        artifact_uri=f"models/{region}/{name}",
                        sha256=sha256,
                        source_commit=source_commit(),
                        environment=json.dumps(environment(), sort_keys=True),
                    )
                )
        return versions


@dataclass(frozen=True)
class ScoreTask:
    """Forecast one region at each of `weeks`, with the models that were champions then and the approved data that the origin may use."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    horizons: int
    history: History
    clusters: Clusters | None

    def __call__(self, region: Region) -> tuple[pa.Table, pa.Table]:
        """Return rows of gold/forecasts and gold/order_plan."""
        from models.scoring import score_region  # noqa: PLC0415

        lake = Lake(self.root, dict(self.storage_options))
        forecasts, plans = [], []
        for week, dataset, panel in _panels(lake, region, self.weeks, self.history):
            made, plan = score_region(panel, self.horizons, *champions_serving(lake, region, week), self.clusters)
            column = made.schema.get_field_index("dataset_version")
            forecasts.append(made.set_column(column, made.schema.field(column), pa.repeat(dataset.version, made.num_rows)))
            plans.append(plan)
        return pa.concat_tables(forecasts), pa.concat_tables(plans)


@dataclass(frozen=True)
class WeatherTask:
    """Measure what accuracy owes to the weather, for one region at each of `weeks`."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    spec: Mapping[str, Any]

    def __call__(self, region: Region) -> pa.Table:
        """Return rows of gold/weather_value."""
        from models.training import TrainingSpec  # noqa: PLC0415
        from models.weather_value import observed_weather, weather_value  # noqa: PLC0415
        from transforms.panel import Panel  # noqa: PLC0415

        lake, spec = Lake(self.root, dict(self.storage_options)), TrainingSpec(**self.spec)
        approved = approved_before(lake, region)
        if approved is None:
            raise DataNotApproved(f"{region} has no approved data: see 'shelfcast data log --region {region}'.")
        lake = lake.at(approved.delta_versions)
        last = min(max(self.weeks) + spec.horizons, _last_landed(lake, max(self.weeks)))
        panel = Panel.load(lake, region, last)
        observed = observed_weather(panel, lake.read("silver/weather", where=f"region = '{region}'"))
        tables = [WEATHER_VALUE.schema.empty_table()]
        for week in self.weeks:
            targets = SliceBlock((region,), week + 1, min(week + spec.horizons, last))
            demand = lake.read("gold/demand", where=block_predicate("week", targets))
            for kind, scored in weather_value(panel, observed, demand, week, spec).items():
                inside = scored.filter(pc.less_equal(scored["week"], pa.scalar(targets.last.monday)))
                tables.append(by_segment_of(inside, {"week": week.monday, "weather": kind}, WEATHER_VALUE))
        return pa.concat_tables(tables)


def _last_landed(lake: Lake, origin: Week) -> Week:
    landed = last_week(lake)
    if landed is None or landed <= origin:
        raise MissingData(f"No week after {origin} has landed: forecasts made there cannot be scored yet. Choose an earlier week.")
    return landed


def champions_serving(lake: Lake, region: Region, week: Week) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """The region's champions at an origin: the ensembles by format and mover, the historical averages by format."""
    serving = {(row["format"], row["mover"]): _serving(lake, row) for row in champions(lake, [region], week)}
    ensembles = {segment: model for segment, model in serving.items() if segment[1] != "all"}
    return ensembles, {segment[0]: model for segment, model in serving.items() if segment[1] == "all"}


def _panels(lake: Lake, region: Region, weeks: Sequence[Week], history: History) -> Iterator[tuple[Week, Dataset, Any]]:
    """Each origin with its dataset version and panel; what several origins share is read once."""
    from transforms.panel import Panel  # noqa: PLC0415

    datasets = [(week, usable(lake, region, week, history)) for week in sorted(weeks)]
    for _, group in groupby(datasets, key=lambda item: (item[1].version, item[1].recorded_at)):
        shared = list(group)
        panel = Panel.load(lake.at(shared[0][1].delta_versions), region, shared[-1][0])
        for week, dataset in shared:
            yield week, dataset, panel.until(week)


def _serving(lake: Lake, row: Mapping[str, Any]) -> Any:
    from models.artifacts import load  # noqa: PLC0415
    from models.scoring import Serving  # noqa: PLC0415

    path = Path(lake.path(row["artifact_uri"]))
    return Serving(load(path, row["sha256"]), row["model_version"], row["trained_week"])
