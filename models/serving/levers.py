"""Levers: what of a week could be otherwise, as changes of a region's panel. What models say then is `models.serving.what_if`'s work.

A lever changes the panel as landing would have: a promotion is an event of the week, a warmer week a forecast of the weather that says so. What no
model has been told of cannot be asked of it: `known_part` says so in words, instead of an effect of 0. How deep a promotion cuts the price is such a
thing: models know its days alone, so the price counts in money and not in units.
"""

from dataclasses import dataclass, replace

import numpy as np

from transforms.arrays import Ints64
from transforms.panel.events import promotion_days
from transforms.panel.panel import Coded, Events, Panel, Weather

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Levers:
    """What is otherwise; as it is where nothing is said.

    Attributes
    ----------
    promotion
        Whether the products are on promotion for all of the week.
    discount
        Share of its price that a promoted unit is sold cheaper by.
    degrees
        How much warmer the week is, in degrees C.
    no_returns
        Whether nothing that was delivered before had come back.
    service_level
        Probability with which orders are to meet demand, instead of the one that costs least.
    """

    promotion: bool = False
    discount: float = 0.0
    degrees: float = 0.0
    no_returns: bool = False
    service_level: float | None = None


def known_part(panel: Panel, horizon: int, levers: Levers) -> tuple[Levers, list[str]]:
    """The levers that the models have been told of, and what of the others, or of what these say, cannot be known."""
    notes = []
    if levers.promotion and not panel.events.promotion.any():
        notes.append("The deliveries that the models learned from know of no promotion: what one does cannot be told.")
        levers = replace(levers, promotion=False, discount=0.0)
    if levers.promotion and levers.discount:
        notes.append("The models know on which days a promotion runs and not how deep it cuts: the discount counts in money and not in units.")
    ahead = min(horizon, panel.weather.tmax.shape[2]) - 1
    if levers.degrees and np.isnan(panel.weather.tmax[:, -1, ahead]).all():
        notes.append("No weather of that week is known to the models: what another one does cannot be told.")
        levers = replace(levers, degrees=0.0)
    elif levers.degrees and not panel.weather.forecast_days[:, -1, ahead].any():
        notes.append("No weather forecast reaches that week yet: the models are asked as if one did, and said so much more or less than is usual.")
    if levers.no_returns and not len(panel.returns.series):
        notes.append("No return is on record, so that there is nothing to leave out.")
        levers = replace(levers, no_returns=False)
    return levers, notes


def changed(panel: Panel, horizon: int, series: Ints64, levers: Levers) -> Panel:
    """The panel with the levers pulled; the same one where none of them is about features."""
    if levers.promotion:
        panel = replace(panel, events=_promoted(panel, horizon, series))
    if levers.degrees:
        panel = replace(panel, weather=_warmer(panel.weather, horizon, levers.degrees))
    if levers.no_returns:
        panel = replace(panel, returns=panel.returns.take(np.zeros(len(panel.returns.series), bool)))
    return panel


def _promoted(panel: Panel, horizon: int, series: Ints64) -> Events:
    """The events with one more for each series, over the days of the week on which it is not on promotion anyway."""
    events, week = panel.events, panel.weeks - 1 + horizon
    store, product = panel.store[series], panel.product[series]
    days = np.maximum(WEEK_DAYS - promotion_days(panel, store, product, week, 1)[:, 0], 0)
    count = len(series)
    levels = events.name.levels if len(events.name.levels) else np.asarray(["promotion"])
    return Events(
        week=np.concatenate([events.week, np.full(count, week, np.int32)]),
        days=np.concatenate([events.days, days.astype(np.float32)]),
        promotion=np.concatenate([events.promotion, np.ones(count, bool)]),
        name=Coded(np.concatenate([events.name.codes, np.zeros(count, np.int32)]), levels),
        store=np.concatenate([events.store, store]),
        product=np.concatenate([events.product, product]),
        known_at=np.concatenate([events.known_at, np.zeros(count, np.int64)]),
    )


def _warmer(weather: Weather, horizon: int, degrees: float) -> Weather:
    """The weather with a forecast for the whole week that says so: what is usual of a season says nothing about a week, and is heeded little."""
    ahead = min(horizon, weather.tmax.shape[2]) - 1
    tmin, tmax, days = weather.tmin.copy(), weather.tmax.copy(), weather.forecast_days.copy()
    for values in (tmin, tmax):
        values[:, -1, ahead] += np.float32(degrees)
    days[:, -1, ahead] = np.where(np.isnan(tmax[:, -1, ahead]), days[:, -1, ahead], WEEK_DAYS)
    return replace(weather, tmin=tmin, tmax=tmax, forecast_days=days)
