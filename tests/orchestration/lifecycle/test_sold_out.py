"""Where sold-out weeks are estimated, everything that makes features makes them of the same demand."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.training.spec import TrainingSpec
from orchestration.lifecycle.holdout import HeldBack
from orchestration.lifecycle.score_region import ScoreTask
from orchestration.lifecycle.serving import panel_at
from orchestration.project import Project
from orchestration.reports.explain import explained
from transforms.calendar import Region, Week
from transforms.errors import MissingData
from transforms.features.build import scoring_frame
from transforms.lake.tables import Lake
from transforms.panel.panel import SoldOutWeeks

REGION, ORIGIN = Region("north_texas"), Week.parse("2023-07-10")


@pytest.fixture
def root(small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake in whose usual world too little comes back to tell what sold out: here that is to be enough."""
    monkeypatch.setattr("transforms.panel.late_returns.TELLING", 0.0)
    root = shutil.copytree(small_lake, tmp_path / "root")
    project = Project.load(root)
    project.model_copy(update={"sold_out": "estimated"}).save(root)
    return root


def scored(root: Path, sold_out: SoldOutWeeks) -> pa.Table:
    project = Project.load(root)
    decided = (project.horizons, project.history, project.clusters, sold_out, project.forecast_seconds, project.gate.judged)
    return ScoreTask(str(root), {}, [ORIGIN], *decided)(REGION)[0]


def test_the_setting_is_kept_and_told_to_training(root: Path) -> None:
    assert "sold_out: estimated" in (root / "shelfcast.yaml").read_text()
    assert TrainingSpec(**Project.load(root).training).sold_out == "estimated"


def test_forecasts_are_made_and_explained_by_the_same_features(root: Path) -> None:
    estimated, shipped = scored(root, "estimated"), scored(root, "as_shipped")
    assert estimated["baseline"].to_numpy().mean() > 1.1 * shipped["baseline"].to_numpy().mean()
    some = estimated.slice(0, 40)
    parts = explained(Lake(str(root)), REGION, ORIGIN, some, "estimated")
    np.testing.assert_array_equal(parts["expected"].to_numpy(), some["expected"].to_numpy())
    with pytest.raises(MissingData, match="The forecast cannot be explained"):
        explained(Lake(str(root)), REGION, ORIGIN, some, "as_shipped")


def test_promotion_is_decided_on_those_features_and_on_the_demand_on_record(root: Path) -> None:
    lake, project = Lake(str(root)), Project.load(root)
    evidence, panel = HeldBack.load(lake, REGION, ORIGIN, project), panel_at(lake, REGION, ORIGIN, project.sold_out)
    np.testing.assert_array_equal(evidence.ahead.numeric, scoring_frame(panel, project.horizons).numeric)
    np.testing.assert_array_equal(evidence.past.demand, panel.demand()[evidence.past.series, panel.weeks - 1 - evidence.weeks_back])
    usual = HeldBack.load(lake, REGION, ORIGIN, project.model_copy(update={"sold_out": "as_shipped"}))
    assert evidence.ahead.baseline.mean() > usual.ahead.baseline.mean()
