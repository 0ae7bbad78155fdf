"""What a delivery in whole cases says of the demand behind it: a store that wants 1.3 cases gets one, and so does one that wants half a case.

Where a product moves by one or two cases, the log of what was delivered is far from what was wanted, by chance and on average. So what was
delivered is taken for an interval, half a case to either side and everything below for the first case. Within it, demand is where a normal density
of its log has its mean (Dempster, Laird and Rubin 1977, for data known by intervals).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.frame import Bools
from transforms.panel import Floats

Doubles = npt.NDArray[np.float64]

_WHOLE = 0.95
"""Share of a case pack's deliveries in whole cases from which these are no choice of the store's."""
_PASSES, _WITHIN = 2, 2.0
"""Passes in which the spread is learned, and the most standard deviations that an error counts in it."""
_MOST_CASES = 60
"""Cases up to which the mean of what is delivered is summed; far above, rounding changes nothing."""
_TINY, _FURTHEST = 1e-6, 8.0


class Wanted(NamedTuple):
    """Logs of demand before it was rounded, shape (n, weeks), and the standard deviation of their noise."""

    log_size: Floats
    sigma: float


class WholeCases:
    """The series that are delivered in whole cases, and what their deliveries can stand for.

    Parameters
    ----------
    demand
        Of each series and week, shape (n, weeks), 0 for none.
    case_pack
        Units in a case, shape (n,); a series whose case is not known is delivered in units.
    centre
        What all logs are told as a distance to.
    """

    def __init__(self, demand: Floats, case_pack: Floats, centre: float) -> None:
        self._whole, self._log_case = _in_whole_cases(demand, case_pack), np.log(np.maximum(case_pack, 1)) - centre
        rows, weeks = np.nonzero((demand > 0) & self._whole[:, None])
        self._at = rows, weeks
        size, case = demand[rows, weeks].astype(np.float64), case_pack[rows].astype(np.float64)
        first = size < 1.5 * case
        self._low = np.where(first, -np.inf, np.log(np.where(first, 1, size - case / 2)) - centre)
        self._high = np.log(size + case / 2) - centre

    def wanted(self, log_size: Floats, fitted: Floats, sigma: float) -> Wanted:
        """Return the logs of sizes with those of whole cases as they were before rounding, given what was expected of each, shape (n, weeks).

        `sigma` is the standard deviation of the noise where nothing is delivered in whole cases, and what the search for it begins with.
        """
        if not len(self._low):
            return Wanted(log_size, sigma)
        mean = fitted[self._at].astype(np.float64)
        for _ in range(_PASSES):
            value, variance = _within(self._low, self._high, mean, sigma)
            sigma = float(np.sqrt(np.mean(np.minimum((value - mean) ** 2, (_WITHIN * sigma) ** 2) + variance)))
        before = log_size.copy()
        before[self._at] = _within(self._low, self._high, mean, sigma)[0]
        return Wanted(before, sigma)

    def delivered(self, mean: Floats, sigma: float) -> Floats:
        """Return the mean log of what is delivered of a demand with this mean log and standard deviation, shape (n,)."""
        from scipy.special import ndtr  # noqa: PLC0415 - heavy

        cases = np.arange(1, _MOST_CASES + 1)
        in_cases = np.clip(mean[self._whole] - self._log_case[self._whole], -_FURTHEST, None)
        below = ndtr((np.log(cases[:-1] + 0.5) - in_cases[:, None]) / sigma)
        # The mean of log cases is the sum of its steps, each times the chance to be above it.
        rounded = (1 - below) @ np.diff(np.log(cases))
        result = mean.copy()
        result[self._whole] = np.where(in_cases < np.log(_MOST_CASES / 2), rounded, in_cases) + self._log_case[self._whole]
        return result


def _in_whole_cases(demand: Floats, case_pack: Floats) -> Bools:
    """Series whose case pack is delivered in whole cases, shape (n,)."""
    came, case = demand > 0, np.where(case_pack > 1, case_pack, np.inf)
    packs, pack = np.unique(case, return_inverse=True)
    whole, every = (np.bincount(pack, counted.sum(axis=1), len(packs)) for counted in (came & (np.mod(demand, case[:, None]) == 0), came))
    return np.asarray((whole >= _WHOLE * np.maximum(every, 1))[pack])


def _within(low: Doubles, high: Doubles, mean: Doubles, sigma: float) -> tuple[Doubles, Doubles]:
    """Mean and variance of a normal density within an interval; the end nearest to `mean`, where the interval lies too far off."""
    from scipy.special import ndtr  # noqa: PLC0415 - heavy

    a, b = (np.clip((end - mean) / sigma, -_FURTHEST, _FURTHEST) for end in (low, high))
    share, (at_a, at_b) = ndtr(b) - ndtr(a), (np.exp(-0.5 * end * end) / np.sqrt(2 * np.pi) for end in (a, b))
    inside = share > _TINY
    share = np.where(inside, share, 1)
    pull = (at_a - at_b) / share
    variance = np.clip(1 + (a * at_a - b * at_b) / share - pull**2, 0, 1)
    return np.where(inside, mean + sigma * pull, np.clip(mean, low, high)), np.where(inside, sigma**2 * variance, 0)
