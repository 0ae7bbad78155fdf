"""From a frame to what members compute with: standardised numbers and category indices. Learned on the training rows, kept in the artifact."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from transforms.arrays import Bools, Floats32, Ints64, Texts
from transforms.features.ahead import ANCHOR
from transforms.features.frame import Frame


@dataclass(frozen=True)
class Encoder:
    """Scales numbers and looks up categories.

    Attributes
    ----------
    names, mean, scale
        The numeric columns and their moments, shape (p,).
    levels
        Known texts of each categorical column, sorted; index 0 is kept for what was never seen.
    """

    names: tuple[str, ...]
    mean: Floats32
    scale: Floats32
    levels: dict[str, Texts]

    @classmethod
    def fit(cls, frame: Frame) -> Self:
        """Learn moments and levels from the rows of `frame`."""
        with np.errstate(invalid="ignore"):
            counts = np.maximum((~np.isnan(frame.numeric)).sum(axis=0), 1)
            mean = np.nansum(frame.numeric, axis=0, dtype=np.float64) / counts
            spread = np.sqrt(np.nansum((frame.numeric - mean) ** 2, axis=0, dtype=np.float64) / counts)
        scale = np.where(spread > 1e-6, spread, 1)
        # In the order of their names, which is the order of the indices and survives any way of storing them.
        levels = {name: np.sort(column.levels[np.unique(column.codes)]) for name, column in sorted(frame.categorical.items())}
        return cls(frame.names, mean.astype(np.float32), scale.astype(np.float32), levels)

    def numbers(self, frame: Frame) -> Floats32:
        """Standardised numbers, shape (n, width); unknown ones are 0, the mean. Clipped, so that a value far outside what was seen cannot explode.

        The parts of the anchor are not among them: their sum stands by itself.
        """
        informative = self._informative
        scaled = (frame.numeric[:, informative] - self.mean[informative]) / self.scale[informative]
        known: Floats32 = np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
        return np.clip(known, -5, 5)

    def anchor(self, frame: Frame) -> Floats32:
        """Sum of the parts of the anchor, shape (n,): 0 where the frame has none of them."""
        total: Floats32 = frame.numeric[:, ~self._informative].sum(axis=1)
        return total

    @property
    def width(self) -> int:
        """Count of the numbers."""
        return int(np.count_nonzero(self._informative))

    @property
    def _informative(self) -> Bools:
        return np.asarray([name not in ANCHOR for name in self.names])

    def indices(self, frame: Frame) -> Ints64:
        """Category indices, shape (n, columns), in the order of `levels`; 0 for unknown."""
        columns = []
        for name, levels in self.levels.items():
            column = frame.categorical[name]
            if len(levels):
                found = np.minimum(np.searchsorted(levels, column.levels), len(levels) - 1)
                lookup = np.where(levels[found] == column.levels, found + 1, 0)
            else:
                lookup = np.zeros(len(column.levels), np.int64)
            columns.append(lookup[column.codes])
        return np.column_stack(columns)

    @property
    def cardinalities(self) -> list[int]:
        """Number of indices of each categorical column, the unknown one included."""
        return [len(levels) + 1 for levels in self.levels.values()]
