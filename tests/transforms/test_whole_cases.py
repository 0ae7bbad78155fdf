"""Deliveries in whole cases as intervals: moments within them, what is delivered on average, and who is left alone."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from transforms.whole_cases import WholeCases


def cases_of(demand: list[list[float]], case_pack: list[float], centre: float = 0.0) -> WholeCases:
    return WholeCases(np.asarray(demand, np.float32), np.asarray(case_pack, np.float32), centre)


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


def test_the_mean_of_what_is_delivered_is_that_of_draws() -> None:
    rng = np.random.default_rng(4)
    mean = np.log(np.asarray([4.0, 12, 17, 30, 400, 7000, 17], np.float32))
    packs = np.asarray([12.0] * 6 + [5], np.float32)
    demand = np.append(np.full((6, 20), 24.0), np.full((1, 20), 7.0), axis=0)
    said = cases_of(demand.tolist(), packs.tolist()).delivered(mean, 0.3)
    drawn = np.exp(mean + rng.normal(0, 0.3, (400_000, 7)))
    whole = np.log(12 * np.maximum(np.rint(drawn / 12), 1)).mean(axis=0)
    assert said[:6] == pytest.approx(whole[:6], abs=2e-3)
    # Sevens of a case of five: the store may have what it wants.
    assert said[6] == mean[6]


@pytest.mark.parametrize(("demand", "case_pack"), [([12, 24, 5, 7], 12), ([1, 2, 3, 4], 1), ([12, 24, 12, 24], np.nan), ([12, 24, 12, 24], 0)])
def test_products_in_units_broken_or_unknown_cases_are_left_as_they_are(demand: list[float], case_pack: float) -> None:
    cases, log_size = cases_of([demand], [case_pack]), np.log(np.asarray([demand], np.float32))
    assert cases.wanted(log_size, log_size + 1, 0.3) == (log_size, 0.3)
    assert cases.delivered(np.asarray([1.5], np.float32), 0.3).tolist() == [1.5]


def test_nothing_delivered_says_nothing() -> None:
    nothing = np.zeros((0, 5), np.float32)
    cases = WholeCases(nothing, np.zeros(0, np.float32), 0.0)
    assert cases.wanted(nothing, nothing, 0.3) == (nothing, 0.3)
    assert cases.delivered(np.zeros(0, np.float32), 0.3).shape == (0,)
