"""What another quantity than the planned one means: returns and lost sales to expect, from what the lake tells of demand's distribution.

The lake keeps no distribution but points of it: the probability of demand, three quantiles, the mean, and the probability that the planned quantity
meets demand. With S(x) = P(demand > x), lost sales of a quantity q are the integral of S from q on, and they fall by S(q) for each unit more. S is
taken as linear between its known points and as exponential beyond the last, so that it integrates to the mean; the plan's own numbers hold exactly
at the planned quantity.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Floats64

_LEVELS = (0.9, 0.5, 0.1)
_EPSILON = 1e-9


@dataclass(frozen=True)
class Known:
    """What forecast and plan say of rows; arrays of shape (rows,), units but for the two probabilities."""

    p_demand: Floats64
    q10: Floats64
    q50: Floats64
    q90: Floats64
    expected: Floats64
    planned: Floats64
    service_level: Floats64
    expected_returns: Floats64
    expected_lost_sales: Floats64


@dataclass(frozen=True)
class Effect:
    """What a quantity means: probability that it meets demand, means of the units left over and of the demand not met; shape (rows,)."""

    service_level: Floats64
    expected_returns: Floats64
    expected_lost_sales: Floats64


def effect_of(known: Known, quantity: Floats64) -> Effect:
    """What it means to load `quantity`, shape (rows,), instead of what was planned."""
    knots, survival, rate = _survival(known)
    lost = known.expected_lost_sales + _beyond(knots, survival, rate, quantity) - _beyond(knots, survival, rate, known.planned)
    lost = np.clip(lost, 0, known.expected)
    # As many units as are loaded and not asked for come back: returns - lost sales = quantity - mean demand, at any quantity.
    returns = known.expected_returns + (lost - known.expected_lost_sales) + (quantity - known.planned)
    unchanged = quantity == known.planned
    served = 1 - _at(knots, survival, rate, quantity)
    return Effect(
        np.where(unchanged, known.service_level, np.clip(served, 0, 1)),
        np.where(unchanged, known.expected_returns, np.maximum(returns, 0)),
        np.where(unchanged, known.expected_lost_sales, lost),
    )


def floats(column: pa.ChunkedArray) -> Floats64:
    """A column of a table as numbers, 0 where it holds none."""
    found: Floats64 = np.nan_to_num(column.cast(pa.float64()).to_numpy())
    return found


def expected_beyond(known: Known, quantity: Floats64, given: Floats64 | None = None) -> Floats64:
    """Mean of the demand beyond `quantity`, of a demand that is `given` or more (`quantity` or more where nothing is given); shape (rows,)."""
    knots, survival, rate = _survival(known)
    likely = _at(knots, survival, rate, np.maximum((quantity if given is None else given) - 1, 0))
    tail: Floats64 = np.divide(_beyond(knots, survival, rate, quantity), likely, out=np.zeros_like(likely), where=likely > _EPSILON)
    return tail


def _survival(known: Known) -> tuple[Floats64, Floats64, Floats64]:
    """Points of S in order, shape (rows, 5) each, and the rate by which it falls beyond the last, shape (rows,)."""
    known_at = [
        (np.zeros_like(known.expected), known.p_demand),
        *zip((known.q10, known.q50, known.q90), (np.minimum(level, known.p_demand) for level in _LEVELS), strict=True),
        (known.planned, 1 - known.service_level),
    ]
    knots, survival = (np.stack(values, axis=1) for values in zip(*known_at, strict=True))
    order = np.lexsort((-survival, knots), axis=1)
    knots, survival = np.take_along_axis(knots, order, axis=1), np.take_along_axis(survival, order, axis=1)
    survival = np.minimum.accumulate(survival, axis=1)
    inside = ((knots[:, 1:] - knots[:, :-1]) * (survival[:, 1:] + survival[:, :-1]) / 2).sum(axis=1)
    # Where what is known between the points is more than the mean already, the tail is short.
    tail = np.maximum(known.expected - inside, 0.05 * survival[:, -1])
    return knots, survival, survival[:, -1] / np.maximum(tail, _EPSILON)


def _at(knots: Floats64, survival: Floats64, rate: Floats64, x: Floats64) -> Floats64:
    """S(x)."""
    at = (knots <= x[:, None]).sum(axis=1)
    low, high = np.clip(at - 1, 0, None), np.clip(at, None, knots.shape[1] - 1)
    (left, right), (upper, lower) = ((_pick(values, low), _pick(values, high)) for values in (knots, survival))
    share = np.where(right > left, (x - left) / np.maximum(right - left, _EPSILON), 0)
    beyond = survival[:, -1] * np.exp(-rate * np.maximum(x - knots[:, -1], 0))
    between: Floats64 = np.where(at == knots.shape[1], beyond, upper + share * (lower - upper))
    return between


def _beyond(knots: Floats64, survival: Floats64, rate: Floats64, x: Floats64) -> Floats64:
    """The integral of S from x on."""
    areas = (knots[:, 1:] - knots[:, :-1]) * (survival[:, 1:] + survival[:, :-1]) / 2
    after = np.concatenate([np.cumsum(areas[:, ::-1], axis=1)[:, ::-1], np.zeros_like(areas[:, :1])], axis=1)
    at = (knots <= x[:, None]).sum(axis=1)
    last = at == knots.shape[1]
    high = np.clip(at, None, knots.shape[1] - 1)
    right = _pick(knots, high)
    here = _at(knots, survival, rate, x)
    part = np.where(last, 0, (right - x) * (here + _pick(survival, high)) / 2 + _pick(after, high))
    tail = np.divide(survival[:, -1], rate, out=np.zeros_like(rate), where=rate > 0)
    beyond: Floats64 = np.where(last, np.divide(here, rate, out=np.zeros_like(rate), where=rate > 0), part + tail)
    return beyond


def _pick(values: Floats64, at: npt.NDArray[np.intp]) -> Floats64:
    picked: Floats64 = np.take_along_axis(values, at[:, None], axis=1)[:, 0]
    return picked
