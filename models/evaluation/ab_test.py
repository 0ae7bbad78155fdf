"""A/B tests of a challenger: stores that are alike in pairs, roles drawn by chance, and intervals that hold at every weekly look.

What the design draws by chance is what the intervals rest on (Fisher 1935; Rosenbaum 2002), not a model of demand: where the arms are the same, the
sign of each independent unit's difference is a fair coin. So the coins are thrown again, thousands of times, and the sum of the differences over
their root sum of squares is held against what the throws give. Looking every week would add false alarms up; so each of T looks may spend alpha / T,
and its bound is the one that so many of the throws cross which crossed none before (group-sequential boundaries; Lan and DeMets 1983). A test may be
stopped at any look, for any reason, and its interval holds.

The unit is what the coin was thrown for: the pair where roles stay (split), each week's pair where they are drawn anew (interleave). In the shadow
nothing is drawn: both forecasts stand on the same rows, the unit is the week, and its difference is taken to be as likely to be above the mean as
below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.arrays import Floats32, Floats64

Pair = tuple[str, str]

THROWS = 20_000
_COINS = 20_260


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


def pair_stores(stores: Sequence[str], strata: Sequence[str], units: Floats64, share: float, seed: int) -> tuple[Pair, ...]:
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
        in_stratum = np.asarray([index for index, name in enumerate(strata) if name == stratum])
        ranked = in_stratum[np.lexsort((np.asarray(stores)[in_stratum], -units[in_stratum]))]
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


def lift(differences: Floats64, mode: str, alpha: float, looks: int, throws: int = THROWS) -> Lift:
    """How a test stands after the weeks given.

    Parameters
    ----------
    differences
        Champion's less challenger's metric, shape (units, weeks): pairs, or stores in the shadow; NaN where a unit had nothing to score in a week.
    looks
        Weeks for which `alpha` is spent.
    throws
        Times that the coins are thrown again; the same ones at every call.
    """
    if mode == "shadow":
        known = np.isfinite(differences)
        weekly = np.where(known, differences, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        differences = np.where(known.any(axis=0), weekly, np.nan)[None, :]
    known = np.isfinite(differences)
    units = _means(differences)[:, -1] if mode == "split" else differences
    values = units[np.isfinite(units)]
    n, mean = len(values), float(values.mean()) if len(values) else 0.0
    bound = _bounds(differences, mode == "split", alpha, looks, throws)[-1]
    if n <= bound**2:
        return Lift(n, mean, None, None)
    # The verdict on a difference of 0 is exact; for the ends the same bound is used: |sum (v - d)| >= bound * root of sum (v - d)^2, solved for d.
    reach = float(bound * np.sqrt(((values - mean) ** 2).sum() / (n * (n - bound**2))))
    return Lift(n, mean, mean - reach, mean + reach)


def _bounds(differences: Floats64, roles_stay: bool, alpha: float, looks: int, throws: int) -> Floats64:
    """Bound of each look so far, shape (weeks,); infinite where so few throws may cross that none does."""
    rng, weeks = np.random.default_rng(_COINS), differences.shape[1]
    if roles_stay:
        means = np.nan_to_num(_means(differences))
        sums, squares = _coins(rng, throws, len(differences)) @ means, (means**2).sum(axis=0)
    else:
        filled = np.nan_to_num(differences)
        weekly = np.column_stack([_coins(rng, throws, len(filled)) @ filled[:, week] for week in range(weeks)])
        sums, squares = np.cumsum(weekly, axis=1), np.cumsum((filled**2).sum(axis=0))
    statistic = np.abs(sums) / np.sqrt(np.maximum(squares, 1e-300))
    bounds, crossed = np.full(weeks, np.inf), np.zeros(throws, bool)
    for week in range(weeks):
        may = int(throws * alpha * (week + 1) / looks) - int(crossed.sum())
        uncrossed = np.where(crossed, -1.0, statistic[:, week])
        if may > 0:
            # The largest of those that may not cross: what is above it does, and what the throws only equal, as few units often do, does not.
            bounds[week] = np.partition(uncrossed, throws - may - 1)[throws - may - 1] * (1 + 1e-9)
            crossed |= uncrossed > bounds[week]
    return bounds


def _coins(rng: np.random.Generator, throws: int, units: int) -> Floats32:
    return (2 * rng.integers(0, 2, (throws, units), np.int8) - 1).astype(np.float32)


def _means(values: Floats64) -> Floats64:
    """Each unit's mean up to each week, NaN before its first."""
    known = np.isfinite(values)
    count = np.cumsum(known, axis=1)
    with np.errstate(invalid="ignore"):
        means: Floats64 = np.where(count > 0, np.cumsum(np.where(known, values, 0.0), axis=1) / np.maximum(count, 1), np.nan)
    return means
