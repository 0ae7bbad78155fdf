"""What one worker does for one region: load its panel, train or score its weeks. Knows nothing of Dagster; results travel between processes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.lifecycle.ladder import order_at, steps_at
from orchestration.lifecycle.retraining import Decision, Inputs, Segment, plan_region
from orchestration.project import Project
from orchestration.provenance import environment, source_commit
from transforms.calendar import Region, SliceBlock, Week
from transforms.clusters import Clusters
from transforms.contracts.gold import WEATHER_VALUE
from transforms.errors import DataNotApproved, MissingData
from transforms.lake.tables import Lake, block_predicate
from transforms.landing import last_week
from transforms.monitoring.accuracy import by_segment_of
from transforms.panel.panel import SoldOutWeeks
from transforms.records.dataset_versions import Dataset, History, approved_before, usable
from transforms.records.model_registry import ModelVersion


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
        made = {(version.format, version.mover) for version in versions}
        return [decision if decision.segment in made or not decision.retrained else _too_little(decision) for decision in decisions], versions

    def _train(self, lake: Lake, region: Region, dataset: Dataset, wanted: set[Segment]) -> Iterator[ModelVersion]:
        from models.training.code_version import code_version  # noqa: PLC0415
        from models.training.train import TrainingSpec, train_region  # noqa: PLC0415 - heavy: only workers pay

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


def stored(lake: Lake, trained: Any, about: Mapping[str, Any], run_id: str, inputs: str | None) -> ModelVersion:
    """Save a trained model, and the one to compare it by, and return what is to be recorded."""
    from models.ensemble.artifacts import save  # noqa: PLC0415
    from models.ensemble.ensemble import Ensemble  # noqa: PLC0415

    region, week = about["region"], about["trained_week"]
    told = {**about, "format": trained.format, "mover": trained.mover, "metrics": trained.metrics}
    name, sha256 = save(trained.model, told, lake.path("models", region))
    earlier: tuple[str, str] | None = None
    if isinstance(trained.model, Ensemble) and trained.model.held_back is not None:
        earlier = save(trained.model.held_back, {**told, "held_back": True}, lake.path("models", region))
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


@dataclass(frozen=True)
class ScoreTask:
    """Forecast one region at each of `weeks`, with the models that were champions then and the approved data that the origin may use."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    horizons: int
    history: History
    clusters: Clusters | None
    sold_out: SoldOutWeeks
    seconds: float
    gate: Mapping[str, Any]

    def __call__(self, region: Region) -> tuple[pa.Table, pa.Table, pa.Table]:
        """Return rows of gold/forecasts, gold/order_plan and gold/ab_forecasts."""
        from models.evaluation.gate import Gate  # noqa: PLC0415
        from models.serving.score import score_region  # noqa: PLC0415
        from orchestration.lifecycle.challenger import with_tests  # noqa: PLC0415

        lake, gate = Lake(self.root, dict(self.storage_options)), Gate(**self.gate)
        forecasts, plans, tested = [], [], []
        for week, dataset, panel in _panels(lake, region, self.weeks, self.history, self.sold_out):
            ladders, averages = champions_serving(lake, region, week, gate)
            score = partial(score_region, panel, self.horizons, clusters=self.clusters, seconds=self.seconds)
            made, plan, arms = with_tests(lake, region, week, score, ladders, averages, gate, *score(ladders, averages))
            column = made.schema.get_field_index("dataset_version")
            forecasts.append(made.set_column(column, made.schema.field(column), pa.repeat(dataset.version, made.num_rows)))
            plans.append(plan)
            tested.append(arms)
        return pa.concat_tables(forecasts), pa.concat_tables(plans), pa.concat_tables(tested)


