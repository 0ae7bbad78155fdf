"""The usual sizes of a segment. Deliveries come in case multiples, so a few dozen sizes hold nearly all of them; a distribution over them gives the
best point for any metric, the quantiles and the order plan at once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from transforms.arrays import Floats32, Ints64

Floats = Floats32
"""As members in users' hands import it."""
FREQUENT_SHARE = 0.98
"""Share of deliveries that the most frequent sizes shall hold."""
CONTINUOUS, JUDGED = 0.75, 40
"""Share of deliveries that are none of the `JUDGED` most frequent sizes from which sizes are taken to be continuous: multiples of a level, say."""
STEPS, ENDS = 80, (0.002, 0.998)
"""Sizes in the grid of continuous ones, and the quantiles between which it reaches."""


@dataclass(frozen=True)
class Support:
    """The usual sizes.

    Attributes
    ----------
    sizes
        In ascending order, shape (k,), all above 0.
    means
        Mean of the deliveries that are nearest to each: what a size stands for when means are taken. The largest one stands for a long tail.
    continuous
        Whether sizes hardly repeat, so that the grid is one of even steps and none is more usual than its neighbours.
    """

    sizes: Floats32
    means: Floats32
    continuous: bool = False

    @classmethod
    def of(cls, sizes: Floats32, most: int = 80, tail: int = 16) -> Self:
        """Choose the most frequent sizes, until they hold nearly all deliveries, and quantiles of the rest.

        Where sizes hardly repeat, choose even steps of their logs.

        Parameters
        ----------
        sizes
            Sizes seen, shape (n,), all above 0.
        most, tail
            How many single values at most, and how many quantiles for those that are none of them.
        """
        values, counts = np.unique(sizes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        continuous = counts[order[JUDGED:]].sum() > CONTINUOUS * len(sizes)
        enough = int(np.searchsorted(np.cumsum(counts[order]), FREQUENT_SHARE * len(sizes))) + 1
        order = order[: min(enough, most)]
        chosen, rest = values[order], sizes[~np.isin(sizes, values[order])]
        if continuous:
            low, high = np.quantile(sizes, ENDS)
            chosen = np.geomspace(low, high, STEPS)
        elif len(rest):
            chosen = np.concatenate([chosen, np.quantile(rest, np.linspace(0.02, 0.98, tail), method="nearest")])
        grid = np.unique(chosen).astype(np.float32)
        place = nearest(grid, sizes)
        count = np.bincount(place, minlength=len(grid))
        means = np.bincount(place, sizes, len(grid)) / np.maximum(count, 1)
        return cls(grid, np.where(count > 0, means, grid).astype(np.float32), bool(continuous))

    def index(self, sizes: Floats32) -> Ints64:
        """Position of the nearest size (by ratio) for each of `sizes`; NaN gives -1."""
        known = ~np.isnan(sizes)
        return np.where(known, nearest(self.sizes, np.where(known, sizes, 1)), -1)

    def __len__(self) -> int:
        return len(self.sizes)


def nearest(grid: Floats32, sizes: Floats32) -> Ints64:
    """Index of the value of ascending `grid` whose ratio to each size is nearest to 1."""
    borders = np.sqrt(grid[1:] * grid[:-1])
    return np.searchsorted(borders, sizes, side="left")
