from pathlib import Path

import numpy as np
import pytest

from models.ensemble.artifacts import load, manifest_of, save
from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from models.evaluation.gate import Gate, judge
from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_region
from transforms.errors import ArtifactError, ConfigurationError
from transforms.features.build import scoring_frame
from transforms.panel.panel import Panel

SPEC = TrainingSpec(weeks=56, fewest_rows=50)


@pytest.fixture(scope="module")
def trained(panel: Panel) -> list[Trained]:
    return list(train_region(panel, SPEC))


def ensemble(trained: list[Trained]) -> Ensemble:
    model = next(t.model for t in trained if t.mover == "fast")
    assert isinstance(model, Ensemble)
    return model


def test_ensembles_beat_the_historical_average_on_held_back_weeks(trained: list[Trained]) -> None:
    ensembles = [t for t in trained if t.mover != "all"]
    assert len(ensembles) == 4
    for one in ensembles:
        assert one.metrics["mape"] < 0.45
        assert judge(one.metrics, Gate()).passed, one.metrics


def test_training_again_gives_the_same_bytes(trained: list[Trained], panel: Panel, tmp_path: Path) -> None:
    again = list(train_region(panel, SPEC))
    assert [save(t.model, {}, tmp_path)[1] for t in again] == [save(t.model, {}, tmp_path)[1] for t in trained]


def test_weights_are_shares(trained: list[Trained]) -> None:
    model = ensemble(trained)
    assert model.size_weights.sum() == pytest.approx(1)
    assert model.chance_weights.sum() == pytest.approx(1)
    assert (model.size_weights >= 0).all()


def test_a_model_forecasts_the_same_after_it_was_stored(trained: list[Trained], panel: Panel, tmp_path: Path) -> None:
    model, frame = ensemble(trained), scoring_frame(panel, 2)
    name, digest = save(model, {"why": "test"}, tmp_path)
    restored = load(tmp_path / name, digest)
    assert isinstance(restored, Ensemble)
    before, after = model.predict(frame), restored.predict(frame)
    np.testing.assert_array_equal(before.pmf, after.pmf)
    np.testing.assert_array_equal(before.p_demand, after.p_demand)
    assert before.pmf.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert manifest_of(tmp_path / name, digest)["about"] == {"why": "test"}


def test_a_corrupt_artifact_is_refused(trained: list[Trained], tmp_path: Path) -> None:
    name, digest = save(ensemble(trained), {}, tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        ArtifactError,
        match=r"is corrupt: expected SHA-256 .*Restore it from a backup, or train its week again \(shelfcast run --week WEEK --retrain\)\.$",
    ):
        load(path, digest)


def test_training_again_mends_a_corrupt_artifact(trained: list[Trained], tmp_path: Path) -> None:
    """The file kept its damaged bytes for good, since one of its name was there."""
    name, digest = save(ensemble(trained), {}, tmp_path)
    (tmp_path / name).write_bytes(b"")
    assert save(ensemble(trained), {}, tmp_path) == (name, digest)
    load(tmp_path / name, digest)


def test_horizons_beyond_what_is_looked_up_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^horizons: expected 1 to 13 weeks, which is how far weather and events are looked up; got 14\.$"):
        TrainingSpec(horizons=14)


def test_a_missing_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"Model artifact gone\.safetensors is missing"):
        load(tmp_path / "gone.safetensors", "0" * 64)


def test_a_category_never_seen_is_forecast_all_the_same(trained: list[Trained], panel: Panel) -> None:
    frame = scoring_frame(panel, 1)
    strange = frame.categorical | {
        "store": type(frame.categorical["store"])(frame.categorical["store"].codes, np.char.add("new", frame.categorical["store"].levels))
    }
    said = ensemble(trained).predict(type(frame)(**{**vars(frame), "categorical": strange}))
    assert np.isfinite(said.pmf).all()


def test_without_a_champion_the_historical_average_serves(panel: Panel, trained: list[Trained]) -> None:
    averages = {t.format: Serving(t.model, f"avg-{t.format}", panel.last.monday) for t in trained if isinstance(t.model, HistoricalAverage)}
    forecasts, plan = score_region(panel, 4, {}, averages)
    assert set(forecasts["rung"].to_pylist()) == {"baseline"}
    assert set(forecasts["model_version"].to_pylist()) == {"avg-large", "avg-small"}
    rows = forecasts.to_pylist()
    assert sum(row["expected"] for row in rows) == pytest.approx(sum(row["baseline"] for row in rows), rel=0.05)
    assert plan.num_rows == forecasts.num_rows


def test_orders_are_whole_cases_and_a_stale_model_says_so(panel: Panel, trained: list[Trained]) -> None:
    old = (panel.last + -9).monday
    champions = {(t.format, t.mover): Serving(t.model, "v", old) for t in trained if t.mover != "all"}
    forecasts, plan = score_region(panel, 4, champions, {})
    assert set(forecasts["is_stale"].to_pylist()) == {True}
    packs = dict(zip(panel.products.tolist(), panel.product_number["case_pack"].tolist(), strict=True))
    assert all(row["order_quantity"] % packs[row["product_id"]] == 0 for row in plan.to_pylist())
    rows = forecasts.to_pylist()
    assert all(row["q10"] <= row["q50"] <= row["q90"] for row in rows)
    assert {row["horizon"] for row in rows} == {1, 2, 3, 4}


def test_the_gate_says_why_with_the_numbers() -> None:
    verdict = judge({"mape": 0.5, "baseline_mape": 0.9}, Gate())
    assert not verdict.passed
    assert verdict.reason == "MAPE 0.500, historical average 0.900: above the limit of 0.450"
    verdict = judge({"mape": 0.44, "baseline_mape": 0.45}, Gate())
    assert verdict.reason == "MAPE 0.440, historical average 0.450: not 10% below the historical average"
    assert not judge({"mape": float("nan"), "baseline_mape": 0.5}, Gate()).passed
    assert judge({"mape": 0.3, "baseline_mape": 0.6}, Gate()).passed
