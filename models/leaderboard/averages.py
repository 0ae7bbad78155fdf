"""Means and medians over what is on record."""

import numpy as np

from transforms.arrays import Floats64


def mean(values: Floats64, weight: Floats64 | None, axis: int | tuple[int, ...]) -> tuple[Floats64, Floats64]:
    """Weighted mean over what is known (0 where nothing is), and the log of the weight behind it."""
    known = ~np.isnan(values)
    used = known if weight is None else np.where(known, weight, 0)
    total = used.sum(axis=axis)
    return (np.where(known, values, 0) * used).sum(axis=axis) / np.maximum(total, 1e-9), np.log(total + 1e-3)


def median(values: Floats64) -> Floats64:
    """Median over the weeks on record, NaN where there is none."""
    return quantile(values, 0.5)


def quantile(values: Floats64, share: float) -> Floats64:
    """Quantile over the weeks on record, between the two nearest of them, NaN where there is none."""
    # Sorting puts the unknown last, so the two neighbours among those known are found by their count.
    ordered, count = np.sort(values, axis=2), (~np.isnan(values)).sum(axis=2, keepdims=True)
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    below, above = (np.take_along_axis(ordered, np.minimum(at, np.maximum(count - 1, 0)), axis=2)[:, :, 0] for at in (low, low + 1))
    part = (place - low)[:, :, 0]
    return np.asarray(below + part * (above - below))
