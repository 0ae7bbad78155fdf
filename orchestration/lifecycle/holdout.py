"""Evidence of a region's models on the held-back weeks and the weeks ahead, on which they are promoted or not. Runs in workers.

The rules that judge by it are `models.evaluation.gate` and `models.evaluation.ladder`; decisions are made in `promotion` and `ladder`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.segments import segment_rows, series_formats
from models.evaluation.comparison import CostedForecasts, compare, realised_cost
from models.evaluation.gate import Gate, average_check, broken_output, comparison_checks, scoring_check, training_check
from models.evaluation.ladder import HeldBackRows, Step, mape_against
from models.evaluation.metrics import score_points
from models.serving.costs import costs_of
from models.serving.failover import FAILURES, Model, check_features
from models.serving.score import predict_rows
from models.training.spec import TrainingSpec
from models.training.train import first_held_back_origin, held_back_frame
from orchestration.lifecycle.serving import load_version, panel_at
from orchestration.project import Project
from transforms.arrays import Codes, Texts
from transforms.calendar import Region, Week
from transforms.contracts.rungs import BASELINE
from transforms.errors import ArtifactError
from transforms.features.build import scoring_frame
from transforms.features.frame import Frame
from transforms.lake.tables import Lake
from transforms.panel.panel import Panel
from transforms.records.data_checks import Check


@dataclass(frozen=True)
class HeldBack:
    """A region at a training origin: its rows of the held-back weeks (`weeks_back` counts them from the origin).

    `labels` are the series' formats, `horizons` the weeks ahead that are forecast.
    """

    panel: Panel
    spec: TrainingSpec
    gate: Gate
    labels: Texts
    past: Frame
    weeks_back: Codes
    horizons: int
    _outcomes: dict[tuple[str, ...], CostedForecasts] = field(default_factory=dict)
    _averages: dict[tuple[int, str], HistoricalAverage] = field(default_factory=dict)

    @classmethod
    def load(cls, lake: Lake, region: Region, week: Week, project: Project) -> "HeldBack":
        """Read the region as it was known at `week`."""
        spec, panel = TrainingSpec(**project.training), panel_at(lake, region, week, project.sold_out)
        labels = series_formats(panel, spec.clusters)
        return cls(panel, spec, Gate(**project.gate.judged), labels, *held_back_frame(panel, spec), project.horizons)

    @cached_property
    def ahead(self) -> Frame:
        """The rows of the weeks ahead."""
        return scoring_frame(self.panel, self.horizons)

    def checks(self, lake: Lake, row: Mapping[str, Any]) -> list[Check]:
        """Training check and scoring check: from the artifacts come the numbers on record, and a usable forecast for every row."""
        rows = self.rows_of(row["format"], row["mover"])
        try:
            again = score_points(rows.demand, (predicted := self.outcome(lake, row)).size, predicted.expected).mape
            trained = training_check(again, json.loads(row["metrics"]).get("mape"))
        except FAILURES as error:
            trained = Check("training", False, 1, 0, str(error))
        ahead = self.ahead.take(segment_rows(self.ahead, self.labels, row["format"], row["mover"]))
        try:
            model = load_version(lake, row)
            check_features(model, ahead)
            scored = scoring_check(broken_output(predict_rows(ahead, costs_of(self.panel, ahead), model)[0], len(ahead)), len(ahead))
        except FAILURES as error:
            scored = scoring_check(str(error), len(ahead))
        return [trained, scored]

    def against(self, lake: Lake, row: Mapping[str, Any], champion: Mapping[str, Any] | None) -> list[Check]:
        """Compare a version with the champion on weeks that neither has learned from; a champion that cannot score them is not in the way."""
        if champion is None or champion["model_version"] == row["model_version"]:
            return [Check("champion", True, 0, 0, "no other champion to compare with")]
        ours = self.outcome(lake, row)
        try:
            theirs = self.outcome(lake, champion)
        except FAILURES as error:
            return [Check("champion", True, 0, 0, f"{champion['model_version']} cannot score these weeks: {error}")]
        rows = self.rows_of(row["format"], row["mover"])
        found = compare(rows.demand, rows.series, rows.week, ours, theirs, self.gate.confidence, self.spec.seed)
        return comparison_checks(found, self.gate)

    def against_average(self, lake: Lake, row: Mapping[str, Any]) -> Check:
        """Compare a version with the historical average as a model, as it was at each row's origin."""
        rows = self.rows_of(row["format"], row["mover"])
        average = self.average(row["format"], row["mover"])
        return average_check(mape_against(rows, self.outcome(lake, row), average, self.gate.confidence, self.spec.seed))

    def step(self, lake: Lake, rung: str, row: Mapping[str, Any]) -> Step:
        """A version as a step of the ladder."""
        try:
            return Step(rung, row["model_version"], self.outcome(lake, row))
        except FAILURES as error:
            return Step(rung, row["model_version"], None, str(error))

    def average_step(self, format_: str, mover: str, version: str) -> Step:
        """The historical average as a step of the ladder."""
        return Step(BASELINE, version, self.average(format_, mover))

    def rows_of(self, format_: str, mover: str) -> HeldBackRows:
        """Rows that models of a segment are compared on."""
        in_segment = segment_rows(self.past, self.labels, format_, mover)
        rows = self.past.take(in_segment)
        assert rows.demand is not None  # noqa: S101 - for the type checker
        return HeldBackRows(rows.demand, rows.series, self.weeks_back[in_segment])

    def plain_average(self, format_: str, mover: str) -> float | None:
        """MAPE of the plain historical average of non-zero weeks."""
        rows = self.past.take(segment_rows(self.past, self.labels, format_, mover))
        assert rows.demand is not None  # noqa: S101 - for the type checker
        return score_points(rows.demand, rows.baseline_size, rows.baseline).mape

    def outcome(self, lake: Lake, row: Mapping[str, Any]) -> CostedForecasts:
        """Outcome of a version on its segment's held-back rows, as it was before it had learned from any of them.

        Raises
        ------
        ArtifactError
            If it cannot: its artifact is damaged, or it has learned from these weeks and no earlier state of it is on record.
        """
        key = (row["model_version"],)
        if key not in self._outcomes:
            old = Week(row["trained_week"]) <= self.panel.last + -first_held_back_origin(self.spec)
            if not old and row["held_back_uri"] is None:
                raise ArtifactError("it has learned from the held-back weeks, and no earlier state of it is on record")
            rows = self.past.take(segment_rows(self.past, self.labels, row["format"], row["mover"]))
            model = load_version(lake, row, held_back=not old)
            check_features(model, rows)
            self._outcomes[key] = self._outcome(rows, model)
        return self._outcomes[key]

    def average(self, format_: str, mover: str) -> CostedForecasts:
        """Outcome of the historical average as a model on the held-back rows: of each what was known at its origin."""
        key = (format_, mover)
        if key not in self._outcomes:
            in_segment = np.flatnonzero(segment_rows(self.past, self.labels, format_, mover))
            origins_back = self.weeks_back[in_segment] + self.past.horizon[in_segment]
            origins = [int(ago) for ago in np.unique(origins_back)]
            parts = [self._outcome(self.past.take(in_segment[origins_back == ago]), self._average_at(ago, format_)) for ago in origins]
            if parts:
                order = np.argsort(np.concatenate([np.flatnonzero(origins_back == ago) for ago in origins]))
                self._outcomes[key] = CostedForecasts(*(np.concatenate([vars(part)[name] for part in parts])[order] for name in vars(parts[0])))
            else:
                self._outcomes[key] = _NOTHING
        return self._outcomes[key]

    def _average_at(self, ago: int, format_: str) -> HistoricalAverage:
        """The average of a format as it was so many weeks before the origin."""
        if (ago, format_) not in self._averages:
            rows = self.past.take((self.weeks_back + self.past.horizon == ago) & (self.labels[self.past.series] == format_))
            self._averages[ago, format_] = HistoricalAverage.fit(self.panel.until(self.panel.last + -ago), rows)
        return self._averages[ago, format_]

    def _outcome(self, rows: Frame, model: Model) -> CostedForecasts:
        costs = costs_of(self.panel, rows)
        points, plan = predict_rows(rows, costs, model)
        assert rows.demand is not None  # noqa: S101 - for the type checker
        return CostedForecasts(points.size, points.expected, realised_cost(plan.quantity, rows.demand, costs.margin, costs.return_cost))


_NOTHING = CostedForecasts(*(np.zeros(0, np.float32) for _ in range(3)))
