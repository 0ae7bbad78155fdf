"""Levels of every series of a region at an origin, and what moves them: a structural model of the sizes delivered (Harvey 1989).

The log of a size, before it was rounded to whole cases, is the level of its series, which may slope; the level of its store, which wanders; what
season, weather and events do to its category; and noise. All of that is Gaussian, so what is most probable given the past is the solution of one
system of linear equations, which is solved exactly, store by store: the two numbers of each series are eliminated first, then the store's path,
then the few effects that stores share.
Effects are learned from all stores, and a store that moves takes all of its series with it, at once.

Means over windows, which `transforms.features.past` has too, must choose between being quick and being steady.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes, Floats32
from transforms.calendar import FURTHEST
from transforms.features.case_packs import WholeCases
from transforms.features.structural_solver import Prior, Setting, Solution, System
from transforms.panel.events import holiday_days, promotion_days
from transforms.panel.panel import Panel

SPAN = 130
"""Weeks that are looked at."""
_SINGLE, _BLOCK = 8, 8
"""A store's level may differ in each of the last weeks; before, in blocks of weeks."""
_CATEGORIES = 8
"""Categories with effects of their own: those with most series. The others share theirs."""
_PRIOR = Prior(level=1.0, slope=0.2, start=0.35, wander=0.17, tail=1.0, effects=np.asarray([0.5, 0.5, 0.4, 0.1, 0.7]))
"""Slope in a year; effects of both waves of the season, a week with a holiday, five degrees, a week of promotion."""
_PARTS = slice(0, 2), slice(2, 3), slice(3, 4)
"""Season, holiday and weather among the effects."""
_DEGREES, _FEWEST_WEEKS = 5.0, 40
_ROUNDS, _OUTLIER = 2, 2.0
"""Times that the model is solved, and standard deviations of noise beyond which a week is drawn nearer for the next."""
_LEAST_VARIANCE, _USUAL_VARIANCE = 1e-3, 0.1
"""Of the noise: the least, and what it is taken for where no series was delivered twice."""
# Standard deviation of noise over the mean absolute difference of two draws of it, sqrt(pi) / 2 for a normal density.
_HALF_NORMAL = 0.8862


class Effects(NamedTuple):
    """Expectation of the log of a series' size in a target week, in parts that add up, each of shape (n,)."""

    level: Floats32
    season: Floats32
    weather: Floats32
    events: Floats32


class Levels:
    """The model of the series given, fitted to the end of a panel.

    Parameters
    ----------
    panel
        History up to the origin.
    demand, store, product, case_pack
        Demand of the series up to the origin, shape (n, weeks), 0 for none, their stores (ascending) and products, and units in a case.

    Attributes
    ----------
    slope
        Of each series, in a year; shape (n,).
    shift
        How far each series' store has moved from where it was on average in the last eight weeks, shape (n,).
    weeks
        Weeks with a delivery that each series was judged by, shape (n,).
    """

    def __init__(self, panel: Panel, demand: Floats32, store: Codes, product: Codes, case_pack: Floats32) -> None:
        span = min(SPAN, panel.weeks)
        demand = demand[:, -span:]
        stores, first = np.unique(store, return_index=True)
        counts = np.diff([*first, len(store)])
        self._of_store = np.repeat(np.arange(len(stores)), counts)
        self._setting = Setting(
            time=((np.arange(span) - span + 1) / 52).astype(np.float32),
            stores=[slice(at, at + count) for at, count in zip(first, counts, strict=True)],
            place=panel.place[stores],
            category=_largest(panel.product_text["category"].codes[product]),
            shared=_shared(panel, span),
            own=promotion_days(panel, store, product, panel.weeks - span, span + FURTHEST) / np.float32(7),
            knot=_knots(span),
            prior=_PRIOR,
        )
        delivered = demand > 0
        log_size = np.log(np.where(delivered, demand, 1))
        self._mean = float(log_size.sum() / max(delivered.sum(), 1))
        self._cases = WholeCases(demand, product, case_pack, self._mean)
        self._solution, self._sigma = _robust((log_size - np.float32(self._mean)) * delivered, delivered, self._setting, self._cases)
        path = self._solution.path
        self.slope = self._solution.slope
        self.shift = (path[:, -1] - path[:, -_SINGLE:].mean(axis=1))[self._of_store]
        self.weeks = delivered.sum(axis=1)

    def ahead(self, horizon: int) -> Effects:
        """Expect each size `horizon` weeks after the origin, at most `FURTHEST`."""
        setting, solution = self._setting, self._solution
        week = len(setting.time) - 1 + horizon
        each = setting.shared[setting.place, week, None, :] * solution.effects[None, :, :-1]
        season, holiday, weather = (each[:, :, part].sum(axis=2)[self._of_store, setting.category] for part in _PARTS)
        events = holiday + solution.effects[setting.category, -1] * setting.own[:, week]
        level = solution.level + solution.path[self._of_store, -1] + solution.slope * horizon / 52
        # Each part as it shows in what is delivered, in their order: half a case more is nothing, or a case.
        totals = np.cumsum([level, season, weather, events], axis=0)
        first, *steps = np.diff([self._cases.delivered(total, self._sigma) for total in totals], axis=0, prepend=0)
        return Effects(*(part.astype(np.float32) for part in (self._mean + first, *steps)))


