"""The linear algebra of `structural_model`: the most probable levels, store paths and effects given the past, solved exactly, store by store.

What is unknown: level and slope of each series, a path of each store over the weeks, effects on each category. A series belongs to one store, so
its two numbers can be eliminated within the store, and the store's path after them; what is left has as many unknowns as there are effects. A region
of n series, S stores, J pieces of a path and K effects costs n (J + K)^2 + S J^2 (J + K) instead of the cube of all unknowns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes, Floats32, Floats64


@dataclass(frozen=True)
class Prior:
    """Prior knowledge: standard deviations, in logs of a size.

    Attributes
    ----------
    level, slope
        Of a series' level at the last week, and of its slope in a unit of time.
    start
        Of a store's path at its first knot.
    wander, tail
        Standard deviation of a store's move in a week, over that of the noise. Once a solution is at hand, moves are taken to have a Student
        distribution of half that scale and `tail` degrees of freedom: most weeks move a store little, some move it far.
    effects
        Of each effect on a category, shape (k,).
    """

    level: float
    slope: float
    start: float
    wander: float
    tail: float
    effects: Floats64


@dataclass(frozen=True)
class Setting:
    """Everything that does not change from one solution to the next.

    Attributes
    ----------
    time
        Time of each week, 0 for the last, shape (weeks,).
    stores
        The rows of each store's series, one after the other.
    place
        Place of each store, shape (stores,).
    category
        Category of each series, shape (n,).
    shared
        Regressors that all series of a place have alike, shape (places, at least weeks, k - 1).
    own
        The regressor that each series has for itself, shape (n, at least weeks).
    knot
        First week of each piece in which a store's path is constant, ascending from 0, shape (J,).
    prior
        What is known before any delivery.
    """

    time: Floats32
    stores: Sequence[slice]
    place: Codes
    category: Codes
    shared: Floats32
    own: Floats32
    knot: npt.NDArray[np.intp]
    prior: Prior

    @property
    def categories(self) -> int:
        """Number of categories."""
        return int(self.category.max(initial=0)) + 1

    @property
    def pieces(self) -> npt.NDArray[np.intp]:
        """Weeks in each piece of a path, shape (J,)."""
        return np.diff([*self.knot, len(self.time)])


@dataclass(frozen=True)
class Solution:
    """The most probable values.

    Attributes
    ----------
    level, slope
        Of each series, shape (n,).
    path
        Of each store at each knot, shape (stores, J).
    effects
        On each category, that of the own regressor last, shape (categories, k).
    errors
        What is left of each week, shape (n, weeks); of no meaning where there was no delivery.
    """

    level: Floats32
    slope: Floats32
    path: Floats32
    effects: Floats32
    errors: Floats32


class System:
    """The system of linear equations of a region: what depends on the weeks of deliveries, and not on their sizes.

    Parameters
    ----------
    delivered
        Whether there was a delivery, shape (n, weeks).
    variance
        Of the noise.
    """

    def __init__(self, delivered: Bools, variance: float, setting: Setting) -> None:
        self._variance, self._setting = variance, setting
        weeks = {place: _Weeks.of(setting, place) for place in np.unique(setting.place)}
        self._stores = [
            _Store(delivered[rows] * np.float32(1 / variance), setting, rows, weeks[place])
            for rows, place in zip(setting.stores, setting.place, strict=True)
        ]

    def solve(self, log_size: Floats32, before: Solution | None = None) -> Solution:
        """Solve for sizes.

        Parameters
        ----------
        log_size
            Log of the size in each week, 0 where there was no delivery, shape (n, weeks).
        before
            An earlier solution: where it says that a store moved far, the store is free to (one step of iteratively reweighted least squares).
        """
        setting, steps = self._setting, self._steps(before)
        unknown = setting.categories * len(setting.prior.effects)
        left, right = np.diag(np.tile(setting.prior.effects**-2.0, setting.categories)), np.zeros(unknown)
        paths = []
        for store, rows, step in zip(self._stores, setting.stores, steps, strict=True):
            path, effects = store.solved(log_size[rows] * np.float32(1 / self._variance), _wander(step, setting.prior.start))
            left += store.effects - store.cross.T @ path[:, :-1]
            right += effects - store.cross.T @ path[:, -1]
            paths.append(path)
        shared = np.linalg.solve(left, right).astype(np.float64)
        n, stores = len(log_size), len(setting.stores)
        level, slope, along, errors = (np.zeros(shape, np.float32) for shape in (n, n, (stores, len(setting.knot)), log_size.shape))
        for number, (store, rows, path) in enumerate(zip(self._stores, setting.stores, paths, strict=True)):
            along[number] = path[:, -1] - path[:, :-1] @ shared
            level[rows], slope[rows], errors[rows] = store.remainder(log_size[rows], along[number], shared)
        return Solution(level, slope, along, shared.reshape(setting.categories, -1).astype(np.float32), errors)

    def _steps(self, before: Solution | None) -> Floats64:
        """Variance of each step of each store's path, shape (stores, J - 1)."""
        setting = self._setting
        middle = setting.knot + (setting.pieces - 1) / 2
        usual = np.diff(middle) * setting.prior.wander**2 * self._variance
        if before is None:
            return np.tile(usual, (len(setting.stores), 1))
        tail = setting.prior.tail
        return np.asarray((tail * usual / 4 + np.diff(before.path, axis=1) ** 2) / (tail + 1), np.float64)


