"""What is made of weeks that sold out and of returns that are still to come, where the true demand is known."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.ensemble.ensemble import Ensemble
from models.ensemble.segments import segment_rows
from models.evaluation.metrics import score_points
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from models.training.train import held_back_frame, train_region
from transforms.features.build import scoring_frame, training_frame
from transforms.features.frame import Frame
from transforms.panel.censoring import SoldOut
from transforms.panel.late_returns import OLDEST, Arrivals
from transforms.panel.panel import Panel, Returns
from transforms.panel.unconstrained_demand import estimated_demand
from transforms.world import World

SPEC = TrainingSpec(weeks=56, fewest_rows=50, members=("lasso",), sold_out="estimated")


def true_demand(world: World, panel: Panel) -> npt.NDArray[np.int64]:
    """Demand of the panel's series and weeks, that of sold-out weeks uncut."""
    place = {(f"S{store}", f"P{product}"): row for row, (store, product) in enumerate(zip(world.series_store, world.series_product, strict=True))}
    rows = [place[panel.stores[store], panel.products[product]] for store, product in zip(panel.store, panel.product, strict=True)]
    return world.demand[rows, panel.first - world.first :][:, : panel.weeks]


def rmse(said: npt.NDArray[np.floating], true: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean((said - true) ** 2)))


def same_rows(one: Frame, other: Frame) -> None:
    for name in ("numeric", "recent", "rate", "baseline", "weight", "series"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.demand is None and other.demand is None) or np.array_equal(one.demand, other.demand)


def test_estimates_are_nearer_to_true_demand_than_what_is_on_record(planned_world: World, planned: Panel) -> None:
    pairs: dict[str, list[npt.NDArray[np.floating]]] = {"all": [], "sold out": [], "newest": []}
    for back in range(0, 32, 4):
        panel = planned.until(planned.last + -back)
        made = np.stack([true_demand(planned_world, panel), estimated_demand(panel), panel.demand()])
        pairs["all"].append(made.reshape(3, -1))
        pairs["sold out"].append(made[:, made[0] > panel.shipped])
        pairs["newest"].append(made[:, :, -3:].reshape(3, -1))
    for rows, share in (("all", 0.75), ("sold out", 0.75), ("newest", 0.9)):
        true, estimate, record = np.concatenate(pairs[rows], axis=1)
        assert rmse(estimate, true) < share * rmse(record, true)
        # In the newest weeks returns that have not come and demand that was not met cancel in the mean of what is on record.
        assert rows == "newest" or abs(estimate.mean() / true.mean() - 1) < 0.6 * abs(record.mean() / true.mean() - 1)


def test_what_came_back_is_believed_and_estimates_are_whole_cases(planned: Panel) -> None:
    estimate, pack = estimated_demand(planned), planned.product_number["case_pack"][planned.product][:, None]
    back = np.zeros(planned.shipped.shape, bool)
    back[planned.returns.series, planned.returns.week] = True
    np.testing.assert_array_equal(estimate[back], planned.demand()[back])
    assert (estimate % pack == 0).all()
    settled = np.arange(planned.weeks) < planned.weeks - 4
    assert (estimate >= planned.shipped)[~back & settled].all()
    assert (estimate > planned.shipped)[~back & settled].mean() > 0.3


def test_arrivals_by_age_are_those_of_the_simulation(planned: Panel) -> None:
    # The simulation reports 0.3, 0.4, 0.2, 0.1 of the returns in the week of delivery and the three that follow.
    arrivals = Arrivals.of(planned.until(planned.last + -2))
    assert arrivals.to_come[:4] == pytest.approx([0.7, 0.3, 0.1, 0], abs=0.04)
    assert arrivals.to_come[4:] == pytest.approx(np.zeros(OLDEST - 3))
    assert arrivals.growth == pytest.approx(np.ones(OLDEST + 1))


def test_the_second_half_of_a_return_is_expected_when_the_first_has_come(planned: Panel) -> None:
    whole = planned.returns
    halves = Returns(
        np.tile(whole.series, 2), np.tile(whole.week, 2), np.tile(whole.units / 2, 2), np.concatenate([whole.known_at, whole.known_at + 7 * 86_400])
    )
    known = replace(planned, returns=halves).until(planned.last)
    arrivals, last = Arrivals.of(known), planned.weeks - 1
    came = arrivals.units[:, last] > 0
    assert arrivals.in_the_end()[came, last] == pytest.approx(2 * arrivals.units[came, last], rel=0.1)
    assert arrivals.growth[1:] == pytest.approx(np.ones(OLDEST))


