"""Scoring at origins, region by region in workers: forecasts and plans by what served then, and accuracy with other weather.

Which models serve is a question for `serving`, what tests change of it for `ab_tests`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.evaluation.gate import Gate
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.weather_value import observed_weather, weather_value
from orchestration.lifecycle.ab_tests import with_tests
from orchestration.lifecycle.serving import champions_serving
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, SliceBlock, Week, weeks_between
from transforms.clusters import Clusters
from transforms.contracts.ab_tests import AB_FORECASTS
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN, WEATHER_VALUE
from transforms.contracts.silver import SILVER_WEATHER
from transforms.errors import DataNotApproved, MissingData
from transforms.lake.tables import Lake, block_predicate
from transforms.landing import last_week
from transforms.monitoring.accuracy import by_segment_of
from transforms.orders.final import keep_final
from transforms.panel.panel import Panel, SoldOutWeeks
from transforms.records.dataset_versions import Dataset, History, approved_before, usable


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
        lake, gate = Lake(self.root, dict(self.storage_options)), Gate(**self.gate)
        tables: list[tuple[pa.Table, ...]] = []
        for week, dataset, panel in _panels(lake, region, self.weeks, self.history, self.sold_out):
            ladders, averages = champions_serving(lake, region, week, gate)
            score = partial(score_region, panel, self.horizons, clusters=self.clusters, seconds=self.seconds)
            forecasts, plan, arms = with_tests(lake, region, week, score, ladders, averages, gate, *score(ladders, averages))
            tables.append((filled(forecasts, "dataset_version", dataset.version), plan, arms))
        forecasts, plan, arms = (pa.concat_tables(parts) for parts in zip(*tables, strict=True))
        return forecasts, plan, arms


def score_block(lake: Lake, project: Project, block: SliceBlock, run_id: str) -> None:
    """Score a block of origins and replace its rows of gold/forecasts, gold/order_plan(_final) and, where tests run or ran, gold/ab_forecasts."""
    weeks = list(weeks_between(block.first, block.last))
    decided = (project.horizons, project.history, project.clusters, project.sold_out, project.forecast_seconds, project.gate.judged)
    task = ScoreTask(lake.root, lake.storage_options, weeks, *decided)
    results = [result for _, result in map_regions(task, block.regions, settings().workers)]
    forecasts, plan, arms = (pa.concat_tables(parts) for parts in zip(*results, strict=True))
    lake.replace(FORECASTS.name, block, filled(forecasts, "run_id", run_id))
    lake.replace(ORDER_PLAN.name, block, plan)
    keep_final(lake, block)
    if arms.num_rows or lake.exists(AB_FORECASTS.name):
        lake.replace(AB_FORECASTS.name, block, arms)


def filled(rows: pa.Table, column: str, value: str) -> pa.Table:
    """The rows with one value in the whole of a column."""
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, rows.schema.field(place), pa.repeat(value, rows.num_rows))


@dataclass(frozen=True)
class WeatherTask:
    """Measure what accuracy owes to the weather, for one region at each of `weeks`."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    spec: Mapping[str, Any]

    def __call__(self, region: Region) -> pa.Table:
        """Return rows of gold/weather_value."""
        lake, spec = Lake(self.root, dict(self.storage_options)), TrainingSpec(**self.spec)
        approved = approved_before(lake, region)
        if approved is None:
            raise DataNotApproved(f"{region} has no approved data: see 'shelfcast data log --region {region}'.")
        lake = lake.at(approved.delta_versions)
        last = min(max(self.weeks) + spec.horizons, _last_landed(lake, max(self.weeks)))
        panel = Panel.load(lake, region, last)
        observed = observed_weather(panel, lake.read(SILVER_WEATHER.name, where=f"region = '{region}'"))
        tables = [WEATHER_VALUE.schema.empty_table()]
        for week in self.weeks:
            targets = SliceBlock((region,), week + 1, min(week + spec.horizons, last))
            demand = lake.read(DEMAND.name, where=block_predicate("week", targets))
            for kind, scored in weather_value(panel, observed, demand, week, spec).items():
                inside = scored.filter(pc.less_equal(scored["week"], pa.scalar(targets.last.monday)))
                tables.append(by_segment_of(inside, {"week": week.monday, "weather": kind}, WEATHER_VALUE))
        return pa.concat_tables(tables)


def weather_block(lake: Lake, project: Project, block: SliceBlock) -> None:
    """Measure a block of origins with each kind of weather and replace its rows of gold/weather_value."""
    task = WeatherTask(lake.root, lake.storage_options, list(weeks_between(block.first, block.last)), project.training)
    rows = [table for _, table in map_regions(task, block.regions, settings().workers)]
    lake.replace(WEATHER_VALUE.name, block, pa.concat_tables(rows))


def _last_landed(lake: Lake, origin: Week) -> Week:
    landed = last_week(lake)
    if landed is None or landed <= origin:
        raise MissingData(f"No week after {origin} has landed: forecasts made there cannot be scored yet. Choose an earlier week.")
    return landed


def _panels(lake: Lake, region: Region, weeks: Sequence[Week], history: History, sold_out: SoldOutWeeks) -> Iterator[tuple[Week, Dataset, Panel]]:
    """Each origin with its dataset version and panel; what several origins share is read once."""
    datasets = [(week, usable(lake, region, week, history)) for week in sorted(weeks)]
    for _, group in groupby(datasets, key=lambda item: (item[1].version, item[1].recorded_at)):
        shared = list(group)
        panel = Panel.load(lake.at(shared[0][1].delta_versions), region, shared[-1][0])
        for week, dataset in shared:
            yield week, dataset, replace(panel.until(week), sold_out=sold_out)
