"""From a mean of log size to probabilities of the usual sizes: what members that regress the size have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.distribution import best_size
from models.members.base import Prepared
from models.support import Floats, Support

WIDTHS = (0.7, 0.85, 1.0)
"""Shares of the root mean square error that the density's width is tried with: deliveries vary in steps, so the best point wants a narrower one."""
_LEAST_SIGMA, _ROWS, _ROUNDS = 0.01, 20_000, 3
_PRIOR = 0.3
"""Deliveries that every size has had as often as the density says, before any is counted: the fewer a case pack has, the less they say."""
# Standard deviation of a normal density over its median absolute deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class Spread:
    """A normal density around the mean of the log, multiplied by how usual each size is for products of the same case pack.

    So the mass lies on case multiples, and on the halves and singles that this product group is delivered in.

    Attributes
    ----------
    sigma
        Standard deviation of the density.
    packs
        Units in a case, ascending, shape (m,); the first is 0 and stands for a case that is not known.
    usual
        How many times more often each size came than the density alone says, by case pack, shape (m, k).
    """

    sigma: float
    packs: Floats
    usual: Floats

    @classmethod
    def fit(cls, mean_of: Callable[[Prepared], Floats], hits: Prepared, held_back: Prepared, support: Support) -> Self:
        """Learn how usual sizes are, and choose the width with the least MAPE on held-back rows.

        Continuous sizes leave nothing to choose: none is more usual than its neighbours, and the width is that of the middle of the errors, which
        outliers do not move.

        Parameters
        ----------
        mean_of
            What the regression says of the log of the size of rows, shape (n,); asked only for the rows that are looked at.
        hits, held_back
            Rows with demand that it learned from, and that it did not learn from; where there are none of these, the former have to do.
        """
        judged = held_back if len(held_back) else hits
        mean = mean_of(judged)
        errors = judged.log_size - mean
        if support.continuous:
            return cls(_NORMAL * float(np.median(np.abs(errors))), np.ones(1, np.float32), np.ones((1, len(support)), np.float32))
        learned, tested = hits.take(_sample(len(hits))), _sample(len(held_back))
        tests, actual = held_back.take(tested), np.exp(held_back.log_size[tested])
        sigma = max(float(np.sqrt(np.mean(errors**2))), _LEAST_SIGMA)
        mean_learned = mean_of(learned)
        tried = [cls._of(sigma * width, mean_learned, learned, support) for width in WIDTHS]
        if not len(held_back):
            return tried[-1]
        points = (best_size(one.pmf(mean[tested], tests.case_pack, support), support.sizes) for one in tried)
        return tried[int(np.argmin([np.mean(np.abs(point - actual) / actual) for point in points]))]

    @classmethod
    def _of(cls, sigma: float, mean: Floats, hits: Prepared, support: Support) -> Self:
        """Learn how usual sizes are by iterative proportional fitting (Deming and Stephan 1940).

        What the density expects of each size is multiplied until it is what came, first for all rows, then for those of each case pack.
        """
        packs, pack = np.unique(hits.case_pack, return_inverse=True)
        density, target, k = _density(mean, sigma, support), hits.target, len(support)
        usual, came = np.ones(k, np.float32), np.bincount(target, minlength=k)
        for _ in range(_ROUNDS):
            usual = usual * (came + _PRIOR) / (_normalised(density * usual).sum(axis=0) + _PRIOR)
        of_pack, came = np.tile(usual, (len(packs), 1)), np.bincount(pack * k + target, minlength=len(packs) * k).reshape(len(packs), k)
        for _ in range(_ROUNDS):
            of_pack = of_pack * (came + _PRIOR) / (_sums(_normalised(density * of_pack[pack]), pack, len(packs)) + _PRIOR)
        return cls(sigma, np.append(np.float32(0), packs), np.vstack([usual, of_pack]).astype(np.float32))

    def pmf(self, mean: Floats, case_pack: Floats, support: Support) -> Floats:
        """Probabilities of the usual sizes, shape (n, k), for means of log size and case packs, shape (n,); one never seen is as the nearest."""
        nearest = np.searchsorted((self.packs[1:] + self.packs[:-1]) / 2, case_pack)
        return _normalised(_density(mean, self.sigma, support) * self.usual[nearest])

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name."""
        return {"spread.sigma": np.asarray([self.sigma]), "spread.packs": self.packs, "spread.usual": self.usual}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Rebuild from `state()`."""
        return cls(float(state["spread.sigma"][0]), state["spread.packs"], state["spread.usual"])


def _sample(rows: int) -> npt.NDArray[np.int64]:
    """Rows evenly taken out of all."""
    return np.linspace(0, rows - 1, min(rows, _ROWS)).astype(np.int64)


def _density(mean: Floats, sigma: float, support: Support) -> Floats:
    distance = (np.log(support.sizes)[None, :] - mean[:, None]) / np.float32(sigma)
    density: Floats = np.exp(-0.5 * np.minimum(distance**2, 60)).astype(np.float32)
    return density


def _normalised(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _sums(rows: Floats, group: npt.NDArray[np.intp], groups: int) -> Floats:
    """Sum of the rows of each group, shape (groups, k)."""
    order = np.argsort(group, kind="stable")
    sums: Floats = np.add.reduceat(rows[order], np.searchsorted(group[order], np.arange(groups)), axis=0)
    return sums
