"""Deliveries that sold out: demand was at least what was shipped, and what more it would have been is estimated, not taken for 0.

A delivery of which nothing has come back has sold out, or its return is still to come. The log of the demand of a week with demand is taken for
normal around the series' level, which moves slowly, and what the product did that week in all stores; both are found by the EM algorithm (Dempster,
Laird and Rubin 1977) with sold-out weeks as censored (Tobin 1958). That makes sense where leftovers come back, and nowhere else.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import Codes, Floats32
from transforms.panel.late_returns import Arrivals
from transforms.panel.panel import Panel

_ROUNDS = 6
"""More of them move bias and RMSE on the sample world by less than seeds do."""
_OVERRELAXED = 1.6
"""Steps are this much longer than EM's, which crawls where most weeks are censored (Salakhutdinov and Roweis 2003); with 2 and more it diverges."""
_HALF_WIDTH = 6
"""Weeks to each side that a series' level is smoothed over, twice."""
_PRIOR_LEVEL, _PRIOR_COMMON = 1.0, 0.3
"""Weeks of the series' mean, and series that did nothing special that week: what little is known is drawn to these."""
_TINY = np.float32(1e-30)


@dataclass(frozen=True)
class SoldOut:
    """Demand that may be behind the deliveries of which nothing has come back.

    Attributes
    ----------
    shipped
        What was shipped, shape (n,), as all that follow but `sigma`.
    border
        Log of the least demand that would have taken all of it.
    mean_log, sigma
        Mean and spread of the log of demand, given demand.
    all_sold, some_sold
        Chance that it sold out, and that some was sold but not all; the rest is that nothing was, and everything is still to come back.
    """

    shipped: Floats32
    border: Floats32
    mean_log: Floats32
    sigma: float
    all_sold: Floats32
    some_sold: Floats32

    def mean(self) -> Floats32:
        """Mean demand given what is known."""
        mean: Floats32 = self.all_sold * self.above() + self.some_sold * self.below()
        return mean

    def above(self) -> Floats32:
        """Mean demand if all was sold."""
        return np.maximum(self._mean_beyond(1), self.shipped)

    def below(self) -> Floats32:
        """Mean demand if some was sold but not all."""
        return np.minimum(self._mean_beyond(-1), self.shipped)

    def _mean_beyond(self, side: int) -> Floats32:
        """Mean of the lognormal above (1) or below (-1) the border."""
        from scipy.special import ndtr  # noqa: PLC0415 - heavy

        z, size = side * (self.border - self.mean_log) / self.sigma, np.exp(self.mean_log + self.sigma**2 / 2)
        mean: Floats32 = (size * ndtr(side * self.sigma - z) / np.maximum(ndtr(-z), _TINY)).astype(np.float32)
        return mean


def sold_out(panel: Panel, arrivals: Arrivals, at: npt.NDArray[np.int64], unit: Floats32) -> SoldOut:
    """Estimate what is behind the deliveries of which nothing has come back.

    Parameters
    ----------
    at
        Those deliveries, as raveled indices; see `Arrivals.silent`.
    unit
        Units in which deliveries of each series can differ, shape (series,).
    """
    shipped, to_come = panel.shipped, arrivals.to_come[arrivals.age]
    sent, net = shipped > 0, np.maximum(shipped - arrivals.in_the_end(), 0)
    series, week = np.divmod(at, panel.weeks)
    settled = sent & arrivals.settled
    # Two weeks with demand of two and a half beside those of the series.
    chance = (((settled & (net > 0)).sum(axis=1) + 2) / (settled.sum(axis=1) + 2.5)).astype(np.float32)[series]
    late, most = to_come[week], shipped.ravel()[at]
    border = np.log(most - np.minimum(unit[series], most) / 2)
    known = sent & (net > 0)
    log, weight = np.log(np.where(known, net, 1)), known.astype(np.float32)
    # A week counts by the chance that there was demand, where demand is as likely above what was shipped as below.
    demand = chance * (1 + late) / 2
    np.put(weight, at, demand / (demand + late * (1 - chance)))
    np.put(log, at, border)
    fit, sigma = _Weeks(panel.product, len(panel.products), weight), 0.5
    for _ in range(_ROUNDS):
        mean_log = fit.next(log)
        mean = mean_log.ravel()[at]
        all_sold, some_sold, expected, square = _expected(mean, sigma, border, chance, late)
        distance = log - mean_log
        np.put(distance, at, np.sqrt(square))
        sigma = float(np.sqrt((weight * distance**2).sum() / weight.sum()))
        before = log.ravel()[at]
        np.put(log, at, before + _OVERRELAXED * (expected - before))
    return SoldOut(most, border, mean, sigma, all_sold, some_sold)


def _expected(mean_log: Floats32, sigma: float, border: Floats32, chance: Floats32, late: Floats32) -> tuple[Floats32, Floats32, Floats32, Floats32]:
    """Chances that all and that some was sold; given demand, mean of its log and mean square of the distance of that to `mean_log`."""
    from scipy.special import ndtr  # noqa: PLC0415 - heavy

    # Far above what is usual, both tails would be 0 in single precision.
    z = np.minimum((border - mean_log) / np.float32(sigma), 10)
    above, density = ndtr(-z), np.exp(-z * z / 2) / np.float32(np.sqrt(2 * np.pi))
    every, some = chance * above, late * chance * (1 - above)
    total = np.maximum(every + some + late * (1 - chance), _TINY)
    # Of a normal cut at z: the part above it has mean density / above, the part below it -density / (1 - above).
    pull = chance * density * (1 - late) / np.maximum(every + some, _TINY)
    square = np.float32(sigma**2) * np.maximum(1 + z * pull, 0)
    return every / total, some / total, mean_log + np.float32(sigma) * pull, square


class _Weeks:
    """Fit of levels and of what products do in a week, given how much each week counts."""

    def __init__(self, product: Codes, products: int, weight: Floats32) -> None:
        self._product, self._order = product, np.argsort(product, kind="stable")
        self._present, self._starts = np.unique(product[self._order], return_index=True)
        self._weight, self._total = weight, np.maximum(weight.sum(axis=1), _TINY)
        self._around, self._common = _smooth(weight) + _PRIOR_LEVEL, np.zeros((products, weight.shape[1]), np.float32)
        self._others = self._by(weight) + _PRIOR_COMMON

    def next(self, log: Floats32) -> Floats32:
        """A round of the fit: mean log of demand by series and week."""
        own = self._weight * (log - self._common[self._product])
        level = (_smooth(own) + _PRIOR_LEVEL * (own.sum(axis=1) / self._total)[:, None]) / self._around
        self._common[self._present] = self._by(self._weight * (log - level)) / self._others
        fitted: Floats32 = level + self._common[self._product]
        return fitted

    def _by(self, values: Floats32) -> Floats32:
        sums: Floats32 = np.add.reduceat(values[self._order], self._starts, axis=0)
        return sums


def _smooth(values: Floats32) -> Floats32:
    """Mean over a window, twice; 0 beyond the ends."""
    from scipy.ndimage import uniform_filter1d  # noqa: PLC0415 - heavy

    once = uniform_filter1d(values, 2 * _HALF_WIDTH + 1, axis=1, mode="constant")
    smooth: Floats32 = uniform_filter1d(once, 2 * _HALF_WIDTH + 1, axis=1, mode="constant")
    return smooth
