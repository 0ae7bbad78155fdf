"""Rows to train on or to score. What the columns mean and how they are made is in `transforms.features`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.panel import Coded, Codes, Floats

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """Rows to train on or to score: one for each series and target week.

    Attributes
    ----------
    numeric
        Shape (n, p), NaN where unknown; columns are named by `names`.
    categorical
        Coded columns of length n.
    series, horizon
        Index into the panel's series and weeks ahead, shape (n,).
    recent
        The last sizes of the series, newest first, shape (n, recency.RECENT), NaN where there were fewer.
    rate, baseline, baseline_size
        Historical averages over the life of the series: share of weeks with demand, demand, demand of the weeks with demand.
    fast
        True where the product is a fast mover in its region and format, shape (n,).
    demand
        What came, shape (n,); None while it is not known.
    weight
        Rows that a row stands for, shape (n,).
    """

    numeric: Floats
    names: tuple[str, ...]
    categorical: dict[str, Coded]
    series: Codes
    horizon: Codes
    recent: Floats
    rate: Floats
    baseline: Floats
    baseline_size: Floats
    fast: Bools
    large: Bools
    weight: Floats
    demand: Floats | None = None

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: npt.NDArray[np.integer] | Bools) -> "Frame":
        """The frame at `rows`."""
        index: npt.NDArray[np.intp] = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.intp)
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS}
        return Frame(
            names=self.names,
            categorical={name: column.take(index) for name, column in self.categorical.items()},
            demand=None if self.demand is None else self.demand[index],
            **arrays,
        )

    @staticmethod
    def concat(frames: Sequence["Frame"]) -> "Frame":
        """Stack frames of the same panel."""
        first = frames[0]
        arrays = {name: np.concatenate([getattr(frame, name) for frame in frames]) for name in _ARRAYS}
        columns = {
            name: Coded(np.concatenate([frame.categorical[name].codes for frame in frames]), column.levels)
            for name, column in first.categorical.items()
        }
        known = [frame.demand for frame in frames if frame.demand is not None]
        return Frame(names=first.names, categorical=columns, demand=np.concatenate(known) if len(known) == len(frames) else None, **arrays)


_ARRAYS = ("numeric", "series", "horizon", "recent", "rate", "baseline", "baseline_size", "fast", "large", "weight")
