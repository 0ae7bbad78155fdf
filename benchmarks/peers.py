"""What everyone knows, on the rows that the ensembles forecast: LightGBM on the same features, seasonal naive, medians, AutoETS, Croston."""

import numpy as np
import numpy.typing as npt

from models.members.encoding import Encoder
from transforms.arrays import Bools, Floats32, Floats64
from transforms.features.frame import Frame
from transforms.panel.panel import Panel

LIGHTGBM = {
    "objective": "mape",
    "n_estimators": 500,
    "learning_rate": 0.05,
    "num_leaves": 63,
    "min_child_samples": 20,
    "colsample_bytree": 0.8,
    "subsample": 0.8,
    "subsample_freq": 1,
    "random_state": 7,
    "n_jobs": 1,
    "verbose": -1,
}
SAMPLED_SERIES = 15
"""Series of each segment that the statistical models are fitted to, evenly spread: all of them would take hours."""
HISTORY = 156
"""Weeks that the statistical models see."""


def gradient_boosting(rows: Frame, target: Frame) -> Floats32:
    """LightGBM with objective MAPE: numbers, categories as categories, and the last sizes one by one; rows with demand, as many weeks as ours."""
    from lightgbm import LGBMRegressor  # noqa: PLC0415 - heavy

    assert rows.demand is not None
    learn = rows.take(rows.demand > 0)
    encoder = Encoder.fit(learn)
    categories = list(range(learn.numeric.shape[1] + learn.recent.shape[1], learn.numeric.shape[1] + learn.recent.shape[1] + len(encoder.levels)))
    model = LGBMRegressor(**LIGHTGBM)
    model.fit(_columns(learn, encoder), learn.demand, categorical_feature=categories)
    made: Floats32 = model.predict(_columns(target, encoder)).astype(np.float32)
    return made


def _columns(rows: Frame, encoder: Encoder) -> Floats32:
    return np.hstack([rows.numeric, rows.recent, encoder.indices(rows).astype(np.float32)])


def seasonal_naive(panel: Panel, rows: Frame) -> tuple[Floats32, Floats32]:
    """(size, expected): demand of the same week last year; for the size the last delivery before it where there was none."""
    demand, at = panel.demand(), panel.weeks - 1 + rows.horizon - 52
    expected = demand[rows.series, at]
    return np.where(expected > 0, expected, _last_until(demand, at)[rows.series, at]), expected


def historical_median(panel: Panel, rows: Frame) -> tuple[Floats32, Floats32]:
    """(size, expected): medians of a series' weeks with demand, and of all weeks of its life."""
    demand = panel.demand()
    wanted, place = np.unique(rows.series, return_inverse=True)
    size, expected = np.empty(len(wanted), np.float32), np.empty(len(wanted), np.float32)
    for row, history in enumerate(demand[wanted]):
        hits = np.flatnonzero(history)
        size[row], expected[row] = np.median(history[hits]), np.median(history[hits[0] :])
    return size[place], expected[place]


def statistical(panel: Panel, rows: Frame, horizons: int) -> tuple[Bools, dict[str, tuple[Floats32, Floats32]]]:
    """AutoETS and CrostonSBA on a sample of series.

    Returns
    -------
    (array, dict)
        Which rows are of the sample, and for those `(size, expected)` of each model. `size` comes from the series of weeks with demand,
        `expected` from the series with its zero weeks: each model is given the series that suits the metric.
    """
    from statsforecast.models import AutoETS, CrostonSBA  # noqa: PLC0415 - heavy

    series = np.unique(rows.series)
    chosen = series[np.linspace(0, len(series) - 1, min(len(series), SAMPLED_SERIES)).astype(np.int64)]
    inside = np.isin(rows.series, chosen)
    place = np.searchsorted(chosen, rows.series[inside])
    demand, step = panel.demand(), rows.horizon[inside] - 1
    made = {}
    for name, model in (("AutoETS", AutoETS(season_length=1)), ("CrostonSBA", CrostonSBA())):
        size, expected = np.empty((len(chosen), horizons), np.float32), np.empty((len(chosen), horizons), np.float32)
        for row, history in enumerate(demand[chosen]):
            lived = history[np.flatnonzero(history)[0] :][-HISTORY:].astype(np.float64)
            expected[row] = _forecast(model, lived, horizons)
            size[row] = _forecast(model, lived[lived > 0], horizons)
        made[name] = (np.maximum(size, 1)[place, step], np.maximum(expected, 0)[place, step])
    return inside, made


def _forecast(model: object, history: Floats64, horizons: int) -> Floats64:
    # Exponential smoothing cannot be fitted to a handful of points or to a constant: their mean is what it would say.
    if len(history) < 12 or np.ptp(history) == 0:
        return np.full(horizons, history.mean())
    made: Floats64 = model.forecast(history, horizons)["mean"]  # type: ignore[attr-defined]
    return np.where(np.isfinite(made), made, history.mean())


def _last_until(demand: Floats32, at: npt.NDArray[np.integer]) -> Floats32:
    """Last demand above 0 up to each week, else the first one after it; shape of `demand`, weeks up to the largest of `at`."""
    part = demand[:, : int(at.max()) + 1]
    newest = np.maximum.accumulate(np.where(part > 0, np.arange(part.shape[1]), -1), axis=1)
    first = (demand > 0).argmax(axis=1)
    found = np.where(newest >= 0, newest, first[:, None])
    return np.take_along_axis(demand, found, axis=1)