@dataclass(frozen=True)
class _Weeks:
    """Matrices that weeks are multiplied by to be summed up, for one place.

    Attributes
    ----------
    moments
        1 and time, shape (weeks, 2).
    pieces, shared
        By piece of the path, and by shared regressor, shapes (weeks, J) and (weeks, k - 1).
    crossed, squared
        By both, and by each two regressors, shapes (weeks, J (k - 1)) and (weeks, (k - 1)^2).
    """

    moments: Floats32
    pieces: Floats32
    shared: Floats32
    crossed: Floats32
    squared: Floats32

    @classmethod
    def of(cls, setting: Setting, place: int) -> Self:
        weeks = len(setting.time)
        pieces = np.repeat(np.eye(len(setting.knot), dtype=np.float32), setting.pieces, axis=0)
        shared = np.ascontiguousarray(setting.shared[place, :weeks])
        crossed, squared = ((each[:, :, None] * shared[:, None, :]).reshape(weeks, -1) for each in (pieces, shared))
        return cls(np.stack([np.ones_like(setting.time), setting.time], axis=1), pieces, shared, crossed, squared)


class _Store:
    """The equations of one store, with the levels and slopes of its series eliminated.

    Attributes
    ----------
    path, cross, effects
        Precisions of the path and of the effects with each other, shapes (J, J), (J, effects) and (effects, effects).
    """

    def __init__(self, precision: Floats32, setting: Setting, rows: slice, weeks: _Weeks) -> None:
        self._precision, self._weeks, self._category = precision, weeks, setting.category[rows]
        self._own = setting.own[rows, : len(setting.time)]
        self._categories, self._k = setting.categories, len(setting.prior.effects)
        self._of_category = (self._category == np.arange(self._categories)[:, None]).astype(np.float32)
        total, moment, square = (precision @ np.stack([*weeks.moments.T, weeks.moments[:, 1] ** 2], axis=1)).astype(np.float64).T
        # Cholesky factors of the two numbers of each series.
        self._first = np.sqrt(total + setting.prior.level**-2)
        self._mixed = moment / self._first
        self._second = np.sqrt(square + setting.prior.slope**-2 - self._mixed**2)
        self._eliminate(weeks)

    def _eliminate(self, weeks: _Weeks) -> None:
        precision, pieces, categories, k = self._precision, weeks.pieces.shape[1], self._categories, self._k
        series, each = np.arange(len(precision)), np.arange(categories)
        own = precision * self._own
        # Sums over the weeks of each series, and of them times time: by piece and by effect.
        timed = np.stack([precision, precision * weeks.moments[:, 1]])
        by_effect = np.zeros((2, len(precision), categories, k))
        by_effect[:, series, self._category, :-1] = timed @ weeks.shared
        by_effect[:, series, self._category, -1] = (own @ weeks.moments).T
        sums = np.concatenate([timed @ weeks.pieces, by_effect.reshape(2, len(precision), -1)], axis=2)
        self._above = self._reduced(sums[0], sums[1])
        # One product for all of it: what the series' own two numbers explain of each with each.
        explained = self._above.T @ self._above
        weekly, own_weekly = self._of_category @ precision, self._of_category @ own
        cross = np.concatenate([(weekly @ weeks.crossed).reshape(categories, pieces, -1), (own_weekly @ weeks.pieces)[:, :, None]], axis=2)
        squares = np.zeros((categories, k, categories, k))
        squares[each, :-1, each, :-1] = (weekly @ weeks.squared).reshape(categories, k - 1, k - 1)
        squares[each, :-1, each, -1] = squares[each, -1, each, :-1] = own_weekly @ weeks.shared
        squares[each, -1, each, -1] = self._of_category @ (own * self._own).sum(axis=1)
        self.path = np.diag(sums[0, :, :pieces].sum(axis=0)) - explained[:pieces, :pieces]
        self.cross = cross.transpose(1, 0, 2).reshape(pieces, -1) - explained[:pieces, pieces:]
        self.effects = squares.reshape(categories * k, -1) - explained[pieces:, pieces:]

    def solved(self, weighted: Floats32, wander: Floats64) -> tuple[Floats64, Floats64]:
        """The path for each effect and for the sizes, shape (J, effects + 1), and the sums for the effects without levels and slopes.

        `weighted` is the log of the size times precision, shape (m, weeks).
        """
        weeks, pieces = self._weeks, len(self.path)
        moments = (weighted @ weeks.moments).astype(np.float64).T
        of_category = self._of_category @ weighted
        of_effects = np.column_stack([of_category @ weeks.shared, self._of_category @ (weighted * self._own).sum(axis=1)])
        right = np.concatenate([weighted.sum(axis=0) @ weeks.pieces, of_effects.ravel()]) - self._reduced(*moments[:, :, None])[:, 0] @ self._above
        path = np.linalg.solve(self.path + wander, np.column_stack([self.cross, right[:pieces]])).astype(np.float64)
        return path, right[pieces:]

    def remainder(self, log_size: Floats32, path: Floats32, effects: Floats64) -> tuple[Floats32, Floats32, Floats32]:
        """Levels, slopes, and what is left of each week, shape (m, weeks), once path and effects are known."""
        weeks, by_category = self._weeks, effects.reshape(self._categories, -1).astype(np.float32)
        shared = by_category[:, :-1] @ weeks.shared.T + weeks.pieces @ path
        errors: Floats32 = log_size - shared[self._category] - self._own * by_category[self._category, -1:]
        sums, moments = ((self._precision * errors) @ weeks.moments).astype(np.float64).T
        above = sums / self._first
        slope = (moments - self._mixed * above) / self._second**2
        level = (above - self._mixed * slope) / self._first
        own = np.stack([level, slope], axis=1).astype(np.float32)
        errors -= own @ weeks.moments.T
        return own[:, 0], own[:, 1], errors

    def _reduced(self, sums: Floats64, moments: Floats64) -> Floats64:
        """Sums of columns, and of them times time, shapes (m, columns), without levels and slopes: shape (2 m, columns)."""
        above = sums / self._first[:, None]
        return np.concatenate([above, (moments - self._mixed[:, None] * above) / self._second[:, None]])


def _wander(steps: Floats64, start: float) -> Floats64:
    """Precision of a path that starts near 0 and moves by steps of these variances, shape (J, J)."""
    inside = 1 / np.concatenate([[start**2], steps])
    precision = np.diag(inside + np.append(inside[1:], 0))
    between = np.arange(len(steps))
    precision[between, between + 1] = precision[between + 1, between] = -inside[1:]
    return precision