def _robust(log_size: Floats32, delivered: Bools, setting: Setting, cases: WholeCases) -> tuple[Solution, float]:
    """Solve, then solve again with sizes as they were before rounding, and with weeks that lie far off drawn nearer; with the spread of the noise.

    Far off: sold out, a feast, a return on its way (Huber 1981, modified residuals).
    """
    variance = _variance(log_size, delivered)
    system, sigma, adjusted = System(delivered, variance, setting), float(np.sqrt(variance)), log_size
    bound = np.float32(_OUTLIER * sigma)
    solution = system.solve(adjusted)
    for _ in range(_ROUNDS - 1):
        fitted = adjusted - solution.errors
        wanted, sigma = cases.wanted(log_size, fitted, sigma)
        adjusted = (fitted + np.clip(wanted - fitted, -bound, bound)) * delivered
        solution = system.solve(adjusted, solution)
    return solution, sigma


def _variance(log_size: Floats32, delivered: Bools) -> float:
    """Variance of the noise, from the steps between deliveries that follow each other: a level that moves slowly is not in them."""
    rows, weeks = np.nonzero(delivered)
    steps = np.diff(log_size[rows, weeks])[rows[1:] == rows[:-1]]
    return max((_HALF_NORMAL * float(np.abs(steps).mean())) ** 2, _LEAST_VARIANCE) if len(steps) else _USUAL_VARIANCE


def _largest(category: Codes) -> Codes:
    """Categories by their number of series, from 0; all beyond the first ones are one."""
    counts = np.bincount(category)
    rank = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    ranked: Codes = np.minimum(rank, _CATEGORIES - 1)[category].astype(np.int32)
    return ranked


def _knots(span: int) -> npt.NDArray[np.intp]:
    """First weeks of the pieces of a store's path."""
    older = np.arange(span - _SINGLE, 0, -_BLOCK)[:0:-1] if span > _SINGLE else np.zeros(0, int)
    return np.concatenate([[0], older, np.arange(max(span - _SINGLE, 1), span)]).astype(np.intp)


def _shared(panel: Panel, span: int) -> Floats32:
    """Season (a wave), a week with a holiday, and degrees beyond what the season has, for each place: shape (places, span + FURTHEST, 4)."""
    weeks = np.arange(panel.weeks - span, panel.weeks + FURTHEST)
    angle = 2 * np.pi * (panel.first.iso_week - 1 + weeks) / 52.1775
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    holiday = np.minimum(holiday_days(panel, int(weeks[0]), len(weeks)), 1)
    weather = panel.weather
    # Without a forecast, what is known is what past years were like: that has the season, and its deviations from it are chance.
    degrees = np.where(weather.forecast_days > 0, (weather.tmin + weather.tmax) / 2, np.nan)
    # Of a past week, the forecast of the week before: the weather that forecasts will know too.
    known = np.concatenate([np.full((len(degrees), 1), np.nan), degrees[:, :-1, 0]], axis=1)[:, -span:]
    known = np.concatenate([known, degrees[:, -1]], axis=1)
    shared = np.zeros((len(degrees), len(weeks), 4), np.float32)
    shared[:, :, :2], shared[:, :, 2] = waves, holiday
    climate = np.column_stack([np.ones(len(weeks)), waves, np.sin(2 * angle), np.cos(2 * angle)])
    for place, row in enumerate(known):
        seen = np.isfinite(row)
        past = seen & (np.arange(len(row)) < span)
        if past.sum() >= _FEWEST_WEEKS:
            usual = climate @ np.linalg.lstsq(climate[past], row[past], rcond=None)[0]
            shared[place, seen, 3] = np.clip((row - usual)[seen] / _DEGREES, -3, 3)
    return shared
