"""Deliveries in whole cases as intervals: moments within them, what is delivered on average, and who is left alone."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from transforms.features.case_packs import WholeCases


def cases_of(demand: list[list[float]], case_pack: list[float], centre: float = 0.0) -> WholeCases:
    """Each series a product of its own."""
    return WholeCases(np.asarray(demand, np.float32), np.arange(len(demand), dtype=np.int32), np.asarray(case_pack, np.float32), centre)


def test_what_was_wanted_lies_within_half_a_case_where_a_normal_density_has_its_mean() -> None:
    demand, centre = np.asarray([[12, 24, 0, 60], [6, 6, 0, 12]], np.float32), 2.0
    log_size = np.where(demand > 0, np.log(np.maximum(demand, 1)) - centre, 0).astype(np.float32)
    mean = (np.log([[9, 26, 1, 58], [7, 2, 1, 11]]) - centre).astype(np.float32)
    wanted, sigma = cases_of(demand.tolist(), [12, 6], centre).wanted(log_size, mean, 0.4)
    case = np.asarray([[12], [6]])
    low, high = np.log(np.where(demand > case, demand - case / 2, 1e-9)) - centre, np.log(demand + case / 2) - centre
    expected = truncnorm.mean((low - mean) / sigma, (high - mean) / sigma, loc=mean, scale=sigma)
    assert wanted[demand > 0] == pytest.approx(expected[demand > 0], abs=1e-4)
    assert not wanted[demand == 0].any()
    assert 0.05 < sigma < 0.4


def test_what_lies_far_outside_is_taken_for_the_nearest_end() -> None:
    log_size, mean = np.log(np.asarray([[12, 240]], np.float32)), np.log(np.asarray([[200, 3]], np.float32))
    wanted, sigma = cases_of([[12, 240]], [12]).wanted(log_size, mean, 0.1)
    assert wanted[0] == pytest.approx(np.log([18, 234]), abs=2e-3 + sigma)
    assert np.isfinite(wanted).all()


@pytest.mark.parametrize("sigma", [0.2, 0.6])
def test_the_mean_of_what_is_delivered_is_that_of_draws(sigma: float) -> None:
    rng = np.random.default_rng(4)
    mean = np.log(np.asarray([4.0, 12, 17, 30, 350, 365, 700, 7000], np.float32))
    said = cases_of(np.full((8, 20), 24.0).tolist(), [12.0] * 8).delivered(mean, sigma)
    drawn = np.exp(mean + rng.normal(0, sigma, (400_000, 8)))
    assert said == pytest.approx(np.log(12 * np.maximum(np.rint(drawn / 12), 1)).mean(axis=0), abs=4e-3)


def test_a_product_that_breaks_its_cases_seldom_among_others_is_the_only_one_that_is_not_rounded() -> None:
    demand = np.full((25, 40), 24.0)
    demand[0] = 6
    cases, mean = cases_of(demand.tolist(), [12.0] * 25), np.log(np.full(25, 6, np.float32))
    said = cases.delivered(mean, 0.3)
    assert said[0] == mean[0]
    assert said[1:] == pytest.approx(np.log(12), abs=0.01)
    # A product delivered once is judged by the others of its case pack.
    rare = np.zeros((1, 40))
    rare[0, 3] = 12
    assert cases_of([*demand[1:].tolist(), *rare.tolist()], [12.0] * 25).delivered(mean, 0.3)[-1] > mean[0] + 0.6


def test_where_many_products_of_a_case_pack_break_their_cases_the_others_do_not_by_choice() -> None:
    demand = np.full((25, 40), 24.0)
    demand[:3] = 6
    mean = np.log(np.full(25, 6, np.float32))
    assert cases_of(demand.tolist(), [12.0] * 25).delivered(mean, 0.3).tolist() == mean.tolist()


def test_a_delivery_that_is_no_multiple_is_what_it_is() -> None:
    demand = np.full((1, 100), 24.0)
    demand[0, :2] = 5, 17
    log_size = np.log(demand).astype(np.float32)
    wanted, _ = cases_of(demand.tolist(), [12.0]).wanted(log_size, np.full((1, 100), np.log(20), np.float32), 0.3)
    assert wanted[0, :2].tolist() == log_size[0, :2].tolist()
    assert (wanted[0, 2:] < log_size[0, 2:]).all()


@pytest.mark.parametrize(("demand", "case_pack"), [([12, 24, 5, 7], 12), ([1, 2, 3, 4], 1), ([12, 24, 12, 24], np.nan), ([12, 24, 12, 24], 0)])
def test_products_in_units_broken_or_unknown_cases_are_left_as_they_are(demand: list[float], case_pack: float) -> None:
    cases, log_size = cases_of([demand], [case_pack]), np.log(np.asarray([demand], np.float32))
    wanted, sigma = cases.wanted(log_size, log_size + 1, 0.3)
    assert wanted is log_size
    assert sigma == 0.3
    assert cases.delivered(np.asarray([1.5], np.float32), 0.3).tolist() == [1.5]


def test_nothing_delivered_says_nothing() -> None:
    nothing = np.zeros((0, 5), np.float32)
    cases = WholeCases(nothing, np.zeros(0, np.int32), np.zeros(0, np.float32), 0.0)
    assert cases.wanted(nothing, nothing, 0.3).log_size is nothing
    assert cases.delivered(np.zeros(0, np.float32), 0.3).shape == (0,)
