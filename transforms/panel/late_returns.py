"""Returns that are still to come: how they arrive by age, learned from those that came, and what is to be expected of the newest weeks.

Arrivals are a chain ladder (Mack 1993): what had come by one age over what had come by the next, over the weeks that are old enough to tell,
multiplied up to the oldest age. Deliveries of which something has come back already are kept apart from those of which nothing has, since the first
mostly know their return by then. Nothing is used that the panel does not know: at a past origin, returns had come by then or are still to come.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Floats32
from transforms.panel.panel import Panel

OLDEST = 26
"""Age in weeks from which nothing is expected any more."""
NEVER = OLDEST + 1
"""Age at which a delivery without a return on record had its first one."""
SETTLED = 0.01
"""Share of first returns still to come below which a week counts as settled."""
_LEARNED = 104
"""Weeks of deliveries that arrivals are learned from."""
_MOST_GROWTH = 10.0
"""Returns seen so far count at most so many times, however little is usual by then."""
TELLING = 0.25
"""Share of deliveries of which something must come back for the others to tell that they have sold out."""
_AROUND = 13
"""Weeks over which that share is taken."""

Ages = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Arrivals:
    """Knowledge of each delivery's returns, and how returns arrive.

    Attributes
    ----------
    units
        Units that have come back, shape (series, weeks).
    first
        Age in weeks at which the first of them was known, `NEVER` where none is, shape (series, weeks).
    age
        Age of each week at the panel's end, at most `OLDEST`, shape (weeks,).
    to_come
        By age: of deliveries of which anything comes back, the share of which nothing has yet; shape (OLDEST + 1,).
    growth
        By weeks since the first of a delivery's returns: what comes back in the end over what has; shape (OLDEST + 1,).
    """

    units: Floats32
    first: Ages
    age: npt.NDArray[np.int64]
    to_come: Floats32
    growth: Floats32

    @classmethod
    def of(cls, panel: Panel) -> "Arrivals":
        """Learn them from a panel."""
        returns, weeks = panel.returns, panel.weeks
        monday = int(np.datetime64(panel.first.monday, "s").astype(np.int64))
        arrived = np.clip((returns.known_at - monday) // (7 * 86_400) - returns.week, 0, OLDEST).astype(np.int8)
        cell, shape = returns.series.astype(np.int64) * weeks + returns.week, panel.shipped.shape
        units, first = np.bincount(cell, returns.units, panel.shipped.size).astype(np.float32), np.full(panel.shipped.size, NEVER, np.int8)
        # Of several, the earliest is written last.
        order = np.argsort(-arrived, kind="stable")
        first[cell[order]] = arrived[order]
        returned, left = np.flatnonzero(first < NEVER), np.arange(weeks)[::-1]
        come = _come_by(first[returned], left[returned % weeks], np.ones(len(returned)))
        grown = _come_by(arrived - first[cell], left[returns.week] - first[cell], returns.units)
        return cls(
            units.reshape(shape),
            first.reshape(shape),
            np.minimum(left, OLDEST),
            (1 - come).astype(np.float32),
            (1 / np.maximum(grown, 1 / _MOST_GROWTH)).astype(np.float32),
        )

    def in_the_end(self) -> Floats32:
        """Units that come back in the end of deliveries of which something has, shape (series, weeks)."""
        since = np.clip(self.age - self.first, 0, OLDEST)
        units: Floats32 = self.units * self.growth[since]
        return units

    @property
    def settled(self) -> Bools:
        """Weeks whose returns are in, shape (weeks,)."""
        return self.to_come[self.age] < SETTLED

    def silent(self, shipped: Floats32) -> npt.NDArray[np.int64]:
        """Deliveries of which nothing has come back, in weeks around which enough has for that to tell something; raveled indices.

        Where leftovers do not come back, or are not on record, silence would look like a store that always sells out.
        """
        from scipy.ndimage import uniform_filter1d  # noqa: PLC0415 - heavy

        sent, returned = shipped > 0, self.first < NEVER
        due = sent.sum(axis=0) * (1.0 - self.to_come[self.age])
        seen, expected = (uniform_filter1d(values, _AROUND, mode="constant") for values in ((sent & returned).sum(axis=0) * 1.0, due))
        return np.flatnonzero(sent & ~returned & (seen >= TELLING * np.maximum(expected, 1e-9)))


def _come_by(age: npt.NDArray[np.integer], seen: npt.NDArray[np.integer], amount: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Share of what comes in the end that has come by each age, shape (OLDEST + 1,).

    Parameters
    ----------
    age
        Age at which something came, at most `OLDEST`, shape (n,), as all that follow.
    seen
        Age up to which it would have been seen.
    amount
        How much came.
    """
    recent = seen < _LEARNED
    place = age[recent].astype(np.int64) * _LEARNED + np.maximum(seen[recent], 0)
    sums = np.bincount(place, amount[recent], (OLDEST + 1) * _LEARNED).reshape(OLDEST + 1, _LEARNED).cumsum(axis=0)
    share = np.ones(OLDEST + 1)
    for this in range(OLDEST - 1, -1, -1):
        before, after = sums[this : this + 2, this + 1 :].sum(axis=1)
        share[this] = share[this + 1] * (before / after if after else 1)
    return share
