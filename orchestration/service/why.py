"""Why one forecast is what it is: the forecast on record, and what each group of features adds to it. Reads only."""

from dataclasses import dataclass

from orchestration.project import Project
from orchestration.reports.explain import explained
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS
from transforms.errors import MissingData
from transforms.lake.tables import Lake, day
from transforms.landing import named_region
from transforms.rows import Row


@dataclass(frozen=True, slots=True)
class Why:
    """A forecast and its parts: rows of gold/forecasts and of gold/contributions."""

    forecast: Row
    parts: Row


def why(lake: Lake, region: str, store: str, product: str, origin: Week, target: Week) -> Why:
    """Ask the models that made a forecast for what adds up to it; that takes seconds.

    Raises
    ------
    MissingData
        If there is no such forecast, or what made it is not there any more.
    """
    where = named_region(lake, region)
    forecasts = lake.read(FORECASTS.name, where=f"region = '{where}' and origin_week = {day(origin)} and target_week = {day(target)}")
    mine = [row for row, found in enumerate(forecasts.select(["store_id", "product_id"]).to_pylist()) if tuple(found.values()) == (store, product)]
    if not mine:
        there = (
            f"but {forecasts.num_rows:,} others of that region and week" if forecasts.num_rows else "and none at all of that region, origin and week"
        )
        raise MissingData(
            f"There is no forecast for {store} {product} made at {origin} for {target}, {there}: 'shelfcast export gold/forecasts --to "
            f"forecasts.csv --region {where}' writes those that there are."
        )
    forecast = forecasts.take(mine)
    parts = explained(lake, where, origin, forecast, Project.of(lake).sold_out)
    return Why(forecast.to_pylist()[0], parts.to_pylist()[0])