@dataclass(frozen=True)
class WeatherTask:
    """Measure what accuracy owes to the weather, for one region at each of `weeks`."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    spec: Mapping[str, Any]

    def __call__(self, region: Region) -> pa.Table:
        """Return rows of gold/weather_value."""
        from models.training.train import TrainingSpec  # noqa: PLC0415
        from models.training.weather_value import observed_weather, weather_value  # noqa: PLC0415
        from transforms.panel.panel import Panel  # noqa: PLC0415

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


def champions_serving(lake: Lake, region: Region, week: Week, gate: Any) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """What serves the region at an origin: by format and mover the ladder's uppermost step, and the historical averages by format.

    Steps are in the order of `gold/ladder`. Where it has not scored the one that comes first by itself (a champion that a person has approved since),
    that one serves: champion, previous champion, pooled model, historical average. Nothing is loaded before it is needed.
    """
    from models.evaluation.gate import judge  # noqa: PLC0415 - heavy: only workers pay

    steps, known = steps_at(lake, region, week)
    order = order_at(lake, region, week)
    averages = {format_: _serving(lake, row, "baseline", "historical average") for format_, row in known.items()}
    ladders: dict[tuple[str, str], Any] = {}
    for segment, versions in steps.items():
        told, step = _told(order.get(segment, {}), versions), None
        below = [("baseline", known[segment[0]])] if segment[0] in known else []
        # From the lowest step up.
        for rung, row in sorted([*versions.items(), *below], key=lambda item: told[item[0]]["rank"] if item[0] in told else _UNSCORED, reverse=True):
            since = "historical average" if rung == "baseline" else f"{rung} since {row['since']}"
            reason = f"{since}: {told[rung]['reason']}" if rung in told else since
            significant = (
                told[rung]["is_significant"] if rung in told else None if rung == "baseline" else judge(json.loads(row["metrics"]), gate).passed
            )
            step = replace(_serving(lake, row, rung, reason), below=step, significant=significant)
        ladders[segment] = step
    return ladders, averages


_UNSCORED = 5


def _told(order: Mapping[str, Mapping[str, Any]], versions: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows of gold/ladder by rung, as far as they are about the steps that there are; none where they do not know the first of these."""
    told = {
        rung: row
        for rung, row in order.items()
        if rung == "baseline" or (rung in versions and versions[rung]["model_version"] == row["model_version"])
    }
    return told if next(iter(versions)) in told else {}


def panel_at(lake: Lake, region: Region, week: Week, sold_out: SoldOutWeeks = "as_shipped") -> Any:
    """A region's history as it was known at the end of `week`; features are made of it with sold-out weeks as the project says."""
    from transforms.panel.panel import Panel  # noqa: PLC0415

    return replace(Panel.load(lake, region, week).until(week), sold_out=sold_out)


def _panels(lake: Lake, region: Region, weeks: Sequence[Week], history: History, sold_out: SoldOutWeeks) -> Iterator[tuple[Week, Dataset, Any]]:
    """Each origin with its dataset version and panel; what several origins share is read once."""
    from transforms.panel.panel import Panel  # noqa: PLC0415

    datasets = [(week, usable(lake, region, week, history)) for week in sorted(weeks)]
    for _, group in groupby(datasets, key=lambda item: (item[1].version, item[1].recorded_at)):
        shared = list(group)
        panel = Panel.load(lake.at(shared[0][1].delta_versions), region, shared[-1][0])
        for week, dataset in shared:
            yield week, dataset, replace(panel.until(week), sold_out=sold_out)


def _serving(lake: Lake, row: Mapping[str, Any], rung: str, reason: str) -> Any:
    from models.serving.failover import Serving  # noqa: PLC0415

    return Serving(partial(load_version, lake, row), row["model_version"], row["trained_week"], rung, reason)


def load_version(lake: Lake, row: Mapping[str, Any], held_back: bool = False) -> Any:
    """Load and verify the artifact of a version; with `held_back` the model as it was before it had learned from the held-back weeks."""
    from models.ensemble.artifacts import load  # noqa: PLC0415

    prefix = ("held_back_uri", "held_back_sha256") if held_back else ("artifact_uri", "sha256")
    uri, sha256 = (row[name] for name in prefix)
    return load(Path(lake.path(uri)), sha256)
