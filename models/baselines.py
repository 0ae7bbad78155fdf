"""The historical average of a region and format: what every model is compared with, and the last rung of the failover ladder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.distribution import Points
from models.support import Floats
from transforms.frame import Frame


@dataclass(frozen=True)
class HistoricalAverage:
    """Mean of a series over its life, with zero weeks (`mean`), without them (`size`), and the share of weeks with demand (`rate`).

    `keys` are the sorted `store|product` of the series known; a series that came later gets the mean over all series.
    """

    keys: npt.NDArray[np.str_]
    mean: Floats
    size: Floats
    rate: Floats

    @classmethod
    def fit(cls, frame: Frame) -> Self:
        """Take the averages that a scoring frame of the training origin holds (one horizon is enough)."""
        first = frame.take(frame.horizon == frame.horizon.min())
        keys = series_keys(first)
        order = np.argsort(keys)
        return cls(keys[order], first.baseline[order], first.baseline_size[order], first.rate[order])

    def predict(self, frame: Frame) -> Points:
        """Points of each row: size as it is, quantiles of a two-point distribution with mass at 0 and at `size`."""
        keys = series_keys(frame)
        if not len(self.keys):
            zero = np.zeros(len(frame), np.float32)
            return Points(zero, zero, zero, zero, zero, zero)
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[found] == keys
        rate, size, mean = (np.where(known, v[found], v.mean()).astype(np.float32) for v in (self.rate, self.size, self.mean))
        quantiles = [np.where(1 - rate >= level, 0, size).astype(np.float32) for level in (0.1, 0.5, 0.9)]
        return Points(rate, size, mean, *quantiles)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Arrays to store; the keys go into the manifest, as text."""
        return {"mean": self.mean, "size": self.size, "rate": self.rate}


def series_keys(frame: Frame) -> npt.NDArray[np.str_]:
    """`store|product` of each row."""
    store, product = frame.categorical["store"], frame.categorical["product"]
    return np.char.add(np.char.add(store.levels[store.codes], "|"), product.levels[product.codes])
