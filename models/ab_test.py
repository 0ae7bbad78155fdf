"""A/B tests of a challenger: stores that are alike in pairs, roles drawn by chance, and intervals that hold at every weekly look.

What the design draws by chance is what the intervals rest on (Fisher 1935; Rosenbaum 2002), not a model of demand. Under a constant difference the
sign of each independent unit's deviation from it is a fair coin, so by Hoeffding (1963) the sum of n deviations exceeds z times their root sum of
squares with a chance of at most 2 exp(-z^2 / 2). Looking every week would add these chances up; so each look t of T gets alpha / (t H_T), where H_T
is the harmonic number, which sum to alpha (union bound; compare Howard, Ramdas, McAuliffe and Sekhon 2021). A test may be stopped at any look, for
any reason, and its interval holds.

The unit is what the coin was thrown for: the pair where roles stay (split), each week's pair where they are drawn anew (interleave). In the shadow
nothing is drawn: both forecasts stand on the same rows, the unit is the week, and the interval is Student's at the same spending.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]

FEWEST_WEEKS = 3
"""Weeks below which the shadow's interval says nothing."""


@dataclass(frozen=True, slots=True)
class Lift:
    """A difference (champion's metric less challenger's) with its interval; the ends are None while there is too little to say."""

    units: int
    difference: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """better, worse or undecided: what may be said of the challenger."""
        if self.low is not None and self.low > 0:
            return "better"
        return "worse" if self.high is not None and self.high < 0 else "undecided"


def pair_stores(stores: Sequence[str], strata: Sequence[str], units: Floats, share: float, seed: int) -> tuple[Pair, ...]:
    """Pair stores that are alike, and draw which of each pair starts with the challenger.

    Parameters
    ----------
    strata
        Stores are paired within a stratum (their format), neighbours by `units`, their deliveries before the test.
    share
        Share of the stores that gets the challenger, at most one half; so twice the share is in pairs, spread evenly over all sizes.
    """
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    for stratum in sorted(set(strata)):
        here = np.asarray([index for index, name in enumerate(strata) if name == stratum])
        ranked = here[np.lexsort((np.asarray(stores)[here], -units[here]))]
        couples = ranked[: len(ranked) // 2 * 2].reshape(-1, 2)
        kept = np.sort(rng.permutation(len(couples))[: round(2 * share * len(couples))])
        for first, second in couples[kept]:
            flip = rng.random() < 0.5
            pairs.append((stores[second], stores[first]) if flip else (stores[first], stores[second]))
    return tuple(pairs)


def treated_stores(pairs: Sequence[Pair], mode: str, week: int, seed: int) -> set[str]:
    """The stores that get the challenger in the test's week number `week`: none in the shadow; drawn anew each week when interleaved."""
    if mode == "shadow":
        return set()
    if mode == "split":
        return {first for first, _ in pairs}
    heads = np.random.default_rng((seed, week)).random(len(pairs)) < 0.5
    return {pair[int(head)] for pair, head in zip(pairs, heads, strict=True)}


def spent(alpha: float, look: int, looks: int) -> float:
    """The chance of a false alarm that look number `look` of `looks` may spend."""
    return float(alpha / (look * np.sum(1 / np.arange(1, looks + 1))))


def randomised_lift(values: Floats, chance: float) -> Lift:
    """The mean of independent units whose signs were drawn, with the interval that holds but for `chance`.

    Inverts |sum(v - d)| >= z sqrt(sum (v - d)^2) for d, which has a closed form; with no more than z^2 units it says nothing.
    """
    n, mean = len(values), float(values.mean()) if len(values) else 0.0
    z2 = 2 * np.log(2 / chance)
    if n <= z2:
        return Lift(n, mean, None, None)
    reach = float(np.sqrt(z2 * ((values - mean) ** 2).sum() / (n * (n - z2))))
    return Lift(n, mean, mean - reach, mean + reach)


def shadow_lift(weekly: Floats, chance: float) -> Lift:
    """The mean weekly difference of two forecasts of the same rows, with Student's interval (Student 1908) but for `chance`."""
    from scipy.stats import t  # noqa: PLC0415 - heavy

    n, mean = len(weekly), float(weekly.mean()) if len(weekly) else 0.0
    if n < FEWEST_WEEKS:
        return Lift(n, mean, None, None)
    reach = float(t.ppf(1 - chance / 2, n - 1) * weekly.std(ddof=1) / np.sqrt(n))
    return Lift(n, mean, mean - reach, mean + reach)


def lift(differences: Floats, mode: str, alpha: float, looks: int) -> Lift:
    """How a test stands after the weeks given.

    Parameters
    ----------
    differences
        Champion's less challenger's metric, shape (units, weeks): pairs, or stores in the shadow; NaN where a unit had nothing to score in a week.
    looks
        Weeks for which `alpha` is spent.
    """
    weeks = differences.shape[1]
    chance = spent(alpha, weeks, looks)
    known = np.isfinite(differences)
    if mode == "interleave":
        return randomised_lift(differences[known], chance)
    axis = 0 if mode == "shadow" else 1
    count = known.sum(axis=axis)
    means = np.where(known, differences, 0.0).sum(axis=axis)[count > 0] / count[count > 0]
    return shadow_lift(means, chance) if mode == "shadow" else randomised_lift(means, chance)
