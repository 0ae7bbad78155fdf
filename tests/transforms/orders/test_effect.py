"""What an edit costs, beside distributions that are known in full."""

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from transforms.orders.effect import Known, effect_of


def known_of(distributions: list, planned: np.ndarray) -> Known:
    """What the lake would tell of distributions that are known."""
    x = np.arange(2000)
    pmf = np.stack([d.pmf(x) for d in distributions])
    left = np.maximum(planned[:, None] - x, 0)
    missed = np.maximum(x - planned[:, None], 0)
    quantiles = [np.array([d.ppf(level) for d in distributions]) for level in (0.1, 0.5, 0.9)]
    return Known(
        1 - pmf[:, 0], *quantiles, np.array([d.mean() for d in distributions]), planned,
        np.array([d.cdf(q) for d, q in zip(distributions, planned, strict=True)]), (pmf * left).sum(axis=1), (pmf * missed).sum(axis=1),
    )  # fmt: skip


DISTRIBUTIONS = [poisson(0.4), poisson(6), poisson(60), nbinom(1, 0.1), nbinom(0.5, 0.02), nbinom(3, 0.02)]
PLANNED = np.array([0.0, 6, 66, 12, 48, 200])


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.1, 1.5, 2.5])
def test_returns_and_lost_sales_of_an_edit_are_close_to_those_of_the_whole_distribution(factor: float) -> None:
    known = known_of(DISTRIBUTIONS, PLANNED)
    quantity = np.round(PLANNED * factor + (6 if factor > 1 else 0))
    truth = known_of(DISTRIBUTIONS, quantity)
    effect = effect_of(known, quantity)
    scale = known.expected + np.abs(quantity - PLANNED)
    np.testing.assert_array_less(np.abs(effect.expected_lost_sales - truth.expected_lost_sales) / scale, 0.06)
    np.testing.assert_array_less(np.abs(effect.expected_returns - truth.expected_returns) / scale, 0.06)
    np.testing.assert_array_less(np.abs(effect.service_level - truth.service_level), 0.16)


def test_what_was_planned_keeps_the_plans_own_numbers() -> None:
    known = known_of(DISTRIBUTIONS, PLANNED)
    effect = effect_of(known, PLANNED)
    for name in ("service_level", "expected_returns", "expected_lost_sales"):
        np.testing.assert_array_equal(getattr(effect, name), getattr(known, name))


def test_more_units_never_lose_more_sales_and_never_return_less() -> None:
    known = known_of(DISTRIBUTIONS, PLANNED)
    effects = [effect_of(known, np.full(6, float(quantity))) for quantity in range(0, 400, 7)]
    lost, returned = (np.stack([getattr(effect, name) for effect in effects]) for name in ("expected_lost_sales", "expected_returns"))
    assert (np.diff(lost, axis=0) <= 1e-9).all()
    assert (np.diff(returned, axis=0) >= -1e-9).all()
    assert (lost >= 0).all()
    assert (returned >= 0).all()


def test_series_without_demand_return_all_that_is_loaded() -> None:
    nothing = np.zeros(1)
    known = Known(nothing, nothing, nothing, nothing, nothing, nothing, np.ones(1), nothing, nothing)
    effect = effect_of(known, np.full(1, 12.0))
    assert effect.expected_returns == pytest.approx([12])
    assert effect.expected_lost_sales == pytest.approx([0])
    assert effect.service_level == pytest.approx([1])
