"""Demand behind deliveries in whole cases: a store that wants 1.3 cases gets one, and so does one that wants half a case.

Where a product moves by one or two cases, the log of what was delivered is far from what was wanted, by chance and on average. So what was
delivered is taken for an interval, half a case to either side and everything below for the first case. Within it, demand is where a normal density
of its log has its mean (Dempster, Laird and Rubin 1977, for data known by intervals).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes, Floats32, Floats64

_WHOLE, _PRIOR = 0.95, 10
"""Share of deliveries in whole cases from which these are no choice of the store's, and deliveries for which a case pack speaks for a product."""
_PASSES, _WITHIN, _LEAST_SIGMA = 2, 2.0, 0.03
"""Passes in which the spread is learned, the most standard deviations that an error counts in it, and the least that it can be."""
_MOST_CASES = 60
"""Cases up to which rounding is reckoned with; beyond, it changes nothing."""
_TINY, _FARTHEST = 1e-6, 8.0
"""Least share of a density that an interval can have, and standard deviations that stand for infinitely many."""


class Wanted(NamedTuple):
    """Logs of demand before it was rounded, shape (n, weeks), and the standard deviation of their noise."""

    log_size: Floats32
    sigma: float


class WholeCases:
    """The series that are delivered in whole cases, and what their deliveries can stand for.

    Parameters
    ----------
    demand, product
        Demand of each series and week, shape (n, weeks), 0 for none, and the products of the series.
    case_pack
        Units in a case, shape (n,); a series whose case is not known is delivered in units.
    centre
        Log that all others are a distance to.
    """

    def __init__(self, demand: Floats32, product: Codes, case_pack: Floats32, centre: float) -> None:
        delivered, case = demand > 0, np.where(case_pack > 1, case_pack, np.inf)
        whole = delivered & (np.mod(demand, case[:, None]) == 0)
        self._series = _never_broken(whole.sum(axis=1), delivered.sum(axis=1), product, case)
        self._log_case = np.log(np.where(self._series, case, 1)) - centre
        self._deliveries = rows, weeks = np.nonzero(whole & self._series[:, None])
        size, of_case = demand[rows, weeks].astype(np.float64), case[rows]
        with np.errstate(divide="ignore"):
            self._low = np.log(np.where(size > of_case, size - of_case / 2, 0)) - centre
        self._high = np.log(size + of_case / 2) - centre

    def wanted(self, log_size: Floats32, fitted: Floats32, sigma: float) -> Wanted:
        """Return the logs of sizes with those of whole cases as they were before rounding, given what was expected of each, shape (n, weeks).

        `sigma` is the standard deviation of the noise where nothing is delivered in whole cases, and what the search for it begins with.
        """
        if not len(self._low):
            return Wanted(log_size, sigma)
        mean = fitted[self._deliveries].astype(np.float64)
        for _ in range(_PASSES):
            value, variance = _within(self._low, self._high, mean, sigma)
            sigma = max(float(np.sqrt(np.mean(np.minimum((value - mean) ** 2, (_WITHIN * sigma) ** 2) + variance))), _LEAST_SIGMA)
        before = log_size.copy()
        before[self._deliveries] = _within(self._low, self._high, mean, sigma)[0]
        return Wanted(before, sigma)

    def delivered(self, mean: Floats32, sigma: float) -> Floats32:
        """Return the mean log of what is delivered of a demand with this mean log and standard deviation, shape (n,)."""
        from scipy.special import ndtr  # noqa: PLC0415 - heavy

        cases = np.arange(1, _MOST_CASES + 1)
        in_cases = mean[self._series] - self._log_case[self._series]
        above = ndtr((in_cases[:, None] - np.log(cases[:-1] + 0.5)) / sigma)
        # The mean of log cases is the sum of its steps, each times the chance to be above it; then what a density has beyond the last of them.
        z = (in_cases - np.log(_MOST_CASES)) / sigma
        result = mean.copy()
        result[self._series] = above @ np.diff(np.log(cases)) + sigma * (_density(z) + z * ndtr(z)) + self._log_case[self._series]
        return result


def _never_broken(whole: npt.NDArray[np.intp], every: npt.NDArray[np.intp], product: Codes, case: Floats32) -> Bools:
    """Series whose product is delivered in whole cases, as those of its case pack are, shape (n,): few deliveries of a product tell little."""
    packs, pack = np.unique(case, return_inverse=True)
    of_pack = (np.bincount(pack, whole, len(packs)) / np.maximum(np.bincount(pack, every, len(packs)), 1))[pack]
    n = int(product.max(initial=-1)) + 1
    of_product = (np.bincount(product, whole, n)[product] + _PRIOR * of_pack) / (np.bincount(product, every, n)[product] + _PRIOR)
    return np.asarray((of_pack >= _WHOLE) & (of_product >= _WHOLE))


def _within(low: Floats64, high: Floats64, mean: Floats64, sigma: float) -> tuple[Floats64, Floats64]:
    """Mean and variance of a normal density within an interval; the end nearest to `mean`, where the interval lies too far off."""
    from scipy.special import ndtr  # noqa: PLC0415 - heavy

    a, b = (np.clip((end - mean) / sigma, -_FARTHEST, _FARTHEST) for end in (low, high))
    share, (at_a, at_b) = ndtr(b) - ndtr(a), (_density(end) for end in (a, b))
    inside = share > _TINY
    share = np.where(inside, share, 1)
    pull = (at_a - at_b) / share
    variance = np.clip(1 + (a * at_a - b * at_b) / share - pull**2, 0, 1)
    return np.where(inside, mean + sigma * pull, np.clip(mean, low, high)), np.where(inside, sigma**2 * variance, 0)


def _density(z: Floats64) -> Floats64:
    density: Floats64 = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return density
