"""What an ensemble corrects of what its members say, learned on the weeks that were held back: probability of demand, mean demand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.support import Support
from transforms.arrays import Bools, Floats32, Floats64
from transforms.features.frame import Frame
from transforms.features.past import log_mean_of

# As if so many rows had said that nothing is to be corrected: a segment with few rows stays close to what its members say.
_PRIOR_ROWS = 100.0
_YEAR = log_mean_of(52).name


@dataclass(frozen=True)
class Calibration:
    """Corrections of one ensemble.

    Attributes
    ----------
    chance
        Slope and shift of the logit of the probability of demand (Platt 1999), shape (2,).
    mean
        Shares in `expected` of the distribution's mean, the series' mean over its life and its mean over the last year, shape (3,).
    """

    chance: Floats64
    mean: Floats64

    @classmethod
    def none(cls) -> Self:
        """Leave everything as the members say it."""
        return cls(np.asarray([1.0, 0.0]), np.asarray([1.0, 0.0, 0.0]))

    @classmethod
    def fit(cls, p_demand: Floats32, pmf: Floats32, held_back: Frame, support: Support) -> Self:
        """Learn from what was said of held-back rows, each counted by its weight."""
        demand = held_back.demand
        assert demand is not None  # noqa: S101 - for the type checker
        chance = _logistic(p_demand, demand > 0, held_back.weight)
        means = _means(_corrected(p_demand, chance), pmf, held_back, support)
        return cls(chance, _shares(means, demand, held_back.weight))

    def probability(self, p_demand: Floats32) -> Floats32:
        """Corrected probability of demand."""
        return _corrected(p_demand, self.chance)

    def expected(self, p_demand: Floats32, pmf: Floats32, rows: Frame, support: Support) -> Floats32:
        """Mean demand of rows whose probabilities are corrected already."""
        return (_means(p_demand, pmf, rows, support) @ self.mean).astype(np.float32)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Arrays to store."""
        return vars(self)


def _means(p_demand: Floats32, pmf: Floats32, rows: Frame, support: Support) -> Floats64:
    """The three means that `expected` is pooled from, shape (n, 3)."""
    # Frames of other data than deliveries may not tell the last year's mean.
    year = np.expm1(rows.numeric[:, rows.names.index(_YEAR)]) if _YEAR in rows.names else rows.baseline
    return np.column_stack([p_demand * (pmf @ support.means), rows.baseline, year]).astype(np.float64)


def _shares(means: Floats64, demand: Floats32, weight: Floats32) -> Floats64:
    """Shares of at least 0 with the least squared error relative to the level of a row: a few huge series would decide it otherwise."""
    from scipy.optimize import nnls  # noqa: PLC0415 - heavy

    scale = np.sqrt(weight) / (1 + means[:, 1])
    # Rows that say that the distribution's own mean is right.
    strength = np.sqrt(_PRIOR_ROWS / max(len(means), 1)) * np.linalg.norm(means * scale[:, None], axis=0).mean()
    prior = Calibration.none().mean
    left = np.vstack([means * scale[:, None], strength * np.eye(means.shape[1])])
    shares, _ = nnls(left, np.concatenate([demand * scale, strength * prior]))
    return np.asarray(shares, np.float64)


def _logistic(p_demand: Floats32, actual: Bools, weight: Floats32) -> Floats64:
    """Slope and shift by Newton's method, drawn to (1, 0)."""
    x = np.column_stack([_logit(p_demand), np.ones(len(p_demand))]).astype(np.float64)
    beta, identity = np.asarray([1.0, 0.0]), np.asarray([1.0, 0.0])
    prior = _PRIOR_ROWS * 0.25
    for _ in range(20):
        p = 1 / (1 + np.exp(-(x @ beta)))
        gradient = x.T @ (weight * (actual - p)) - prior * (beta - identity)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + prior * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _corrected(p_demand: Floats32, chance: Floats64) -> Floats32:
    corrected: Floats32 = (1 / (1 + np.exp(-(chance[0] * _logit(p_demand) + chance[1])))).astype(np.float32)
    return corrected


def _logit(p: Floats32) -> Floats32:
    clipped = np.clip(p, 1e-4, 1 - 1e-4)
    logit: Floats32 = np.log(clipped / (1 - clipped))
    return logit
