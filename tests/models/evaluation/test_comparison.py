"""The paired bootstrap: what it finds, what it must not find, and that it counts what the metrics count."""

import numpy as np
import numpy.typing as npt
import pytest

from models.evaluation.comparison import METRICS, CostedForecasts, compare, realised_cost
from models.evaluation.gate import Gate, comparison_checks
from models.evaluation.metrics import score_points

SERIES, WEEKS = 60, 8


def rows(seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64], np.random.Generator]:
    rng = np.random.default_rng(seed)
    series, week = (part.ravel() for part in np.meshgrid(np.arange(SERIES), np.arange(WEEKS), indexing="ij"))
    level = rng.gamma(4, 5, SERIES)[series] * np.exp(0.2 * rng.normal(size=WEEKS))[week]
    demand = np.where(rng.random(len(series)) < 0.7, np.maximum(1, rng.poisson(level)), 0).astype(np.float32)
    return demand, series, week, rng


def outcome(demand: npt.NDArray[np.float32], rng: np.random.Generator, error: float, scale: float = 1.0) -> CostedForecasts:
    """A model whose every forecast is off by a factor that is drawn anew."""
    size = scale * np.maximum(demand, 5) * np.exp(error * rng.normal(size=len(demand)))
    expected = 0.7 * size
    return CostedForecasts(
        size.astype(np.float32), expected.astype(np.float32), realised_cost(size.round(), demand, np.float32(0.3), np.float32(0.1))
    )


def test_the_values_compared_are_those_of_the_metrics() -> None:
    demand, series, week, rng = rows(1)
    one, two = outcome(demand, rng, 0.3), outcome(demand, rng, 0.4)
    found = {difference.metric: difference for difference in compare(demand, series, week, one, two, 0.99, seed=7)}
    for role, model in (("challenger", one), ("champion", two)):
        score = score_points(demand, model.size, model.expected)
        assert getattr(found["mape"], role) == pytest.approx(score.mape)
        assert getattr(found["rmse_0"], role) == pytest.approx(score.rmse_0)
        assert getattr(found["rmse_all"], role) == pytest.approx(score.rmse_all)
        assert getattr(found["bias"], role) == pytest.approx(abs(score.bias))
        assert getattr(found["cost"], role) == pytest.approx(float(model.cost.mean()), rel=1e-5)


def test_the_same_seed_gives_the_same_bounds() -> None:
    demand, series, week, rng = rows(2)
    one, two = outcome(demand, rng, 0.3), outcome(demand, rng, 0.3)
    assert compare(demand, series, week, one, two, 0.99, seed=7) == compare(demand, series, week, one, two, 0.99, seed=7)


def test_a_model_as_good_as_the_champion_is_refused_in_few_of_a_hundred_trials() -> None:
    refused = 0
    for seed in range(100):
        demand, series, week, rng = rows(seed)
        found = compare(demand, series, week, outcome(demand, rng, 0.3), outcome(demand, rng, 0.3), 0.99, seed)
        refused += any(not check.passed for check in comparison_checks(found, Gate(max_regression=dict.fromkeys(METRICS, 0.0))))
    # 5 % over five metrics is what the bounds promise; 10 of 100 is beyond its 98 % quantile.
    assert refused <= 10


def test_a_model_a_fifth_worse_is_refused_with_its_numbers() -> None:
    demand, series, week, rng = rows(3)
    found = compare(demand, series, week, outcome(demand, rng, 0.5), outcome(demand, rng, 0.2), 0.99, seed=7)
    failed = {check.name: check.detail for check in comparison_checks(found, Gate()) if not check.passed}
    assert "mape against champion" in failed
    assert " against " in failed["mape against champion"]


def test_a_costly_model_is_refused_for_its_cost_and_its_bias() -> None:
    demand, series, week, rng = rows(4)
    found = compare(demand, series, week, outcome(demand, rng, 0.2, scale=2.0), outcome(demand, rng, 0.2), 0.99, seed=7)
    failed = {check.name for check in comparison_checks(found, Gate()) if not check.passed}
    assert {"bias against champion", "cost against champion"} <= failed


def test_what_is_worse_by_less_than_the_tolerance_passes_however_sure_it_is() -> None:
    demand, series, week, rng = rows(5)
    good = outcome(demand, rng, 0.3)
    worse = CostedForecasts(good.size, good.expected, good.cost * np.float32(1.01))
    found = [difference for difference in compare(demand, series, week, worse, good, 0.99, seed=7) if difference.metric == "cost"]
    assert found[0].lower > 0
    assert comparison_checks(found, Gate(max_regression={"cost": 0.02}))[0].passed
    assert not comparison_checks(found, Gate(max_regression={"cost": 0.005}))[0].passed


def test_a_metric_without_rows_is_left_out() -> None:
    demand, series, week, rng = rows(6)
    demand = np.maximum(demand, 1)
    found = compare(demand, series, week, outcome(demand, rng, 0.3), outcome(demand, rng, 0.3), 0.99, seed=7)
    assert [difference.metric for difference in found] == ["mape", "rmse_all", "bias", "cost"]
