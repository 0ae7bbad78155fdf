"""LASSO member: L1 linear regressions for the chance of demand and for the log of its size, the latter spread over the usual sizes."""

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Distribution, Prepared
from models.members.encoding import Encoder
from models.members.settings import Settings
from models.members.spread import Spread
from models.support import Support
from transforms.arrays import Floats32, Floats64

# Penalties tried, as shares of the smallest one that sets all coefficients to 0.
PATH = np.geomspace(0.3, 3e-4, 12)
DOUBT = 2.0
"""Standard errors by which a penalty may do worse than the best one and be preferred for being larger."""


class LassoMember:
    """Two L1 linear regressions on standardised features (Tibshirani 1996).

    The size regression tells what to add to what the structural model (`transforms.features.structural_model`) says of the log of the size, so that
    penalties draw it towards that and not towards a constant. The sum is a mean of log size, which `Spread` turns into probabilities of the usual
    sizes.
    """

    name = "lasso"

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None:  # noqa: ARG002 - one signature for all members
        self.support = support

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Fit both paths, choose each penalty by the error on the held-back rows, then learn the spread."""
        self.support = support
        hits, tests = rows.take(rows.target >= 0), held_back.take(held_back.target >= 0)
        aim, aims = hits.log_size - hits.anchor, tests.log_size - tests.anchor
        self.size_alpha_, self.size_ = _best_on_path(hits.numbers, aim, hits.weight, tests.numbers, aims, _absolute)
        hit, late_hit = (rows.target >= 0).astype(np.float32), (held_back.target >= 0).astype(np.float32)
        self.chance_alpha_, self.chance_ = _best_on_path(rows.numbers, hit, rows.weight, held_back.numbers, late_hit, _square, held_back.weight)
        self.spread_ = Spread.fit(self._mean, hits, tests, support)
        return self

    def refit(self, rows: Prepared, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Fit again on all rows with the penalties chosen."""
        hits = rows.take(rows.target >= 0)
        self.size_ = _fit(hits.numbers, hits.log_size - hits.anchor, hits.weight, [self.size_alpha_])[0]
        self.chance_ = _fit(rows.numbers, (rows.target >= 0).astype(np.float32), rows.weight, [self.chance_alpha_])[0]
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return clipped linear probabilities of demand, and the spread sizes."""
        chance = np.clip(_linear(self.chance_, rows.numbers), 0.005, 0.995)
        return Distribution(chance.astype(np.float32), self.spread_.pmf(self._mean(rows), rows, self.support))

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Coefficients (intercept last), and the numbers that were chosen."""
        return {"size": self.size_, "chance": self.chance_, "chosen": np.asarray([self.size_alpha_, self.chance_alpha_]), **self.spread_.state()}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        member = cls(encoder, support, settings)
        member.size_, member.chance_ = state["size"], state["chance"]
        member.size_alpha_, member.chance_alpha_ = map(float, state["chosen"])
        member.spread_ = Spread.restore(state)
        return member

    def _mean(self, rows: Prepared) -> Floats32:
        """Mean of log size: what the levels say, and what the regression adds to it."""
        return rows.anchor + _linear(self.size_, rows.numbers)


def _linear(coefficients: npt.NDArray[np.floating], numbers: Floats32) -> Floats32:
    return numbers @ coefficients[:-1].astype(np.float32) + np.float32(coefficients[-1])


def _absolute(error: Floats32) -> Floats32:
    return np.abs(error)


def _square(error: Floats32) -> Floats32:
    return error * error


def _fit(x: Floats32, y: Floats32, weight: Floats32, alphas: list[float]) -> list[Floats64]:
    """Coefficients with the intercept last for each penalty, largest first, from the Gram matrix: one pass over the rows."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - heavy
    from sklearn.linear_model import lasso_path  # noqa: PLC0415

    w = weight.astype(np.float64) / weight.sum()
    x_mean, y_mean = w @ x, float(w @ y)
    weighted = x * w[:, None].astype(np.float32)
    gram = (weighted.T @ x).astype(np.float64) - np.outer(x_mean, x_mean)
    xy = (weighted.T @ y).astype(np.float64) - x_mean * y_mean
    # The solver wants rows: these p rows have the same moments as all n, so its coordinate descent costs the same for any n.
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, values.max() * 1e-10))
    p = len(values)
    rows, target = (vectors * root).T * np.sqrt(p), (vectors.T @ xy) / root * np.sqrt(p)
    with warnings.catch_warnings():
        # The smallest penalties may stop short of the optimum; whether they are any good is decided by the held-back weeks.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefficients, _ = lasso_path(rows, target, alphas=alphas, max_iter=2000, tol=1e-4)
    return [np.append(column, y_mean - x_mean @ column) for column in coefficients.T]


def _best_on_path(
    x: Floats32, y: Floats32, weight: Floats32, x_test: Floats32, y_test: Floats32, loss: Any, test_weight: Floats32 | None = None
) -> tuple[float, Any]:
    """The largest penalty that the held-back rows cannot tell from the best one (Breiman et al. 1984), and its coefficients."""
    w = weight.astype(np.float64) / weight.sum()
    centred = w * (y - float(w @ y))
    largest = float(np.abs((x * centred[:, None].astype(np.float32)).sum(axis=0)).max())
    alphas = [float(share * largest) for share in PATH]
    fits = _fit(x, y, weight, alphas)
    losses = np.stack([loss(y_test - _linear(fit, x_test)) for fit in fits])
    share = np.ones(len(y_test)) if test_weight is None else test_weight
    share = share / share.sum()
    worse = losses - losses[int(np.argmin(losses @ share))]
    mean = worse @ share
    error = np.sqrt((worse - mean[:, None]) ** 2 @ share**2)
    chosen = int(np.argmax(mean <= DOUBT * error))
    return alphas[chosen], fits[chosen]
