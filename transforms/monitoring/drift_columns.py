"""What is watched for drift, and what each week is compared with: columns by series and week, and the weeks that are a week's reference.

Everything is taken relative to the half year before it where that is sensible: demand to the series' own level, prices and surroundings to the mean
of the region. So growth and inflation are no drift, and what is left is comparable with the same season of past years. Scores: models.drift.score.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Floats32, Floats64, Ints64, Texts
from transforms.calendar import Region, Week
from transforms.monitoring.drift_history import WEATHER, DriftHistory

Kind = Literal["input", "target", "residual"]
Basis = Literal["season", "trailing"]
Source = Literal["forecast", "recent level"]

SEASON_WEEKS = 2
YEARS_BACK = 3
TRAILING_WEEKS = 26
LEVEL_WEEKS = 26
"""Weeks before a week that levels are taken from."""
SETTLED_WEEKS = 13
"""Weeks of history that a week of a reference needs behind it: levels of fewer weeks are not like those of later ones."""
_LEAST_HITS = 3
_MOST_LEVELS = 12


@dataclass(frozen=True)
class Watched:
    """A column: `values` of shape (series, weeks), NaN where it has none; for texts the position in `levels`."""

    name: str
    kind: Kind
    values: Floats32
    levels: Texts | None = None
    bases: tuple[Basis, ...] = ("season", "trailing")
    """What it is compared with, the first that there are enough past weeks for: the weeks just before say nothing about the weather of a week."""


@dataclass(frozen=True)
class Errors:
    """What being wrong was, series by week, NaN where there was nothing to be wrong about: absolute percentage error, squared error, USD.

    `source` says whose errors they are: those of the forecasts of the week before, or those of a series' recent level, which there always are.
    """

    percentage: Floats32
    squared: Floats32
    money: Floats32
    source: Source


@dataclass(frozen=True)
class DriftFrames:
    """A region's week, the last one of the arrays, and its past.

    Attributes
    ----------
    season, trailing
        Floats64 of the weeks (columns) that are the reference of each week (rows), shape (weeks, weeks); a week's reference lies before it.
    alive
        Series with a delivery in the last year, shape (series, weeks).
    usual_size, usual_mean
        Mean delivery, and mean over all weeks, of the half year before, shape (series, weeks).
    """

    history: DriftHistory
    columns: tuple[Watched, ...]
    season: Floats64
    trailing: Floats64
    alive: Bools
    usual_size: Floats32
    usual_mean: Floats32

    @property
    def region(self) -> Region:
        """The region that is watched."""
        return self.history.region

    @property
    def week(self) -> Week:
        """The week that is watched."""
        return self.history.last


def drift_frames(history: DriftHistory) -> DriftFrames:
    """Make columns and references of a history; its last week is the one that is watched."""
    levels = _Levels(history.demand)
    columns = [column for column in _columns(history, levels) if np.isfinite(column.values[:, -1]).any()]
    return DriftFrames(
        history,
        tuple(columns),
        season_weights(history.holidays),
        trailing_weights(history.weeks),
        levels.alive,
        levels.size,
        levels.mean,
    )


def season_weights(holidays: Texts) -> Floats64:
    """The same season of past years: weeks within SEASON_WEEKS of the same week, 52 weeks back for each year.

    Of those, the weeks with the same holidays where there are such; so Thanksgiving is compared with Thanksgiving, and no other week with it.
    """
    weeks = len(holidays)
    weights = np.zeros((weeks, weeks))
    for week in range(weeks):
        for year in range(1, YEARS_BACK + 1):
            centre = week - 52 * year
            around = np.arange(max(centre - SEASON_WEEKS, SETTLED_WEEKS), centre + SEASON_WEEKS + 1)
            if len(around):
                same = around[holidays[around] == holidays[week]]
                weights[week, same if len(same) else around] = 1
    return weights


def trailing_weights(weeks: int) -> Floats64:
    """The TRAILING_WEEKS before each week."""
    week, past = np.arange(weeks)[:, None], np.arange(weeks)[None, :]
    return ((past < week) & (past >= week - TRAILING_WEEKS) & (past >= SETTLED_WEEKS)).astype(float)


class _Levels:
    """What each series did in the half year before each week."""

    def __init__(self, demand: Floats32) -> None:
        hits, units = before(demand > 0, LEVEL_WEEKS), before(demand, LEVEL_WEEKS)
        year = before(demand > 0, 52) + (demand > 0)
        self.alive: Bools = year > 0
        age = np.minimum(np.maximum.accumulate(np.where(demand > 0, 1, 0), axis=1).cumsum(axis=1) - 1, LEVEL_WEEKS)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.size: Floats32 = np.where(hits >= _LEAST_HITS, units / hits, np.nan).astype(np.float32)
            self.mean: Floats32 = np.where(hits >= _LEAST_HITS, units / age, np.nan).astype(np.float32)


def before(values: npt.NDArray[np.generic], weeks: int) -> Floats64:
    """Sum over the `weeks` before each week, along the last axis."""
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1, dtype=np.float64)], axis=-1)
    ends = np.arange(values.shape[-1])
    window: Floats64 = total[..., ends] - total[..., np.maximum(ends - weeks, 0)]
    return window


def _columns(history: DriftHistory, levels: _Levels) -> list[Watched]:
    hit, alive, store, product = history.demand > 0, levels.alive, history.store, history.product
    missing = np.mean(
        [np.isnan(history.price)[product], np.isnan(history.income)[store], np.isnan(history.issued)[store], np.isnan(history.weather[store, :, 1])],
        axis=0,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(history.demand / levels.size)
        # Of the size, where there was demand: weeks without any would hide everything else, and are watched by their share.
        error = np.log(history.demand / np.maximum(history.size, 0.5))
    nothing = np.where(alive, ~hit, np.nan)
    return [
        Watched("demand", "target", _where(hit, ratio)),
        Watched("store_units", "target", _where(alive, _of_group(history.demand, store)[store])),
        Watched("product_units", "target", _where(alive, _of_group(history.demand, product)[product])),
        Watched("share_of_zeros", "target", _where(alive, _excess(nothing, store)[store])),
        Watched("residual", "residual", _where(hit, error)),
        Watched("price", "input", _where(hit, _relative(np.log(history.price)[product], hit))),
        Watched("price_change", "input", _where(hit, _change(history.price)[product])),
        Watched("promotion", "input", _where(alive, history.promoted), np.asarray(["no", "yes"])),
        Watched("income", "input", _where(hit, _relative(np.log(np.maximum(history.income, 1))[store], hit))),
        *(Watched(name, "input", _where(alive, history.weather[store, :, step]), bases=("season",)) for step, name in enumerate(WEATHER)),
        # How forecasts err has no season.
        Watched("forecast_of_tmax", "input", _where(alive, (history.issued - history.weather[:, :, 1])[store]), bases=("trailing",)),
        Watched("inputs_missing", "input", _where(alive, missing)),
        *(_texts(name, texts, hit) for name, texts in (("category", history.category[product]), ("vendor", history.vendor[product]))),
        _texts("format", history.format[store], hit),
    ]


def _where(mask: Bools, values: npt.NDArray[Any]) -> Floats32:
    found: Floats32 = np.where(mask & np.isfinite(values), values, np.nan).astype(np.float32)
    return found


def _of_group(demand: Floats32, group: Ints64) -> Floats64:
    """Log of a store's or product's units over its mean of the half year before, shape (groups, weeks)."""
    units = np.zeros((int(group.max(initial=-1)) + 1, demand.shape[1]))
    np.add.at(units, group, demand)
    lived = np.minimum(np.maximum.accumulate(units > 0, axis=1).cumsum(axis=1) - 1, LEVEL_WEEKS)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = np.where(lived >= _LEAST_HITS, before(units, LEVEL_WEEKS) / lived, np.nan)
        return np.asarray(np.log((units + 1) / (usual + 1)), np.float64)


def _excess(values: Floats64, group: Ints64) -> Floats64:
    """Mean of a group's values less its mean of the half year before, shape (groups, weeks)."""
    shape = (int(group.max(initial=-1)) + 1, values.shape[1])
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, group, np.nan_to_num(values))
    np.add.at(count, group, np.isfinite(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        difference: Floats64 = total / count - before(total, LEVEL_WEEKS) / before(count, LEVEL_WEEKS)
    return difference


def _relative(values: npt.NDArray[np.floating], mask: Bools) -> Floats64:
    """Values less the mean of the region's deliveries of the half year before."""
    inside = mask & np.isfinite(values)
    total, count = np.where(inside, values, 0).sum(axis=0), inside.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference: Floats64 = values - before(total, LEVEL_WEEKS) / before(count, LEVEL_WEEKS)
    return difference


def _change(price: Floats32) -> Floats64:
    """Log of a product's price over its mean of the half year before."""
    known = np.isfinite(price)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = before(np.nan_to_num(price), LEVEL_WEEKS) / before(known, LEVEL_WEEKS)
        return np.asarray(np.log(price / usual), np.float64)


def _texts(name: str, texts: Texts, hit: Bools) -> Watched:
    """A text of each series where it had a delivery; the levels that were frequent before the last week, or are in it, stand for themselves."""
    levels, codes = np.unique(texts, return_inverse=True)
    past = np.bincount(codes, hit[:, :-1].sum(axis=1), len(levels)) / max(hit[:, :-1].sum(), 1)
    now = np.bincount(codes, hit[:, -1], len(levels)) / max(hit[:, -1].sum(), 1)
    kept = np.sort(np.argsort(-np.maximum(past, now), kind="stable")[:_MOST_LEVELS])
    position = np.full(len(levels), len(kept))
    position[kept] = np.arange(len(kept))
    names = levels[kept] if len(kept) == len(levels) else np.append(levels[kept], "other")
    return Watched(name, "input", np.where(hit, position[codes][:, None], np.nan).astype(np.float32), names)
