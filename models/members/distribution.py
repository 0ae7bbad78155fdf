"""From probabilities over demand 0 and the usual sizes to points, quantiles and order quantities. All arrays are (rows,) unless said."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import Floats32, Ints64

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Points:
    """What a forecast row says; see the contract of gold/forecasts for the meaning of each. All but `p_demand` and shares `_inside` are units."""

    p_demand: Floats32
    size: Floats32
    expected: Floats32
    q10: Floats32
    q50: Floats32
    q90: Floats32
    q10_inside: Floats32
    q90_inside: Floats32


@dataclass(frozen=True)
class Orders:
    """What to ship: quantity, probability that it meets demand, means of what is left over and of what is missed."""

    quantity: Ints64
    service_level: Floats32
    expected_returns: Floats32
    expected_lost_sales: Floats32


def best_size(pmf: Floats32, sizes: Floats32) -> Floats32:
    """The point with the least expected percentage error: the median of the sizes weighted by probability over size.

    Parameters
    ----------
    pmf
        Probabilities of the sizes given demand, shape (rows, k).
    sizes
        Ascending, shape (k,).
    """
    mass = np.cumsum(pmf / sizes, axis=1)
    best: Floats32 = sizes[(mass < mass[:, -1:] / 2).sum(axis=1).clip(0, len(sizes) - 1)]
    return best


def points(p_demand: Floats32, pmf: Floats32, sizes: Floats32, expected: Floats32) -> Points:
    """Points and quantiles of the distribution with mass 1 - p_demand at 0 and p_demand * pmf on `sizes`; its mean is known to the caller."""
    cumulative = (1 - p_demand)[:, None] + p_demand[:, None] * np.cumsum(pmf, axis=1)
    grid = np.concatenate([[0], sizes]).astype(np.float32)
    levels = np.concatenate([(1 - p_demand)[:, None], cumulative], axis=1)
    levels[:, -1] = 1
    at = [(levels < level - 1e-6).sum(axis=1) for level in QUANTILES]
    q10, q50, q90 = (grid[places] for places in at)
    return Points(p_demand, best_size(pmf, sizes), expected, q10, q50, q90, *(_inside(levels, places) for places in (at[0], at[-1])))


def interval_share(forecast: Points, demand: Floats32) -> Floats32:
    """Share of what came that lies between the 10 and the 90 % level, cut through the atoms that these quantiles fall into.

    Demand is discrete: where 0 alone has a probability of 0.85, no interval that starts at 0 holds less. So each row counts by how much of the
    probability of what came lies inside the levels: the mean over rows is 0.80 for any distribution that is right, discrete or not (the
    non-randomised probability integral transform of Czado, Gneiting and Held 2009). Quantiles and their `_inside` are all that it takes: what lies
    between the quantiles is inside, what lies beyond is not.
    """
    between = ((demand >= forecast.q10) & (demand <= forecast.q90)).astype(np.float32)
    share: Floats32 = np.where(demand == forecast.q10, forecast.q10_inside, np.where(demand == forecast.q90, forecast.q90_inside, between))
    return share


def _inside(levels: Floats32, at: npt.NDArray[np.intp]) -> Floats32:
    """Share of an atom's probability between the outer quantiles' levels; `levels` is cumulated probability, `at` the atom's place in each row."""
    upper = np.take_along_axis(levels, at[:, None], axis=1)[:, 0]
    lower = np.where(at > 0, np.take_along_axis(levels, np.maximum(at - 1, 0)[:, None], axis=1)[:, 0], 0)
    inside = np.minimum(upper, QUANTILES[-1]) - np.maximum(lower, QUANTILES[0])
    share: Floats32 = (inside / np.maximum(upper - lower, 1e-9)).clip(0, 1).astype(np.float32)
    return share


def orders(p_demand: Floats32, pmf: Floats32, sizes: Floats32, case_pack: Floats32, lost: Floats32, returned: Floats32) -> Orders:
    """The number of cases that costs least when a unit missed costs `lost` and a unit left over costs `returned`.

    Cost is convex in the quantity, so the best multiple of the case pack is one of the two around the newsvendor's critical fractile
    (Arrow, Harris and Marschak 1951). `sizes` has shape (k,), or (rows, k) where each row has its own.
    """
    mass = np.concatenate([(1 - p_demand)[:, None], p_demand[:, None] * pmf], axis=1)
    grid = np.atleast_2d(sizes).astype(np.float32)
    grid = np.hstack([np.zeros_like(grid[:, :1]), grid])
    fractile = lost / np.maximum(lost + returned, 1e-9)
    at = (np.cumsum(mass, axis=1) < fractile[:, None] - 1e-6).sum(axis=1).clip(0, grid.shape[1] - 1)
    wanted = np.take_along_axis(np.broadcast_to(grid, mass.shape), at[:, None], axis=1)[:, 0]
    below = np.floor(wanted / case_pack) * case_pack
    choices = [below, below + case_pack]
    outcomes = [_outcome(mass, grid, quantity) for quantity in choices]
    costs = [lost * missed + returned * left for left, missed, _ in outcomes]
    second = costs[1] < costs[0]
    pick = [np.where(second, *pair) for pair in zip((choices[1], *outcomes[1]), (choices[0], *outcomes[0]), strict=True)]
    quantity, left, missed, service = pick
    return Orders(quantity.round().astype(np.int64), service.clip(0, 1), left, missed)


def _outcome(mass: Floats32, grid: Floats32, quantity: Floats32) -> tuple[Floats32, Floats32, Floats32]:
    """Mean left over, mean missed, probability that demand is met."""
    # Three products with the cumulated mass instead of a (rows, k) array of differences.
    met = grid <= quantity[:, None]
    served = (mass * met).sum(axis=1)
    left = quantity * served - (mass * met * grid).sum(axis=1)
    missed = (mass * ~met * grid).sum(axis=1) - quantity * (1 - served)
    return np.maximum(left, 0), np.maximum(missed, 0), served