def test_the_mean_behind_a_silent_delivery_is_that_of_a_simulation() -> None:
    rng, border, mean_log, sigma, chance, late = np.random.default_rng(3), np.log(11.0), np.log(10.0), 0.4, 0.7, 0.3
    demand = np.where(rng.random(1_000_000) < chance, np.exp(mean_log + sigma * rng.normal(size=1_000_000)), 0)
    sold = demand >= np.exp(border)
    silent = sold | (rng.random(len(demand)) < late)
    shares = sold[silent].mean(), (~sold & (demand > 0))[silent].mean()
    one = (np.full(1, value, np.float32) for value in (11, border, mean_log))
    shipped, border_, mean_log_ = one
    found = SoldOut(shipped, border_, mean_log_, sigma, *(np.full(1, share, np.float32) for share in shares))
    assert found.mean()[0] == pytest.approx(demand[silent].mean(), rel=0.01)


def test_a_delivery_far_beyond_the_usual_that_sold_out_counts_as_what_was_shipped(planned: Panel) -> None:
    shipped, silent = planned.shipped.copy(), Arrivals.of(planned).silent(planned.shipped)
    at = silent[len(silent) // 2]
    shipped.ravel()[at] = 100_000 * planned.product_number["case_pack"][planned.product[at // planned.weeks]]
    estimate = estimated_demand(replace(planned, shipped=shipped)).ravel()
    assert np.isfinite(estimate).all()
    assert estimate[at] == pytest.approx(shipped.ravel()[at], rel=0.1)


@pytest.mark.parametrize("returns", ["none", "few"])
def test_where_too_little_comes_back_nothing_changes_whatever_the_setting(panel: Panel, returns: str) -> None:
    # In the usual sample world an eighth of the deliveries has a return: a store without one has not sold out.
    kept = panel.returns.take(np.full(len(panel.returns.series), returns == "few"))
    off = replace(panel, returns=kept)
    on = replace(off, sold_out="estimated")
    same_rows(scoring_frame(off, 4), scoring_frame(on, 4))
    for one, other in zip(training_frame(off, 4, 40, 0.5, 7), training_frame(on, 4, 40, 0.5, 7), strict=True):
        if isinstance(one, Frame) and isinstance(other, Frame):
            same_rows(one, other)
        else:
            np.testing.assert_array_equal(one, other)


def test_weeks_before_returns_were_recorded_tell_nothing(planned: Panel) -> None:
    half = planned.weeks // 2
    late = replace(planned, returns=planned.returns.take(planned.returns.week >= half))
    estimate = estimated_demand(late)
    np.testing.assert_array_equal(estimate[:, : half - 13], planned.shipped[:, : half - 13])
    assert (estimate > late.demand())[:, half + 13 :].mean() > 0.1


def test_models_learn_from_the_estimate_and_are_judged_by_what_is_on_record(planned: Panel) -> None:
    rows, back = training_frame(planned, 4, 40, 0.5, 7)
    week = planned.weeks - 1 - back
    np.testing.assert_array_equal(rows.demand, estimated_demand(planned)[rows.series, week])
    np.testing.assert_array_equal(rows.judged, planned.demand()[rows.series, week])
    assert rows.demand is not None
    assert rows.judged is not None
    assert rows.demand.mean() > 1.05 * rows.judged.mean()
    [trained] = train_region(planned, SPEC, [("large", "fast")])
    held_back, _ = held_back_frame(planned, SPEC)
    labels = np.where(planned.store_text["format"].levels[planned.store_text["format"].codes] == "large", "large", "small")[planned.store]
    mine = held_back.take(segment_rows(held_back, labels, "large", "fast"))
    model = trained.model
    assert isinstance(model, Ensemble)
    assert model.held_back is not None
    assert mine.demand is not None
    said = model.held_back.points(model.held_back.predict(mine), mine)
    assert score_points(mine.demand, said.size, said.expected).mape == pytest.approx(trained.metrics["mape"])


def test_the_setting_is_part_of_the_code_version() -> None:
    assert code_version(TrainingSpec()) != code_version(SPEC)
    assert code_version(replace(SPEC, sold_out="as_shipped")) != code_version(SPEC)
