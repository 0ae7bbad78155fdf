"""Rows to train on or to score. Meanings of the columns, and how each is made: `transforms.features.catalogue`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes, Floats32
from transforms.panel.panel import Coded


@dataclass(frozen=True)
class Frame:
    """Rows to train on or to score: one for each series, origin and target week.

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
    case_pack
        Units in a case, 1 where unknown, 0 where it is not to be known, shape (n,).
    fast
        True where the product is a fast mover in its region and format, shape (n,).
    demand
        The target, shape (n,); None while it is not known.
    on_record
        Demand as far as it is on record, where something else is to be learned.
    weight
        Rows that a row stands for, shape (n,).
    """

    numeric: Floats32
    names: tuple[str, ...]
    categorical: dict[str, Coded]
    series: Codes
    horizon: Codes
    recent: Floats32
    rate: Floats32
    baseline: Floats32
    baseline_size: Floats32
    case_pack: Floats32
    fast: Bools
    large: Bools
    weight: Floats32
    demand: Floats32 | None = None
    on_record: Floats32 | None = None

    @property
    def judged(self) -> Floats32 | None:
        """The demand that forecasts are judged by: what is on record, never an estimate."""
        return self.demand if self.on_record is None else self.on_record

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
            on_record=None if self.on_record is None else self.on_record[index],
            **arrays,
        )

    @staticmethod
    def concat(frames: Sequence["Frame"]) -> "Frame":
        """Stack frames of the same panel."""
        first = frames[0]
        arrays = {name: np.concatenate([getattr(frame, name) for frame in frames]) for name in _ARRAYS}
        columns = {name: Coded.stacked([frame.categorical[name] for frame in frames]) for name in first.categorical}
        demand, on_record = (_stacked([getattr(frame, name) for frame in frames]) for name in ("demand", "on_record"))
        return Frame(names=first.names, categorical=columns, demand=demand, on_record=on_record, **arrays)


_ARRAYS = ("numeric", "series", "horizon", "recent", "rate", "baseline", "baseline_size", "case_pack", "fast", "large", "weight")


def _stacked(parts: Sequence[Floats32 | None]) -> Floats32 | None:
    """The parts one after the other; None where one is not known."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None
