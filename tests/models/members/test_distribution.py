from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.members.base import Prepared
from models.members.distribution import best_size, orders, points
from models.members.spread import Spread
from models.support import ENDS, STEPS, Support

SIZES = np.array([1, 2, 3, 6, 12, 24], np.float32)


def random_pmf(rng: np.random.Generator, rows: int) -> np.ndarray:
    pmf = rng.random((rows, len(SIZES))).astype(np.float32) ** 3 + 1e-6
    return pmf / pmf.sum(axis=1, keepdims=True)


@given(st.integers(0, 10_000))
def test_the_best_size_is_the_one_that_a_search_over_all_sizes_finds(seed: int) -> None:
    pmf = random_pmf(np.random.default_rng(seed), 3)
    losses = np.array([[(row * np.abs(SIZES - size) / SIZES).sum() for size in SIZES] for row in pmf])
    chosen = np.searchsorted(SIZES, best_size(pmf, SIZES))
    assert losses[np.arange(3), chosen] == pytest.approx(losses.min(axis=1), rel=1e-4)


@given(st.integers(0, 10_000))
def test_quantiles_do_not_cross_and_expected_is_the_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pmf, p = random_pmf(rng, 20), rng.random(20).astype(np.float32)
    made = points(p, pmf, SIZES, p * (pmf @ SIZES))
    assert (made.q10 <= made.q50).all()
    assert (made.q50 <= made.q90).all()
    assert made.expected == pytest.approx(p * (pmf * SIZES).sum(axis=1), rel=1e-4)
    assert (made.q50[p < 0.5] == 0).all()


@given(st.integers(0, 10_000))
def test_the_order_costs_no_more_than_any_other_number_of_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pmf, p = random_pmf(rng, 1), rng.random(1).astype(np.float32)
    pack, lost, returned = np.float32(rng.choice([1, 4, 6])), np.float32(rng.random() + 0.05), np.float32(rng.random() + 0.05)
    plan = orders(p, pmf, SIZES, np.array([pack]), np.array([lost]), np.array([returned]))

    def cost(quantity: float) -> float:
        demand, mass = np.append(0, SIZES), np.append(1 - p, p * pmf[0])
        return float((mass * (lost * np.maximum(demand - quantity, 0) + returned * np.maximum(quantity - demand, 0))).sum())

    chosen = float(plan.quantity[0])
    assert chosen % pack == 0
    assert cost(chosen) <= min(cost(cases * pack) for cases in range(40)) + 1e-4
    assert lost * plan.expected_lost_sales[0] + returned * plan.expected_returns[0] == pytest.approx(cost(chosen), abs=1e-3)


def test_rare_sizes_go_to_the_nearest_usual_one() -> None:
    support = Support.of(np.array([6] * 50 + [12] * 30 + [1000], np.float32))
    assert list(support.sizes) == [6, 12, 1000]
    assert list(support.means) == [6, 12, 1000]
    assert list(Support.of(np.array([6, 6, 7, 100, 400], np.float32), most=1, tail=2).means) == [6, 7, 250]
    assert list(support.index(np.array([5, 8, 9, 5000, np.nan], np.float32))) == [0, 0, 1, 2, -1]


def test_sizes_that_hardly_repeat_get_even_steps_of_their_logs_and_case_multiples_do_not() -> None:
    rng = np.random.default_rng(2)
    multiples = np.exp(rng.normal(0, 0.8, 4000)).astype(np.float32)
    support = Support.of(multiples)
    steps = np.diff(np.log(support.sizes))
    assert len(support) == STEPS
    assert steps == pytest.approx(steps.mean(), rel=1e-3)
    assert support.sizes[[0, -1]] == pytest.approx(np.quantile(multiples, ENDS), rel=1e-3)
    assert list(Support.of((6 * rng.integers(1, 20, 4000)).astype(np.float32)).sizes) == [6.0 * case for case in range(1, 20)]


def test_the_spread_of_continuous_sizes_is_that_of_the_middle_of_the_errors() -> None:
    rng = np.random.default_rng(4)
    n, sigma = 5000, 0.3
    error = rng.normal(0, sigma, n)
    error[::50] *= 20
    log_size = error.astype(np.float32)
    support = Support.of(np.exp(log_size))
    hits = rows_with(log_size, np.ones(n, np.float32), support)
    spread = Spread.fit(lambda rows: rows.anchor, hits, hits, support)
    assert support.continuous
    assert spread.sigma == pytest.approx(sigma, rel=0.05)
    point = best_size(spread.pmf(np.zeros(1, np.float32), hits.take(slice(0, 1)), support), support.sizes)
    assert np.log(point[0]) == pytest.approx(-(sigma**2), abs=0.06), "a lognormal's best point lies sigma squared below its median"


