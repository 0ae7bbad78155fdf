"""What a region's models say of the held-back weeks and of the weeks ahead: the evidence on which they are promoted or not. Runs in workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.comparison import Outcome, compare, realised_cost
from models.costs import costs_of
from models.failover import FAILURES, Model, check_features
from models.metrics import score_points
from models.scoring import predict_rows
from models.segments import series_formats
from models.training import TrainingSpec, first_held_back_origin, held_back_frame, segment_rows
from models.validation import Gate, broken_output, comparison_checks, scoring_check, training_check
from orchestration.project import Project
from orchestration.regional import load_version, panel_at
from transforms.calendar import Region, Week
from transforms.features import scoring_frame
from transforms.frame import Frame
from transforms.lake import Lake
from transforms.panel import Codes, Panel
from transforms.quality import Check


@dataclass(frozen=True)
class HeldBack:
    """A region at a training origin: its rows of the held-back weeks (`back` counts them from the origin), and those of the weeks ahead.

    `labels` are the series' formats.
    """

    panel: Panel
    spec: TrainingSpec
    gate: Gate
    labels: npt.NDArray[np.str_]
    past: Frame
    back: Codes
    ahead: Frame
    _said: dict[tuple[str, str], tuple[Outcome, float | None]] = field(default_factory=dict)

    @classmethod
    def load(cls, lake: Lake, region: Region, week: Week, project: Project) -> "HeldBack":
        """Read the region as it was known at `week`."""
        spec, panel = TrainingSpec(**project.training), panel_at(lake, region, week, project.sold_out)
        labels = series_formats(panel, spec.clusters)
        return cls(panel, spec, Gate(**project.gate.judged), labels, *held_back_frame(panel, spec), scoring_frame(panel, project.horizons))

    def checks(self, lake: Lake, row: Mapping[str, Any]) -> list[Check]:
        """Training check and scoring check: from the artifacts come the numbers on record, and a usable forecast for every row."""
        try:
            _, again = self._outcome(load_version(lake, row, held_back=True), row, "challenger")
            trained = training_check(again, json.loads(row["metrics"]).get("mape"))
        except FAILURES as error:
            trained = Check("training", False, 1, 0, str(error))
        rows = self.ahead.take(segment_rows(self.ahead, self.labels, row["format"], row["mover"]))
        try:
            model = load_version(lake, row)
            check_features(model, rows)
            scored = scoring_check(broken_output(predict_rows(rows, costs_of(self.panel, rows), model)[0], len(rows)), len(rows))
        except FAILURES as error:
            scored = scoring_check(str(error), len(rows))
        return [trained, scored]

    def against(self, lake: Lake, row: Mapping[str, Any], champion: Mapping[str, Any] | None) -> list[Check]:
        """Compare a version with the champion on weeks that neither has learned from; a champion that cannot score them is not in the way."""
        if champion is None or champion["model_version"] == row["model_version"]:
            return [Check("champion", True, 0, 0, "no other champion to compare with")]
        name = champion["model_version"]
        old = Week(champion["trained_week"]) <= self.panel.last + -first_held_back_origin(self.spec)
        if not old and champion["held_back_uri"] is None:
            return [Check("champion", True, 0, 0, f"{name} has learned from the held-back weeks, and no earlier state of it is on record")]
        try:
            ours, _ = self._outcome(load_version(lake, row, held_back=True), row, "challenger")
            theirs, _ = self._outcome(load_version(lake, champion, held_back=not old), champion, "champion")
        except FAILURES as error:
            return [Check("champion", True, 0, 0, f"{name} cannot score these weeks: {error}")]
        here = segment_rows(self.past, self.labels, row["format"], row["mover"])
        rows, back = self.past.take(here), self.back[here]
        assert rows.demand is not None  # noqa: S101 - for the type checker
        found = compare(rows.demand, rows.series, back, ours, theirs, self.gate.confidence, self.spec.seed)
        return comparison_checks(found, self.gate)

    def _outcome(self, model: Model, row: Mapping[str, Any], role: str) -> tuple[Outcome, float | None]:
        """What a model says of its segment's held-back rows, and its MAPE there."""
        key = (role, row["model_version"])
        if key not in self._said:
            rows = self.past.take(segment_rows(self.past, self.labels, row["format"], row["mover"]))
            check_features(model, rows)
            costs = costs_of(self.panel, rows)
            made, plan = predict_rows(rows, costs, model)
            assert rows.demand is not None  # noqa: S101 - for the type checker
            outcome = Outcome(made.size, made.expected, realised_cost(plan.quantity, rows.demand, costs.margin, costs.return_cost))
            self._said[key] = (outcome, score_points(rows.demand, made.size, made.expected).mape)
        return self._said[key]
