"""From a mean of log size to probabilities of the usual sizes: what members that regress the size have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Prepared
from models.members.distribution import best_size
from models.support import Support
from transforms.arrays import Floats32, Ints64

WIDTHS = (0.85, 0.7, 1.0)
"""Shares of the root mean square error that the density's width is tried with, the one that scales are compared with first: deliveries vary in
steps, so the best point wants a narrower one."""
DOUBT = 1.0
"""Standard errors by which scales of rows have to be better than none; a delivery that is forecast from two origins counts as two rows in them."""
_LEAST_SIGMA, _ROWS, _ROUNDS = 0.01, 20_000, 3
_PRIOR = 0.3
"""Deliveries that every size has had as often as the density says, before any is counted: the fewer a case pack has, the less they say."""
_LEAST_ERROR, _RIDGE, _FARTHEST = 0.1, 1e-3, 2.0
"""What is added to an error before its log is taken, the ridge penalty of the regression of these, and how far from 0 its result can be."""
# Standard deviation of a normal density over its median absolute deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class Spread:
    """A normal density around the mean of the log, multiplied by how usual each size is for products of the same case pack.

    So the mass lies on case multiples, and on the halves and singles that this product group is delivered in.

    Attributes
    ----------
    sigma
        Standard deviation of the density of a row whose scale is 1.
    scale
        Linear coefficients of the log of each row's scale, the intercept last, shape (p + 1,); empty where all rows have 1. Series that always get
        the same are known better than those that are delivered now one case and now five.
    packs
        Units in a case, ascending, shape (m,); the first is 0 and stands for a case that is not known.
    usual
        How many times more often each size came than the density alone says, by case pack, shape (m, k).
    """

    sigma: float
    scale: Floats32
    packs: Floats32
    usual: Floats32

    @classmethod
    def fit(cls, mean_of: Callable[[Prepared], Floats32], hits: Prepared, held_back: Prepared, support: Support) -> Self:
        """Learn how usual sizes are, and choose width and scale by MAPE on held-back rows.

        Continuous sizes leave nothing to choose: none is more usual than its neighbours, and the width is that of the middle of the errors, which
        outliers do not move.

        Parameters
        ----------
        mean_of
            What the regression says of the log of the size of rows, shape (n,); asked only for the rows that are looked at.
        hits, held_back
            Rows with demand that it learned from, and that it did not learn from; where there are none of these, the former have to do.
        """
        judged, flat = held_back if len(held_back) else hits, np.zeros(0, np.float32)
        mean = mean_of(judged)
        errors = judged.log_size - mean
        if support.continuous:
            return cls(_NORMAL * float(np.median(np.abs(errors))), flat, np.ones(1, np.float32), np.ones((1, len(support)), np.float32))
        learned = hits.take(_sample(len(hits)))
        if not len(held_back):
            return cls._of(_root_mean_square(errors), flat, mean_of(learned), learned, support)
        tested = _sample(len(held_back))
        tests, actual, mean_learned = held_back.take(tested), np.exp(held_back.log_size[tested]), mean_of(learned)

        def tried(scale: Floats32, width: float) -> tuple[Self, Floats32]:
            sigma = width * _root_mean_square(errors / _scales(scale, judged))
            one = cls._of(sigma, scale, mean_learned, learned, support)
            point = best_size(one.pmf(mean[tested], tests, support), support.sizes)
            return one, (np.abs(point - actual) / actual).astype(np.float32)

        scale = _log_scale(learned, learned.log_size - mean_learned)
        found: list[tuple[Self, Floats32]] = [tried(flat, WIDTHS[0]), tried(scale, WIDTHS[0])]
        better = found[0][1] - found[1][1]
        scaled = int(len(better) > 1 and better.mean() > DOUBT * better.std(ddof=1) / np.sqrt(len(better)))
        found = [found[scaled], *(tried((flat, scale)[scaled], width) for width in WIDTHS[1:])]
        return min(found, key=lambda one: float(one[1].mean()))[0]

    @classmethod
    def _of(cls, sigma: float, scale: Floats32, mean: Floats32, hits: Prepared, support: Support) -> Self:
        """Learn how usual sizes are by iterative proportional fitting (Deming and Stephan 1940).

        What the density expects of each size is multiplied until it is what came, first for all rows, then for those of each case pack.
        """
        packs, pack = np.unique(hits.case_pack, return_inverse=True)
        density, target, k = _density(mean, sigma * _scales(scale, hits), support), hits.target, len(support)
        usual, counts = np.ones(k, np.float32), np.bincount(target, minlength=k)
        for _ in range(_ROUNDS):
            usual = usual * (counts + _PRIOR) / (_normalised(density * usual).sum(axis=0) + _PRIOR)
        of_pack, counts = np.tile(usual, (len(packs), 1)), np.bincount(pack * k + target, minlength=len(packs) * k).reshape(len(packs), k)
        for _ in range(_ROUNDS):
            of_pack = of_pack * (counts + _PRIOR) / (_sums(_normalised(density * of_pack[pack]), pack, len(packs)) + _PRIOR)
        return cls(sigma, scale, np.append(np.float32(0), packs), np.vstack([usual, of_pack]).astype(np.float32))

    def pmf(self, mean: Floats32, rows: Prepared, support: Support) -> Floats32:
        """Probabilities of the usual sizes, shape (n, k), for means of log size, shape (n,), of rows; a case pack never seen is as the nearest."""
        nearest = np.searchsorted((self.packs[1:] + self.packs[:-1]) / 2, rows.case_pack)
        return _normalised(_density(mean, self.sigma * _scales(self.scale, rows), support) * self.usual[nearest])

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name."""
        return {"spread.sigma": np.asarray([self.sigma]), "spread.scale": self.scale, "spread.packs": self.packs, "spread.usual": self.usual}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Rebuild from `state()`."""
        return cls(float(state["spread.sigma"][0]), state["spread.scale"], state["spread.packs"], state["spread.usual"])


def _sample(rows: int) -> Ints64:
    """Rows evenly taken out of all."""
    return np.linspace(0, rows - 1, min(rows, _ROWS)).astype(np.int64)


def _root_mean_square(errors: Floats32) -> float:
    return max(float(np.sqrt(np.mean(errors**2))), _LEAST_SIGMA)


def _log_scale(rows: Prepared, errors: Floats32) -> Floats32:
    """Ridge regression of the log of the size of errors on the numbers of rows, the intercept last: shape (p + 1,).

    The errors are those of rows that were learned from, which are too small alike: how wide a scale of 1 is, held-back rows say.
    """
    x = np.column_stack([rows.numbers, np.ones(len(rows), np.float32)])
    gram = (x.T @ x).astype(np.float64) / len(x) + _RIDGE * np.eye(x.shape[1])
    aim = (x.T @ np.log(np.abs(errors) + np.float32(_LEAST_ERROR))).astype(np.float64) / len(x)
    return np.linalg.solve(gram, aim).astype(np.float32)


def _scales(scale: Floats32, rows: Prepared) -> Floats32:
    """Scale of each row's density, shape (n,)."""
    if not len(scale):
        return np.ones(len(rows), np.float32)
    scales: Floats32 = np.exp(np.clip(rows.numbers @ scale[:-1] + scale[-1], -_FARTHEST, _FARTHEST))
    return scales


def _density(mean: Floats32, sigma: Floats32, support: Support) -> Floats32:
    """Of the log of each size, times what makes the largest of a row 1: a mean far beyond all sizes stands for the nearest."""
    squared = ((np.log(support.sizes)[None, :] - mean[:, None]) / sigma[:, None]) ** 2
    density: Floats32 = np.exp(-0.5 * np.minimum(squared - squared.min(axis=1, keepdims=True), 60)).astype(np.float32)
    return density


def _normalised(weights: Floats32) -> Floats32:
    shares: Floats32 = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _sums(rows: Floats32, group: npt.NDArray[np.intp], groups: int) -> Floats32:
    """Sum of the rows of each group, shape (groups, k)."""
    order = np.argsort(group, kind="stable")
    sums: Floats32 = np.add.reduceat(rows[order], np.searchsorted(group[order], np.arange(groups)), axis=0)
    return sums