def test_a_spread_learns_in_which_multiples_a_case_pack_is_delivered() -> None:
    rng = np.random.default_rng(6)
    pack = rng.choice([4, 6], 6000).astype(np.float32)
    mean = rng.normal(np.log(30), 0.4, 6000).astype(np.float32)
    size = (np.maximum(np.round(np.exp(mean + rng.normal(0, 0.25, 6000)) / pack), 1) * pack).astype(np.float32)
    support = Support.of(size)
    chance = rng.normal(size=(6000, 5)).astype(np.float32)
    hits = replace(rows_with(np.log(size), pack, support), anchor=mean, numbers=chance)
    half = np.arange(6000) < 4000
    spread = Spread.fit(lambda rows: rows.anchor, hits.take(half), hits.take(~half), support)
    assert not len(spread.scale), "all errors are alike"

    def pmf_of(*packs: float) -> np.ndarray:
        rows = replace(hits.take(np.arange(len(packs))), case_pack=np.asarray(packs, np.float32))
        return spread.pmf(np.full(len(packs), np.log(30), np.float32), rows, support)

    for case in (4, 6):
        (pmf,) = pmf_of(case)
        assert pmf[support.sizes % case == 0].sum() > 0.98
        assert np.log(support.sizes) @ pmf == pytest.approx(np.log(30), abs=0.06)
    never_seen, nearest, unknown = pmf_of(100, 6, 0)
    np.testing.assert_array_equal(never_seen, nearest)
    assert 0.4 < unknown[support.sizes % 6 == 0].sum() < 0.8


def test_a_mean_far_beyond_all_sizes_stands_for_the_nearest() -> None:
    sizes = np.arange(6, 600, 6).astype(np.float32)
    support = Support.of(np.repeat(sizes, 50))
    hits = rows_with(np.log(np.repeat(sizes, 50)), np.full(50 * len(sizes), 6, np.float32), support)
    spread = replace(Spread.fit(lambda rows: rows.log_size, hits, hits, support), sigma=0.13)
    far = np.log(np.asarray([0.5, 900, 2000, 9000], np.float32))
    smallest, *largest = best_size(spread.pmf(far, hits.take(np.arange(4)), support), support.sizes)
    assert smallest == 6
    assert min(largest) >= support.sizes[-3]


def test_rows_whose_errors_are_known_to_be_small_get_a_narrow_spread() -> None:
    rng = np.random.default_rng(7)
    n, unsteady = 8000, rng.random(8000) < 0.5
    mean = rng.normal(np.log(30), 0.3, n).astype(np.float32)
    sigma = np.where(unsteady, 0.6, 0.1)
    size = np.maximum(np.round(np.exp(mean + sigma * rng.normal(size=n))), 1).astype(np.float32)
    support = Support.of(size)
    hits = replace(
        rows_with(np.log(size), np.ones(n, np.float32), support), anchor=mean, numbers=np.where(unsteady, 1, -1).astype(np.float32)[:, None]
    )
    half = np.arange(n) < 5000
    spread = Spread.fit(lambda rows: rows.anchor, hits.take(half), hits.take(~half), support)
    pmf = spread.pmf(mean, hits, support)
    centre = np.log(support.sizes) @ pmf.T
    width = np.sqrt(np.sum(pmf * (np.log(support.sizes) - centre[:, None]) ** 2, axis=1))
    assert np.median(width[unsteady]) > 3 * np.median(width[~unsteady])
    alone = Spread.fit(lambda rows: rows.anchor if len(rows) else pytest.fail("asked for no rows"), hits, hits.take(slice(0, 0)), support)
    assert not len(alone.scale), "nothing to be judged on"
    restored = Spread.restore(spread.state())
    np.testing.assert_array_equal(restored.pmf(mean, hits, support), pmf)


def test_whether_sizes_are_continuous_is_told_by_the_most_frequent_ones_whatever_their_number() -> None:
    rng = np.random.default_rng(3)
    assert not Support.of(np.repeat(np.arange(1, 81), 2).astype(np.float32)).continuous
    assert Support.of(np.exp(rng.normal(0, 0.8, 170)).astype(np.float32)).continuous


def rows_with(log_size: np.ndarray, case_pack: np.ndarray, support: Support) -> Prepared:
    """Rows with demand and no features."""
    n = len(log_size)
    nothing = np.zeros((n, 0))
    return Prepared(
        nothing.astype(np.float32), nothing.astype(np.int64), np.full((n, 12), -1), np.ones(n, np.float32), support.index(np.exp(log_size)), log_size,
        np.zeros(n, np.float32), case_pack,
    )  # fmt: skip
