"""Probabilities, means and intervals hold; the oracle of the sample world is the best there is."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from models.ensemble.calibration import Calibration
from models.ensemble.ensemble import Ensemble
from models.evaluation.metrics import score_points, score_quantiles
from models.evaluation.oracle import oracle
from models.evaluation.plots import calibration_plot
from models.evaluation.reliability import ScoredRows, scored_rows
from models.members.distribution import Points, interval_share, points
from models.support import Support
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.features.build import scoring_frame
from transforms.features.frame import Frame
from transforms.panel.panel import Panel
from transforms.world import World
from transforms.world.simulation import case_probabilities

SPEC = TrainingSpec(weeks=56, fewest_rows=50)
BACK = 4


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


@pytest.fixture(scope="module")
def rows(panel: Panel) -> Frame:
    """Scoring rows again and again, as held-back rows whose demand a test makes up."""
    frame = scoring_frame(panel, 4)
    return Frame.concat([frame] * 40)


def test_a_probability_that_is_too_low_is_raised_to_what_came(rows: Frame) -> None:
    rng = np.random.default_rng(3)
    true = rng.uniform(0.1, 0.9, len(rows))
    said = (1 / (1 + np.exp(-(logit(true) - 0.5)))).astype(np.float32)
    demand = np.where(rng.random(len(rows)) < true, 6, 0).astype(np.float32)
    support = Support.of(np.array([6, 12], np.float32))
    learned = Calibration.fit(said, np.tile(np.float32([1, 0]), (len(rows), 1)), replace(rows, demand=demand), support)
    assert said.mean() < true.mean() - 0.05
    assert learned.probability(said).mean() == pytest.approx(demand.astype(bool).mean(), abs=0.005)
    assert learned.chance == pytest.approx([1, 0.5], abs=0.1)
    assert (np.diff(learned.probability(np.linspace(0.01, 0.99, 50).astype(np.float32))) > 0).all()


def test_rows_are_counted_by_their_weight(rows: Frame) -> None:
    rng = np.random.default_rng(4)
    said = np.full(len(rows), 0.3, np.float32)
    demand = np.where(rng.random(len(rows)) < 0.3, 6, 0).astype(np.float32)
    kept = np.flatnonzero((demand > 0) | (rng.random(len(rows)) < 0.25))
    weight = np.where(demand > 0, 1, 4).astype(np.float32)
    sample = replace(rows, demand=demand, weight=weight).take(kept)
    pmf, support = np.ones((len(kept), 1), np.float32), Support.of(np.array([6], np.float32))
    learned = Calibration.fit(said[kept], pmf, sample, support)
    assert learned.probability(said).mean() == pytest.approx(demand.astype(bool).mean(), abs=0.02)
    score = score_points(sample.demand, sample.demand, sample.demand * 0, sample.weight)
    assert score.n == pytest.approx(len(rows), rel=0.03)
    assert score.bias == pytest.approx(-demand.mean(), rel=0.05)


def test_the_mean_is_pooled_from_the_one_that_is_right(rows: Frame) -> None:
    support = Support.of(np.array([6, 12], np.float32))
    year = np.expm1(rows.numeric[:, rows.names.index("log_mean_52")])
    p, pmf = np.full(len(rows), 0.5, np.float32), np.tile(np.float32([0.5, 0.5]), (len(rows), 1))
    learned = Calibration.fit(p, pmf, replace(rows, demand=year.astype(np.float32)), support)
    assert learned.mean.argmax() == 2
    assert (learned.mean >= 0).all()
    assert np.abs(learned.expected(p, pmf, rows, support) - year).mean() < 0.1 * np.abs(rows.baseline - year).mean() + 0.05 * year.mean()
    assert Calibration.none().expected(p, pmf, rows, support) == pytest.approx(np.full(len(rows), 4.5))


def test_reliability_coverage_and_the_plot_show_what_came() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(0.05, 0.95, 20_000).astype(np.float32)
    demand = np.where(rng.random(len(p)) < p, 10, 0).astype(np.float32)
    ten, zero = np.full(len(p), 10, np.float32), np.zeros(len(p), np.float32)
    good = ScoredRows(demand, Points(p, ten, 10 * p, zero, ten, ten, (0.9 - p) / (1 - p), (p - 0.1) / p))
    said, came, count = good.reliability()
    assert count.sum() == len(p)
    assert came == pytest.approx(said, abs=0.04)
    assert good.coverage() == 1
    assert good.pinball() == pytest.approx(score_quantiles(demand, good.points)[0])
    bad = ScoredRows(demand, Points(p, ten, 10 * p, zero, zero, zero, zero + 0.8, zero + 0.8))
    assert bad.coverage() == pytest.approx((demand == 0).mean())
    assert bad.with_demand().coverage() == 0
    between = (p > 0.1) & (p < 0.9)
    assert ScoredRows(demand[between], Points(*(values[between] for values in vars(good.points).values()))).interval_share() == pytest.approx(
        0.8, abs=0.01
    )
    picture = calibration_plot({"ohio": good, "florida": bad})
    assert picture.startswith(b"\x89PNG")
    assert picture == calibration_plot({"florida": bad, "ohio": good})
    assert picture != calibration_plot({"florida": good, "ohio": good})
    assert len(picture) < 60_000


def test_the_share_inside_the_interval_is_80_percent_for_a_distribution_that_is_right_and_not_for_one_that_is_not() -> None:
    rng, sizes = np.random.default_rng(6), np.array([1, 2, 3, 6, 12], np.float32)
    p = rng.uniform(0.05, 0.95, 40_000).astype(np.float32)
    pmf = rng.dirichlet(np.full(len(sizes), 0.4), len(p)).astype(np.float32)
    drawn = sizes[(rng.random((len(p), 1)) > pmf.cumsum(axis=1)).sum(axis=1).clip(0, 4)]
    demand = np.where(rng.random(len(p)) < p, drawn, 0).astype(np.float32)
    made = points(p, pmf, sizes, p * (pmf @ sizes))
    assert interval_share(made, demand).mean() == pytest.approx(0.8, abs=0.006)
    assert ((demand >= made.q10) & (demand <= made.q90)).mean() > 0.88, "plain coverage of a distribution that is right"
    sure = pmf**3 / (pmf**3).sum(axis=1, keepdims=True)
    assert interval_share(points(p, sure, sizes, p * (sure @ sizes)), demand).mean() < 0.78


def truth(world: World, week: int) -> Points:
    pack = world.case_pack[world.series_product]
    return oracle(world.p_demand[:, week], world.mean_log[:, week], world.spec.sigma, pack)


def test_the_oracle_does_not_know_what_was_drawn(world: World) -> None:
    redrawn = replace(world, demand=world.demand * 0 + 999, shipped=world.shipped * 0, returned=world.returned * 0)
    for one, other in zip(vars(truth(world, 70)).values(), vars(truth(redrawn, 70)).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_oracle_says_the_mean_and_quantiles_of_the_simulation(world: World) -> None:
    said, rng, pack = truth(world, 70), np.random.default_rng(1), world.case_pack[world.series_product]
    pmf = case_probabilities(world.mean_log[:, 70], world.spec.sigma)
    drawn = (rng.random((4000, len(pack), 1)) > pmf.cumsum(axis=1)[None]).sum(axis=2) + 1
    drawn = np.where(rng.random(drawn.shape) < world.p_demand[:, 70], drawn * pack, 0)
    assert said.expected == pytest.approx(drawn.mean(axis=0), rel=0.08)
    assert ((drawn <= said.q90).mean(axis=0) > 0.88).all()
    assert ((drawn < said.q90).mean(axis=0) < 0.92).all()


def test_the_ensembles_lie_between_the_oracle_and_the_historical_average(world: World, panel: Panel) -> None:
    origin = panel.last + -BACK
    known = panel.until(origin)
    models = {(one.format, one.mover): one.model for one in train_region(known, SPEC) if one.mover != "all"}
    frame, demand, ours, best, average = scoring_frame(known, BACK), [], [], [], []
    for (format_, mover), model in models.items():
        assert isinstance(model, Ensemble)
        part = frame.take((frame.large == (format_ == "large")) & (frame.fast == (mover == "fast")))
        ours.append(ScoredRows(part.rate, model.points(model.predict(part), part)))
        store = np.char.add("S", world.series_store.astype(str))
        product = np.char.add("P", world.series_product.astype(str))
        at = {pair: index for index, pair in enumerate(zip(store.tolist(), product.tolist(), strict=True))}
        stores, products = panel.stores[panel.store[part.series]].tolist(), panel.products[panel.product[part.series]].tolist()
        series = np.asarray([at[pair] for pair in zip(stores, products, strict=True)])
        week = (origin - world.first) + part.horizon
        demand.append(world.demand[series, week])
        average.append(np.stack([part.baseline_size, part.baseline]))
        pack = world.case_pack[world.series_product[series]]
        best.append(ScoredRows(part.rate, oracle(world.p_demand[series, week], world.mean_log[series, week], world.spec.sigma, pack)))
    came = np.concatenate(demand).astype(np.float32)
    said, known_best = ScoredRows.concat(ours).points, ScoredRows.concat(best).points
    own, limit = score_points(came, said.size, said.expected), score_points(came, known_best.size, known_best.expected)
    usual = score_points(came, *np.concatenate(average, axis=1))
    assert limit.mape < own.mape < usual.mape
    assert limit.rmse_all < own.rmse_all < 1.5 * limit.rmse_all


def test_outcomes_put_what_came_beside_what_was_said_by_region() -> None:
    monday = date(2024, 6, 24)
    keys = {"store_id": ["1", "2", "3"], "product_id": ["A", "A", "B"], "region": ["ohio", "ohio", "florida"], "target_week": [monday] * 3}
    numbers = {name: [0.5, 0.25, 0.125] for name in Points.__dataclass_fields__}
    demand = pa.table({"region": ["ohio", "florida"], "store_id": ["2", "1"], "product_id": ["A", "B"], "week": [monday] * 2, "demand": [7, 9]})
    found = scored_rows(pa.table(keys | numbers), demand)
    assert set(found) == {"ohio", "florida"}
    assert found["florida"].demand.tolist() == [0]
    assert sorted(zip(found["ohio"].demand.tolist(), found["ohio"].points.q90.tolist(), strict=True)) == [(0, 0.5), (7, 0.25)]
