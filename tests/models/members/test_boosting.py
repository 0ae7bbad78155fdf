from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from models.ensemble.artifacts import load, manifest_of, save
from models.ensemble.ensemble import Ensemble
from models.members.base import Prepared
from models.members.boosting import BoostingMember, Trees
from models.members.encoding import Encoder
from models.members.settings import Settings
from models.support import Support
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_region
from transforms.features.build import scoring_frame
from transforms.panel.panel import Panel

SETTINGS = Settings(boosting={"iterations": 40, "leaves": 12})
SPEC = TrainingSpec(weeks=56, fewest_rows=50, members=("lasso", "boosting"), settings=SETTINGS)


@pytest.fixture(scope="module")
def trained(panel: Panel) -> dict[tuple[str, str], Trained]:
    return {(one.format, one.mover): one for one in train_region(panel, SPEC) if one.mover != "all"}


def test_trees_say_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 6)).astype(np.float32)
    x[:, 5] = rng.integers(0, 4, 5000)
    y = x[:, 0] * x[:, 1] + np.sin(x[:, 2]) + x[:, 5]
    regressor = HistGradientBoostingRegressor(max_iter=30, random_state=1).fit(x, y)
    np.testing.assert_allclose(Trees.of(regressor).predict(x), regressor.predict(x), rtol=1e-6)
    classifier = HistGradientBoostingClassifier(max_iter=30, random_state=1).fit(x, y > 1)
    np.testing.assert_allclose(Trees.of(classifier).predict(x), classifier.decision_function(x), rtol=1e-6)
    staged = np.column_stack(list(regressor.staged_predict(x)))
    np.testing.assert_allclose(Trees.of(regressor).staged(x), staged)
    np.testing.assert_allclose(Trees.of(regressor).first(7).predict(x), staged[:, 6], rtol=1e-6)


def test_with_absolute_errors_one_outlier_in_twenty_does_not_move_the_trees() -> None:
    n = 400
    size = np.full(n, 6, np.float32)
    support = Support.of(np.asarray([6, 1000], np.float32))
    encoder = Encoder(("x",), np.zeros(1, np.float32), np.ones(1, np.float32), {})
    log_size = np.log(size)
    log_size[::20] = np.log(1000)
    rows = Prepared(
        numbers=np.linspace(-1, 1, n, dtype=np.float32)[:, None],
        indices=np.zeros((n, 0), np.int64),
        recent=np.full((n, 12), -1),
        weight=np.ones(n, np.float32),
        target=support.index(np.exp(log_size)),
        log_size=log_size,
        anchor=np.zeros(n, np.float32),
        case_pack=np.ones(n, np.float32),
    )
    means = {}
    for loss in ("absolute", "squared"):
        member = BoostingMember(encoder, support, Settings(boosting={"iterations": 20, "loss": loss}))
        member.fit(rows, rows, encoder, support, seed=1).refit(rows, seed=1)
        means[loss] = member.size_.predict(rows.numbers)
        assert len(member.chance_.roots) == 1, "every row had demand, so there is nothing to grow"
        assert member.predict(rows).p_demand.min() >= 0.995 - 1e-6
    assert means["absolute"] == pytest.approx(np.log(6), abs=1e-3)
    assert means["squared"].mean() > np.log(6) + 0.1


def test_boosting_is_a_member_by_configuration_and_earns_weight(trained: dict[tuple[str, str], Trained]) -> None:
    assert len(trained) == 4
    for one in trained.values():
        assert isinstance(one.model, Ensemble)
        assert [member.name for member in one.model.members] == ["lasso", "boosting"]
        mape, baseline = one.metrics["mape"], one.metrics["baseline_mape"]
        assert mape is not None
        assert baseline is not None
        assert mape < 0.75 * baseline
    assert any(float(one.metrics["size_weight_boosting"] or 0) > 0.2 for one in trained.values())


def test_a_restored_ensemble_of_trees_forecasts_the_same(trained: dict[tuple[str, str], Trained], panel: Panel, tmp_path: Path) -> None:
    model, frame = trained["large", "fast"].model, scoring_frame(panel, 4)
    name, digest = save(model, {}, tmp_path)
    restored = load(tmp_path / name, digest)
    assert isinstance(model, Ensemble)
    assert isinstance(restored, Ensemble)
    np.testing.assert_array_equal(model.predict(frame).pmf, restored.predict(frame).pmf)
    np.testing.assert_array_equal(model.predict(frame).p_demand, restored.predict(frame).p_demand)
    assert restored.settings == SETTINGS
    assert manifest_of(tmp_path / name, digest)["settings"]["boosting"]["leaves"] == 12


def test_a_region_without_rows_to_score_gets_none(trained: dict[tuple[str, str], Trained], panel: Panel) -> None:
    model, frame = trained["large", "fast"].model, scoring_frame(panel, 1)
    assert isinstance(model, Ensemble)
    assert model.predict(frame.take(frame.horizon > 1)).pmf.shape == (0, len(model.support))
