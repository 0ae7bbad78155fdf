"""The historical average of a region and format as a model: what a series has sold so far, as a distribution. The last step of the failover ladder.

The plain averages that every metric stands beside (`baseline`, `baseline_size`) are columns of the frames themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Distribution
from models.members.distribution import Points, points
from models.support import Support
from transforms.arrays import Bools, Floats32, Texts
from transforms.features.frame import Frame
from transforms.panel.panel import Panel
from transforms.panel.unconstrained_demand import estimated_demand

PRIOR_WEEKS = 4.0
"""Weeks (for sizes: deliveries) of its category that each series is taken to have seen beside its own."""


@dataclass(frozen=True)
class HistoricalAverage:
    """Sizes and chance of demand of each series over its life, drawn to those of its product category by as much as it has few weeks of its own.

    Attributes
    ----------
    keys
        Sorted `store|product` of the series known, shape (n,). Of a series that came later only its category speaks.
    support
        The usual sizes of the format.
    weeks
        Length of each series' life, shape (n,).
    starts, at, count
        Deliveries of series i by size: the entries `starts[i]` to `starts[i + 1]` of `at` (index into the sizes) and `count`.
    categories
        Sorted texts of the product categories, shape (c,).
    usual, rate
        Shares of the sizes and share of weeks with demand of each category, shapes (c + 1, k) and (c + 1,); the last row is all of them together.
    """

    keys: Texts
    support: Support
    weeks: Floats32
    starts: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    count: Floats32
    categories: Texts
    usual: Floats32
    rate: Floats32

    @classmethod
    def fit(cls, panel: Panel, rows: Frame) -> Self:
        """Count what the series of a scoring frame have sold up to the end of its panel (one horizon is enough)."""
        first = rows.take(rows.horizon == rows.horizon.min())
        keys = series_keys(first)
        order = np.argsort(keys)
        demand = estimated_demand(panel)[first.series[order]]
        hit = demand > 0
        weeks = np.where(hit.any(axis=1), demand.shape[1] - hit.argmax(axis=1), 1).astype(np.float32)
        support = Support.of(demand[hit])
        series, _ = np.nonzero(hit)
        places, count = np.unique(series * len(support) + support.index(demand[hit]), return_counts=True)
        owner, at = np.divmod(places, max(len(support), 1))
        categories, category = np.unique(_text(first, "category")[order], return_inverse=True)
        sizes = np.zeros((len(categories) + 1, len(support)), np.float32)
        np.add.at(sizes, (category[owner], at), count)
        lived, hits = np.bincount(category, weeks, len(categories) + 1).astype(np.float32), sizes.sum(axis=1)
        sizes[-1], lived[-1], hits[-1] = sizes.sum(axis=0), lived.sum(), hits.sum()
        overall, rate = sizes[-1] / max(hits[-1], 1), hits[-1] / max(lived[-1], 1)
        return cls(
            keys=keys[order],
            support=support,
            weeks=weeks,
            starts=np.searchsorted(owner, np.arange(len(keys) + 1)).astype(np.int32),
            at=at.astype(np.int32),
            count=count.astype(np.float32),
            categories=categories,
            usual=(_drawn(sizes, hits[:, None], overall)).astype(np.float32),
            rate=(_drawn(hits, lived, rate)).astype(np.float32),
        )

    def predict(self, frame: Frame) -> Distribution:
        """Return the distribution of each row: the same for all horizons."""
        series, known = _found(self.keys, series_keys(frame))
        category, in_list = _found(self.categories, _text(frame, "category"))
        category = np.where(in_list, category, len(self.categories))
        own = np.zeros((len(self.keys) + 1, len(self.support)), np.float32)
        own[np.repeat(np.arange(len(self.keys)), np.diff(self.starts)), self.at] = self.count
        own = own[np.where(known, series, len(self.keys))]
        hits, weeks = own.sum(axis=1), np.where(known, np.append(self.weeks, np.float32(0))[series], np.float32(0))
        chance = _drawn(hits, weeks, self.rate[category])
        return Distribution(chance.astype(np.float32), _drawn(own, hits[:, None], self.usual[category]).astype(np.float32))

    def points(self, predicted: Distribution, frame: Frame) -> Points:  # noqa: ARG002 - as an ensemble's
        """Points of a distribution that `predict` returned for the same rows."""
        return points(predicted.p_demand, predicted.pmf, self.support.sizes, predicted.p_demand * (predicted.pmf @ self.support.means))

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Arrays to store; keys and categories go into the manifest, as text."""
        arrays = {name: getattr(self, name) for name in ("weeks", "starts", "at", "count", "usual", "rate")}
        return {**arrays, "sizes": self.support.sizes, "means": self.support.means, "continuous": np.asarray([self.support.continuous])}


def series_keys(frame: Frame) -> Texts:
    """`store|product` of each row."""
    return np.char.add(np.char.add(_text(frame, "store"), "|"), _text(frame, "product"))


def _text(frame: Frame, name: str) -> Texts:
    column = frame.categorical[name]
    return column.levels[column.codes]


def _drawn(seen: Floats32, of: Floats32, usual: Floats32) -> Floats32:
    """Shares seen, as if `PRIOR_WEEKS` more had been as usual."""
    drawn: Floats32 = (seen + PRIOR_WEEKS * usual) / (of + PRIOR_WEEKS)
    return drawn


def _found(levels: Texts, wanted: Texts) -> tuple[npt.NDArray[np.intp], Bools]:
    """Position of each text in sorted `levels`, and whether it is there."""
    if not len(levels):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(levels, wanted), len(levels) - 1)
    return at, levels[at] == wanted
