"""From a mean of log size to probabilities of the usual sizes: what members that regress the size have in common."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from models.distribution import best_size
from models.members.base import Prepared
from models.support import Floats, Support

WIDTHS = (0.35, 0.6, 1.0)
RECENT_WEIGHTS = (0.0, 0.3, 1.0, 3.0)
_TUNING_ROWS = 20_000
# Standard deviation of a normal density over its median absolute deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class Spread:
    """A normal density around the mean, multiplied by how usual each size is in the segment and among the series' last deliveries.

    So the mass lies on case multiples.

    Attributes
    ----------
    sigma
        Root mean square of the regression's error, or its robust estimate for continuous sizes.
    width
        Share of `sigma` that the density has: deliveries vary in steps, so the best point wants a narrower one.
    recent_weight
        Weight of the last deliveries.
    """

    sigma: float
    width: float
    recent_weight: float

    @classmethod
    def choose(cls, sigma: float, mean: Floats, hits: Prepared, support: Support) -> Self:
        """Choose width and weight with the least MAPE on rows with demand, whose predicted mean is `mean`, shape (n,).

        Continuous sizes leave nothing to choose: none repeats, and the width is that of the middle of the errors, which outliers do not move.
        """
        if support.continuous:
            return cls(_NORMAL * float(np.median(np.abs(hits.log_size - mean))), 1.0, 0.0)
        sample = np.linspace(0, len(hits) - 1, min(len(hits), _TUNING_ROWS)).astype(np.int64)
        rows, around = hits.take(sample), mean[sample]
        actual = np.exp(rows.log_size)
        tried = [cls(sigma, width, weight) for width in WIDTHS for weight in RECENT_WEIGHTS]
        errors = [float(np.mean(np.abs(best_size(one.pmf(around, rows.recent, support), support.sizes) - actual) / actual)) for one in tried]
        return tried[int(np.argmin(errors))]

    def pmf(self, mean: Floats, recent: npt.NDArray[np.int64], support: Support) -> Floats:
        """Probabilities of the usual sizes, shape (n, k), for means of log size, shape (n,), and support indices of the last sizes."""
        distance = (np.log(support.sizes)[None, :] - mean[:, None]) / (self.sigma * self.width)
        density = np.exp(-0.5 * np.minimum(distance**2, 60)).astype(np.float32)
        density *= support.share + 1e-4
        if self.recent_weight:
            usual = _counts(recent, len(support))
            density *= 1 + self.recent_weight * usual / np.maximum(support.share, 0.01)
        pmf: Floats = density / density.sum(axis=1, keepdims=True)
        return pmf


def _counts(recent: npt.NDArray[np.int64], k: int) -> Floats:
    """Share of each usual size among the last deliveries, shape (n, k)."""
    n = len(recent)
    known = recent >= 0
    flat = np.repeat(np.arange(n), known.sum(axis=1)) * k + recent[known]
    counts = np.bincount(flat, minlength=n * k).reshape(n, k).astype(np.float32)
    shares: Floats = counts / np.maximum(known.sum(axis=1, keepdims=True), 1).astype(np.float32)
    return shares
