"""Try an algorithm on a region's training rows, as training would: the same rows, segments, ensemble and metrics, and nothing is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from models.ensemble.ensemble import Ensemble
from models.ensemble.segments import segment_rows, series_formats
from models.members.base import Member
from models.members.distribution import Points
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_ensemble
from transforms.arrays import Bools, Codes, Ints64, Texts
from transforms.contracts.gold import MOVERS
from transforms.features.build import training_frame
from transforms.features.frame import Frame
from transforms.panel.panel import Panel
from transforms.rows import Segment


@dataclass(frozen=True)
class TrialRows:
    """The rows that training at a panel's last week learns from.

    Attributes
    ----------
    frame, weeks_back
        The rows, and the target week of each, counted back from the panel's last week.
    labels
        Format of each series of the panel.
    """

    panel: Panel
    spec: TrainingSpec
    frame: Frame
    weeks_back: Codes
    labels: Texts

    @classmethod
    def of(cls, panel: Panel, spec: TrainingSpec) -> Self:
        """Make them; the panel's last week is the origin."""
        panel = replace(panel, sold_out=spec.sold_out)
        frame, weeks_back = training_frame(panel, spec.horizons, spec.weeks, spec.zeros_per_hit, spec.seed)
        return cls(panel, spec, frame, weeks_back, series_formats(panel, spec.clusters))

    @property
    def held_back(self) -> Bools:
        """Which rows are held back, shape (rows,)."""
        late: Bools = self.weeks_back < self.spec.held_back
        return late

    def segments(self) -> list[Segment]:
        """Those of the region, with or without enough rows for an ensemble."""
        return [(str(name), mover) for name in np.unique(self.labels) for mover in MOVERS]

    def inside(self, segment: Segment) -> Bools:
        """Which rows belong to a segment, shape (rows,)."""
        return segment_rows(self.frame, self.labels, *segment)


@dataclass(frozen=True)
class Attempt:
    """An ensemble that was tried on one segment.

    Attributes
    ----------
    rows
        Positions of the segment's held-back rows in the frame, shape (n,).
    points
        Points of the ensemble for them, as it was before it had learned from them.
    """

    segment: Segment
    trained: Trained
    rows: Ints64
    points: Points


def attempts(data: TrialRows, members: Sequence[type[Member]], segments: Sequence[Segment]) -> Iterator[Attempt]:
    """Train an ensemble of `members` for each segment that has rows enough, as `models.training.train` does."""
    spec = replace(data.spec, members=tuple(member.name for member in members))
    for segment in segments:
        in_segment = data.inside(segment)
        late = np.flatnonzero(in_segment & data.held_back)
        rows = data.frame.take(late)
        trained = train_ensemble(*segment, data.frame.take(in_segment & ~data.held_back), rows, spec, members)
        if trained is not None:
            yield Attempt(segment, trained, late, _points(trained, rows))


def _points(trained: Trained, rows: Frame) -> Points:
    model = trained.model
    assert isinstance(model, Ensemble)  # noqa: S101 - for the type checker
    assert model.held_back is not None  # noqa: S101
    return model.held_back.points(model.held_back.predict(rows), rows)
