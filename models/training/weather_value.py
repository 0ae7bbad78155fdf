"""What accuracy owes to the weather: the same models with forecasts as issued, with the weather as it came to be, and with none."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from models.evaluation.metrics import score_forecasts
from models.training.backtest import forecasts_at
from models.training.spec import TrainingSpec
from transforms.calendar import Week
from transforms.panel.panel import Panel, Weather

KINDS = ("issued", "realised", "none")


def weather_value(panel: Panel, observed: Weather, demand: pa.Table, origin: Week, spec: TrainingSpec) -> dict[str, pa.Table]:
    """Train and score a region once with each kind of weather.

    Parameters
    ----------
    panel
        The region's history up to the last target week or beyond.
    observed
        Weather of the target weeks as it was measured, in the form of `Panel.weather`; see `observed_weather`.
    demand
        Rows of gold/demand of the target weeks.

    Returns
    -------
    dict
        For each kind the rows of gold/accuracy. 'realised' looks into the future on purpose: no forecast can use better weather.
    """
    nothing = Weather(*(np.full_like(values, np.nan) for values in vars(panel.weather).values()))
    found = {}
    for kind, weather in zip(KINDS, (panel.weather, observed, nothing), strict=True):
        found[kind] = score_forecasts(forecasts_at(replace(panel, weather=weather), origin, spec), demand)
    return found


def observed_weather(panel: Panel, table: pa.Table) -> Weather:
    """Weekly observations (rows of silver/weather) as weather of the target weeks, whole weeks covered; NaN where a week was not measured."""
    place_at = {place: index for index, place in enumerate(panel.place_names)}
    shape = panel.weather.tmin.shape
    weeks, steps = shape[1], shape[2]
    by_week = {name: np.full((shape[0], weeks + steps + 1), np.nan, np.float32) for name in ("tmin_c", "tmax_c", "precip_mm")}
    for row in table.to_pylist():
        index, place = Week(row["week"]) - panel.first, place_at.get(row["place"])
        if place is not None and 0 <= index < weeks + steps + 1:
            for name, values in by_week.items():
                values[place, index] = np.nan if row[name] is None else row[name]
    target = np.arange(weeks)[:, None] + np.arange(1, steps + 1)[None, :]
    tmin, tmax, precip = (values[:, target] for values in by_week.values())
    return Weather(tmin, tmax, precip, np.where(np.isnan(tmax), 0, 7).astype(np.float32))
