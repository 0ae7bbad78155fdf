"""Training rows as a pandas frame: one row for each series, origin and target week, with ids, weeks and segment before the features.

The columns that are no features are defined here, features in `transforms.features.catalogue`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.training.trial import TrialRows
from transforms.arrays import Floats32, Texts
from transforms.features.catalogue import features_named, last_sizes
from transforms.features.feature import Feature
from transforms.features.frame import Frame
from transforms.panel.panel import Coded
from transforms.rows import Segment


class Meaning(NamedTuple):
    """A column with its unit and meaning."""

    column: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class ChosenRows:
    """Some of the rows of a training, `at` these positions of `rows.frame`."""

    rows: TrialRows
    at: npt.NDArray[np.intp]

    @cached_property
    def frame(self) -> Frame:
        """Features and demand."""
        return self.rows.frame.take(self.at)

    @cached_property
    def target_week(self) -> npt.NDArray[np.datetime64]:
        """Monday of each row's target week."""
        weeks: npt.NDArray[np.datetime64] = np.datetime64(self.rows.panel.last.monday, "ns") - self.rows.weeks_back[self.at].astype("timedelta64[W]")
        return weeks

    @property
    def origin_week(self) -> npt.NDArray[np.datetime64]:
        """Monday of each row's origin."""
        weeks: npt.NDArray[np.datetime64] = self.target_week - self.frame.horizon.astype("timedelta64[W]")
        return weeks

    @property
    def demand(self) -> Floats32:
        """The target: what is to be learned, and what held-back rows are judged by."""
        assert self.frame.demand is not None and self.frame.judged is not None  # noqa: S101, PT018 - for the type checker
        return np.where(self.rows.held_back[self.at], self.frame.judged, self.frame.demand)

    @cached_property
    def format(self) -> Texts:
        """Format of the store, with its cluster."""
        return self.rows.labels[self.frame.series]

    @cached_property
    def mover(self) -> Texts:
        """Velocity of the product as of the origin."""
        return np.where(self.frame.fast, "fast", "slow")

    @property
    def segment(self) -> Texts:
        """Format and mover."""
        return np.char.add(np.char.add(self.format.astype(np.str_), "-"), self.mover)


@dataclass(frozen=True)
class Column:
    """A column that is no feature."""

    name: str
    unit: str
    meaning: str
    of: Callable[[ChosenRows], Any]


_SERIES = "The series: a store and a product."
_SEGMENT = "The segment: format of the store (with its cluster), velocity of the product as of the origin."
_DEMAND = "What came in the target week: shipped minus returned, as known at the session's week. The target; sold-out weeks as the project says."
_BASELINE = "Historical average over the life of the series, weeks without demand included."

COLUMNS: tuple[Column, ...] = (
    Column("store_id", "id", _SERIES, lambda chosen: _texts(chosen.frame.categorical["store"])),
    Column("product_id", "id", _SERIES, lambda chosen: _texts(chosen.frame.categorical["product"])),
    Column("format", "name", _SEGMENT, lambda chosen: chosen.format),
    Column("mover", "name", _SEGMENT, lambda chosen: chosen.mover),
    Column("origin_week", "Monday", "Last week that the row's features know of.", lambda chosen: chosen.origin_week),
    Column("target_week", "Monday", "Week whose demand is to be told.", lambda chosen: chosen.target_week),
    Column("demand", "units", _DEMAND, lambda chosen: chosen.demand),
    Column("weight", "rows", "Rows that the row stands for: rows without demand are a sample.", lambda chosen: chosen.frame.weight),
    Column("baseline", "units a week", _BASELINE, lambda chosen: chosen.frame.baseline),
    Column("baseline_size", "units", "Historical average of the weeks with demand.", lambda chosen: chosen.frame.baseline_size),
    Column("segment", "name", "Both, joined by a hyphen.", lambda chosen: chosen.segment),
)
_IDS = {"store", "product"}
"""Categories that are columns of their own."""


def as_pandas(rows: TrialRows, segments: Sequence[Segment]) -> pd.DataFrame:
    """The rows of `segments`; the index is the position in `rows.frame`. What the columns mean: `meanings`."""
    chosen = ChosenRows(rows, np.flatnonzero(np.logical_or.reduce([rows.inside(segment) for segment in segments])))
    frame = chosen.frame
    return pd.DataFrame(
        {
            **{column.name: column.of(chosen) for column in COLUMNS},
            **{name: _texts(column) for name, column in frame.categorical.items() if name not in _IDS},
            **dict(zip(frame.names, frame.numeric.T, strict=True)),
            **dict(zip((size.name for size in last_sizes()), frame.recent.T, strict=True)),
        },
        index=chosen.at,
    )


def meanings(columns: Iterable[str]) -> list[Meaning]:
    """Unit and meaning of each column, in their order.

    Raises
    ------
    ConfigurationError
        If a column is neither a feature nor one of `COLUMNS`.
    """
    wanted, others = list(columns), {column.name: column for column in COLUMNS}
    features = {feature.name: feature for feature in features_named(name for name in wanted if name not in others)}
    described: dict[str, Column | Feature] = {**others, **features}
    return [Meaning(name, described[name].unit, described[name].meaning) for name in wanted]


def _texts(column: Coded) -> pd.Categorical:
    return pd.Categorical.from_codes(column.codes, pd.Index(column.levels).astype(str))
