import numpy as np
import pytest
from scipy.stats import t as student

from models.evaluation.ab_test import lift, pair_stores, treated_stores
from transforms.arrays import Floats64

ALPHA, LOOKS, PAIRS, WORLDS, THROWS = 0.05, 13, 20, 150, 800


def errors(rng: np.random.Generator, stores: int) -> Floats64:
    """Errors by store and week that nobody's model changes: stores keep their own level, weeks move all stores, some are far out."""
    level = rng.gamma(4, 0.08, (stores, 1))
    return np.asarray(level * np.exp(0.3 * rng.standard_normal((1, LOOKS)) + 0.5 * rng.standard_t(4, (stores, LOOKS)).clip(-4, 4)))


def differences(rng: np.random.Generator, mode: str, effect: float) -> Floats64:
    """Champion's less challenger's by pair and week, where the challenger takes `effect` off every error that it is responsible for."""
    every = errors(rng, 2 * PAIRS)
    if mode == "shadow":
        return np.asarray(effect + 0.02 * rng.standard_normal((1, LOOKS)) + 0.05 * rng.standard_normal(every.shape))
    one, other = every[:PAIRS], every[PAIRS:]
    heads = rng.random((PAIRS, 1 if mode == "split" else LOOKS)) < 0.5
    return np.asarray(np.where(heads, one - other, other - one) + effect)


def ever(mode: str, effect: float, worlds: int, verdict: str) -> float:
    """Share of worlds in which a test says the verdict at any of its weekly looks."""
    rng, found = np.random.default_rng(11), 0
    for _ in range(worlds):
        values = differences(rng, mode, effect)
        found += any(lift(values[:, :look], mode, ALPHA, LOOKS, THROWS).verdict == verdict for look in range(1, LOOKS + 1))
    return found / worlds


@pytest.mark.parametrize("mode", ["split", "interleave", "shadow"])
def test_two_arms_that_are_the_same_are_told_apart_no_more_often_than_said(mode: str) -> None:
    tolerance = 2.5 * np.sqrt(ALPHA * (1 - ALPHA) / WORLDS)
    told = ever(mode, 0.0, WORLDS, "better") + ever(mode, 0.0, WORLDS, "worse")
    assert told <= ALPHA + tolerance


def test_looking_every_week_with_an_ordinary_test_tells_them_apart_far_too_often() -> None:
    rng, found = np.random.default_rng(11), 0
    for _ in range(WORLDS):
        values = differences(rng, "split", 0.0)
        flat = [values[:, :look].ravel() for look in range(1, LOOKS + 1)]
        found += any(abs(one.mean()) > student.ppf(1 - ALPHA / 2, len(one) - 1) * one.std(ddof=1) / np.sqrt(len(one)) for one in flat)
    assert found / WORLDS > 3 * ALPHA


@pytest.mark.parametrize(("mode", "effect"), [("split", 0.5), ("interleave", 0.13), ("shadow", 0.03)])
def test_a_better_challenger_is_found(mode: str, effect: float) -> None:
    assert ever(mode, effect, 60, "better") > 0.8
    assert ever(mode, effect, 60, "worse") == 0.0
    assert ever(mode, -effect, 60, "worse") > 0.8


def test_with_too_few_units_nothing_is_said() -> None:
    outcome = lift(np.full((4, 2), 0.5), "split", ALPHA, LOOKS)
    assert (outcome.low, outcome.high, outcome.verdict) == (None, None, "undecided")


def test_a_week_without_a_score_counts_for_nobody() -> None:
    values = np.array([[0.2, np.nan], [np.nan, np.nan], [0.4, 0.2]])
    assert lift(values, "split", ALPHA, LOOKS).units == 2
    assert lift(values, "split", ALPHA, LOOKS).difference == pytest.approx(0.25)
    assert lift(values, "interleave", ALPHA, LOOKS).units == 3


def test_pairs_are_of_one_format_and_alike_and_drawn_by_the_seed() -> None:
    rng = np.random.default_rng(3)
    stores, formats = [f"S{i:02}" for i in range(41)], ["large" if i % 3 else "small" for i in range(41)]
    units = rng.gamma(2, 50, 41)
    volume, kind = dict(zip(stores, units, strict=True)), dict(zip(stores, formats, strict=True))
    pairs = pair_stores(stores, formats, units, 0.5, 7)
    assert pairs == pair_stores(stores, formats, units, 0.5, 7)
    assert pairs != pair_stores(stores, formats, units, 0.5, 8)
    assert all(kind[first] == kind[second] for first, second in pairs)
    assert len({store for pair in pairs for store in pair}) == 2 * len(pairs) == 40
    gaps = [abs(volume[first] - volume[second]) for first, second in pairs]
    assert np.mean(gaps) < 0.25 * np.mean(np.abs(np.subtract.outer(units, units)))
    assert len(pair_stores(stores, formats, units, 0.2, 7)) == 8


def test_roles_stay_in_a_split_and_are_drawn_anew_when_interleaved() -> None:
    pairs = tuple((f"a{i}", f"b{i}") for i in range(50))
    assert treated_stores(pairs, "split", 0, 7) == treated_stores(pairs, "split", 5, 7) == {first for first, _ in pairs}
    weeks = [treated_stores(pairs, "interleave", week, 7) for week in range(20)]
    assert len({frozenset(week) for week in weeks}) == 20
    assert all(len(week & set(pair)) == 1 for week in weeks for pair in pairs)
    assert 0.4 < np.mean([first in week for week in weeks for first, _ in pairs]) < 0.6
    assert treated_stores(pairs, "shadow", 0, 7) == set()
