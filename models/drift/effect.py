"""What a column's drift does to error and money: the change of the mean error that follows from how its values are distributed now.

Errors are averaged in bins of the column, and the averages weighted by the week's shares instead of the reference's (a shift-share decomposition;
Kitagawa 1955). A column that moved where errors are the same on either side has no effect. For inputs the errors are those of the reference: what the
week's own would add comes from whatever else happened in it; values beyond all past ones count as the outermost bin. For target and residual, which
say themselves how wrong a forecast is, the week's errors count too. Columns that move together share their effect: it is no share of a sum.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.serving.costs import DEFAULT_MARGIN, DEFAULT_RETURN_COST
from transforms.arrays import Floats32, Floats64
from transforms.monitoring.drift_columns import DriftFrames, Errors, Source, Watched

_LEAST_SCORED = 0.5
_STRENGTH = 1.0
"""Rows of average error that each bin is given, so that an empty one has some."""
_BINS = 10


@dataclass(frozen=True)
class Effect:
    """Estimated change by a column's drift: MAPE as a fraction, RMSE in units, USD of the region's week; by whose errors."""

    mape: float
    rmse: float
    money: float
    source: Source


def errors_of(frames: DriftFrames) -> tuple[Errors, Errors]:
    """Errors of the forecasts of the week before, and of the series' recent level."""
    history = frames.history
    demand = np.where(frames.alive, history.demand, np.nan)
    margin = np.nan_to_num(history.margin[history.product], nan=DEFAULT_MARGIN).reshape(-1, 1)
    left = np.nan_to_num(history.return_cost[history.product], nan=DEFAULT_RETURN_COST).reshape(-1, 1)

    def errors(size: Floats32, expected: Floats32, source: Source) -> Errors:
        with np.errstate(divide="ignore", invalid="ignore"):
            percentage = np.where(demand > 0, np.abs(demand - size) / demand, np.nan)
        return Errors(percentage, (demand - expected) ** 2, np.where(demand > expected, margin, left) * np.abs(demand - expected), source)

    return errors(history.size, history.expected, "forecast"), errors(frames.usual_size, frames.usual_mean, "recent level")


def estimate_effect(
    frames: DriftFrames, errors: tuple[Errors, Errors], column: Watched, weeks: npt.NDArray[np.intp], reference: Floats64 | None
) -> Effect:
    """Estimate the effect of a column's drift.

    Parameters
    ----------
    errors
        What `errors_of` gives; forecasts count where the week and at least half of the reference's weeks have some.
    weeks
        Positions of the reference's weeks.
    reference
        Shares of a text's levels where the reference is not plainly those of its weeks; None for numbers.
    """
    scored = np.asarray(np.isfinite(errors[0].squared).any(axis=0))
    chosen = errors[0] if scored[-1] and scored[weeks].mean() >= _LEAST_SCORED else errors[1]
    past, now = column.values[:, weeks], column.values[:, -1]
    if column.levels is None:
        borders = _borders(past, now if column.kind != "input" else now[:0])
        then, at = np.searchsorted(borders, past, side="right"), np.searchsorted(borders, now, side="right")
        bins = len(borders) + 1
    else:
        then, at, bins = np.nan_to_num(past).astype(int), np.nan_to_num(now).astype(int), len(column.levels)
    known_then, known_now = np.isfinite(past), np.isfinite(now)

    def change(of: npt.NDArray[np.floating]) -> tuple[float, float, int]:
        """(Mean error of the reference, its change, rows of the week)."""
        before, current = known_then & np.isfinite(of[:, weeks]), known_now & np.isfinite(of[:, -1])
        if not before.any() or not current.any():
            return 0.0, 0.0, 0
        n_before, n_current = np.bincount(then[before], minlength=bins), np.bincount(at[current], minlength=bins)
        mean = float(of[:, weeks][before].mean())
        total, n = np.bincount(then[before], of[:, weeks][before], bins) + _STRENGTH * mean, n_before + _STRENGTH
        if column.kind != "input":
            total, n = total + np.bincount(at[current], of[current, -1], bins), n + n_current
        in_bin = total / n
        was = n_before / n_before.sum() if reference is None else reference
        return mean, float((n_current / n_current.sum() - was) @ in_bin), int(current.sum())

    _, mape, _ = change(chosen.percentage)
    mean, squared, _ = change(chosen.squared)
    _, money, rows = change(chosen.money)
    return Effect(mape, float(np.sqrt(max(mean + squared, 0)) - np.sqrt(mean)), money * rows * frames.history.stands_for, chosen.source)


def _borders(past: npt.NDArray[np.floating], now: npt.NDArray[np.floating]) -> Floats64:
    """Deciles of the reference without its ends, and quantiles of the week, which may lie beyond all of them."""
    parts = [(past[np.isfinite(past)], np.linspace(0, 1, _BINS + 1)[1:-1]), (now[np.isfinite(now)], np.asarray([0.05, 0.25, 0.5, 0.75, 0.95]))]
    return np.unique(np.concatenate([np.quantile(values, at) for values, at in parts if len(values)]))
