"""The evidence for a promotion: checks from the stored artifacts, and the comparison with the champion on weeks that neither has seen."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.ensemble.ensemble import Ensemble
from models.ensemble.segments import series_formats
from models.evaluation.gate import Gate
from models.members.lasso import LassoMember
from models.training.spec import TrainingSpec
from models.training.train import Trained, held_back_frame, train_region
from orchestration.lifecycle.holdout import HeldBack
from orchestration.lifecycle.train_region import stored
from transforms.lake.tables import Lake
from transforms.panel.panel import Panel

SPEC = TrainingSpec(weeks=56, fewest_rows=50, members=("lasso",))
SEGMENT = ("large", "fast")


def at(panel: Panel, weeks: int) -> Trained:
    """The segment's ensemble, trained so many weeks before the panel's end."""
    [trained] = train_region(panel.until(panel.last + -weeks), SPEC, [SEGMENT])
    return trained


@pytest.fixture(scope="module")
def evidence(panel: Panel) -> HeldBack:
    known = panel.until(panel.last)
    return HeldBack(known, SPEC, Gate(), series_formats(known, SPEC.clusters), *held_back_frame(known, SPEC), 4)


@pytest.fixture(scope="module")
def challenger(panel: Panel) -> Trained:
    return at(panel, 0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def on_record(lake: Lake, panel: Panel, trained: Trained, weeks: int) -> dict[str, Any]:
    about = {"region": "r", "trained_week": str(panel.last + -weeks), "code_version": "c", "dataset_version": "d", "data_versions": {}}
    return asdict(stored(lake, trained, about, "run", None))


def shifted(model: Ensemble) -> Ensemble:
    other = model.copy()
    [lasso] = other.members
    assert isinstance(lasso, LassoMember)
    lasso.size_[-1] += np.log(2)
    return replace(other, calibration=replace(model.calibration, mean=2 * model.calibration.mean))


def spoiled(trained: Trained) -> Trained:
    """A model that says twice the size, and twice of what it expects, before and after its refit."""
    assert isinstance(trained.model, Ensemble)
    assert trained.model.held_back is not None
    return replace(trained, model=replace(shifted(trained.model), held_back=shifted(trained.model.held_back)))


def test_a_good_model_passes_with_the_numbers_on_record(lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    training, scoring = evidence.checks(lake, on_record(lake, panel, challenger, 0))
    assert training.passed, training
    assert training.value < 1e-6
    assert scoring.passed
    assert scoring.detail == f"{int(scoring.value)} rows scored, all finite, quantiles in order"


def test_an_artifact_that_does_not_give_the_numbers_on_record_fails(lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    other = replace(challenger, metrics={**challenger.metrics, "mape": 0.01})
    training, _ = evidence.checks(lake, on_record(lake, panel, other, 0) | {"model_version": "other"})
    assert not training.passed
    assert training.detail.endswith("from the artifact, 0.0100 on record")


def test_a_model_that_forecasts_no_numbers_fails_the_scoring_check(lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    assert isinstance(challenger.model, Ensemble)
    nothing = replace(challenger.model, chance_weights=np.full(1, np.nan, np.float32))
    _, scoring = evidence.checks(lake, on_record(lake, panel, replace(challenger, model=nothing), 0))
    assert not scoring.passed
    assert "that are no numbers" in scoring.detail


@pytest.mark.parametrize("weeks", [1, 12])
def test_a_spoiled_challenger_is_refused_and_a_good_one_is_not(weeks: int, lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    champion = on_record(lake, panel, at(panel, weeks), weeks)
    good = evidence.against(lake, on_record(lake, panel, challenger, 0), champion)
    assert [check.name for check in good] == [f"{metric} against champion" for metric in ("mape", "rmse_0", "rmse_all", "bias", "cost")]
    assert next(check for check in good if check.name.startswith("mape")).passed
    bad = evidence.against(lake, on_record(lake, panel, spoiled(challenger), 0) | {"model_version": "bad"}, champion)
    assert {"mape against champion", "bias against champion"} <= {check.name for check in bad if not check.passed}


def test_a_champion_that_cannot_be_loaded_is_not_in_the_way(lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    champion = on_record(lake, panel, at(panel, 1), 1) | {"model_version": "gone"}
    (Path(lake.root) / champion["held_back_uri"]).unlink()
    [check] = evidence.against(lake, on_record(lake, panel, challenger, 0), champion)
    assert check.passed
    assert "cannot score these weeks: Model artifact" in check.detail
    assert json.loads(champion["metrics"])["mape"] is not None


def test_the_average_is_judged_by_what_was_known_at_each_origin(panel: Panel, evidence: HeldBack) -> None:
    said, rows = evidence.average(*SEGMENT), evidence.rows_of(*SEGMENT)
    assert len(said.size) == len(rows.demand)
    future = panel.shipped.copy()
    future[:, -2:] *= 9
    changed = replace(panel, shipped=future)
    other = HeldBack(changed, SPEC, Gate(), series_formats(changed, SPEC.clusters), *held_back_frame(changed, SPEC), 4)
    before = evidence.past.horizon + evidence.weeks_back >= 2
    here = before[(evidence.labels[evidence.past.series] == "large") & evidence.past.fast]
    np.testing.assert_array_equal(other.average(*SEGMENT).size[here], said.size[here])


def test_a_model_worse_than_the_average_beyond_noise_is_refused(lake: Lake, panel: Panel, evidence: HeldBack, challenger: Trained) -> None:
    good = evidence.against_average(lake, on_record(lake, panel, challenger, 0))
    assert good.passed
    bad = evidence.against_average(lake, on_record(lake, panel, spoiled(challenger), 0) | {"model_version": "bad"})
    assert not bad.passed
    assert bad.detail.startswith("MAPE 0.")
    assert bad.detail.endswith("as a model of its own")
