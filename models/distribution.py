"""From probabilities over demand 0 and the usual sizes to points, quantiles and order quantities. All arrays are (rows,) unless said."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.support import Floats, nearest

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Points:
    """What a forecast row says; see the contract of gold/forecasts for the meaning of each."""

    p_demand: Floats
    size: Floats
    expected: Floats
    q10: Floats
    q50: Floats
    q90: Floats


@dataclass(frozen=True)
class Orders:
    """What to ship: quantity, probability that it meets demand, means of what is left over and of what is missed."""

    quantity: npt.NDArray[np.int64]
    service_level: Floats
    expected_returns: Floats
    expected_lost_sales: Floats


def best_size(pmf: Floats, sizes: Floats) -> Floats:
    """The point with the least expected percentage error: the median of the sizes weighted by probability over size.

    Parameters
    ----------
    pmf
        Probabilities of the sizes given demand, shape (rows, k).
    sizes
        Ascending, shape (k,).
    """
    mass = np.cumsum(pmf / sizes, axis=1)
    best: Floats = sizes[(mass < mass[:, -1:] / 2).sum(axis=1).clip(0, len(sizes) - 1)]
    return best


def points(p_demand: Floats, pmf: Floats, sizes: Floats, expected: Floats) -> Points:
    """Points and quantiles of the distribution with mass 1 - p_demand at 0 and p_demand * pmf on `sizes`; its mean is known to the caller."""
    cumulative = (1 - p_demand)[:, None] + p_demand[:, None] * np.cumsum(pmf, axis=1)
    grid = np.concatenate([[0], sizes]).astype(np.float32)
    levels = np.concatenate([(1 - p_demand)[:, None], cumulative], axis=1)
    levels[:, -1] = 1
    q10, q50, q90 = (grid[(levels < level - 1e-6).sum(axis=1)] for level in QUANTILES)
    return Points(p_demand, best_size(pmf, sizes), expected, q10, q50, q90)


def interval_share(p_demand: Floats, pmf: Floats, sizes: Floats, demand: Floats, level: float = 0.8) -> Floats:
    """Share of what came that lies between the quantiles of a central interval, cut through the atoms that these quantiles fall into.

    Demand is discrete: where 0 alone has a probability of 0.85, no interval that starts at 0 holds less. So each row counts by how much of the
    probability of what came lies inside the levels: the mean over rows is `level` for any distribution that is right, discrete or not (the
    non-randomised probability integral transform of Czado, Gneiting and Held 2009).
    """
    mass = np.concatenate([(1 - p_demand)[:, None], p_demand[:, None] * pmf], axis=1)
    at = np.where(demand > 0, 1 + nearest(sizes, np.maximum(demand, 1e-3)), 0)[:, None]
    upper = np.take_along_axis(np.cumsum(mass, axis=1), at, axis=1)[:, 0]
    atom = np.maximum(np.take_along_axis(mass, at, axis=1)[:, 0], 1e-9)
    low, high = (1 - level) / 2, (1 + level) / 2
    inside = np.minimum(upper, high) - np.maximum(upper - atom, low)
    share: Floats = (inside / atom).clip(0, 1).astype(np.float32)
    return share


def orders(p_demand: Floats, pmf: Floats, sizes: Floats, case_pack: Floats, lost: Floats, returned: Floats) -> Orders:
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


def _outcome(mass: Floats, grid: Floats, quantity: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean left over, mean missed, probability that demand is met."""
    # Three products with the cumulated mass instead of a (rows, k) array of differences.
    met = grid <= quantity[:, None]
    served = (mass * met).sum(axis=1)
    left = quantity * served - (mass * met * grid).sum(axis=1)
    missed = (mass * ~met * grid).sum(axis=1) - quantity * (1 - served)
    return np.maximum(left, 0), np.maximum(missed, 0), served
