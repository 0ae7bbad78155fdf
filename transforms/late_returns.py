"""Returns that are still to come: how they arrive by age, learned from those that came, and what is to be expected of the newest weeks.

Arrivals are a chain ladder (Mack 1993): what had come by one age over what had come by the next, over the weeks that are old enough to tell,
multiplied up to the oldest age. Deliveries of which something has come back already are kept apart from those of which nothing has, since the first
mostly know their return by then. Nothing is used that the panel does not know: at a past origin, returns had come by then or are still to come.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.panel import Floats, Panel

Bools = npt.NDArray[np.bool_]

OLDEST = 26
"""Age in weeks from which nothing is expected any more."""
NEVER = OLDEST + 1
"""Age at which a delivery without a return on record had its first one."""
SETTLED = 0.01
"""Share of first returns still to come below which a week counts as settled."""
_LEARNED = 104
"""Weeks of deliveries that arrivals are learned from."""
TELLING = 0.25
"""Share of deliveries of which something must come back for the others to tell that they have sold out."""
_AROUND = 13
"""Weeks over which that share is taken."""

Ages = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Arrivals:
    """What is known of each delivery's returns, and how returns arrive.

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
        By age: what comes back in the end over what has, where something has; shape (OLDEST + 1,).
    """

    units: Floats
    first: Ages
    age: npt.NDArray[np.int64]
    to_come: Floats
    growth: Floats

    @classmethod
    def of(cls, panel: Panel) -> "Arrivals":
        """Learn them from a panel, which needs at least one return."""
        returns, weeks = panel.returns, panel.weeks
        monday = int(np.datetime64(panel.first.monday, "s").astype(np.int64))
        arrived = np.clip((returns.known_at - monday) // (7 * 86_400) - returns.week, 0, OLDEST).astype(np.int8)
        cell, shape = returns.series.astype(np.int64) * weeks + returns.week, panel.shipped.shape
        units, first = np.bincount(cell, returns.units, panel.shipped.size).astype(np.float32), np.full(panel.shipped.size, NEVER, np.int8)
        # Of several, the earliest is written last.
        order = np.argsort(-arrived, kind="stable")
        first[cell[order]] = arrived[order]
        back = np.flatnonzero(first < NEVER)
        come = _by_age(first[back], back % weeks, weeks, np.ones(len(back)))
        known = _by_age(arrived, returns.week, weeks, returns.units)
        # What came with a delivery's first arrival did not grow from anything.
        grown = _by_age(arrived, returns.week, weeks, np.where(arrived > first[cell], returns.units, 0))
        come, known, left = come.cumsum(axis=0), known.cumsum(axis=0), np.arange(weeks)[::-1]
        to_come, growth = np.zeros(OLDEST + 1), np.ones(OLDEST + 1)
        for this in range(OLDEST - 1, -1, -1):
            old = (left > this) & (left < _LEARNED)
            later, before = come[this + 1, old].sum(), known[this, old].sum()
            to_come[this] = 1 - (1 - to_come[this + 1]) * (come[this, old].sum() / later if later else 1)
            growth[this] = growth[this + 1] * (1 + grown[this + 1, old].sum() / before if before else 1)
        age = np.minimum(left, OLDEST)
        return cls(units.reshape(shape), first.reshape(shape), age, to_come.astype(np.float32), growth.astype(np.float32))

    def in_the_end(self) -> Floats:
        """Units that come back in the end of deliveries of which something has, shape (series, weeks)."""
        return self.units * self.growth[self.age]

    @property
    def settled(self) -> Bools:
        """Weeks whose returns are in, shape (weeks,)."""
        return self.to_come[self.age] < SETTLED

    def silent(self, shipped: Floats) -> npt.NDArray[np.int64]:
        """Deliveries of which nothing has come back, in weeks around which enough has for that to tell something; raveled indices.

        Where leftovers do not come back, or are not on record, silence would look like a store that always sells out.
        """
        from scipy.ndimage import uniform_filter1d  # noqa: PLC0415 - heavy

        sent, back = shipped > 0, self.first < NEVER
        due = sent.sum(axis=0) * (1.0 - self.to_come[self.age])
        came, expected = (uniform_filter1d(values, _AROUND, mode="constant") for values in ((sent & back).sum(axis=0) * 1.0, due))
        return np.flatnonzero(sent & ~back & (came >= TELLING * np.maximum(expected, 1e-9)))


def _by_age(arrived: Ages, week: npt.NDArray[np.integer], weeks: int, amount: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Sums by age at arrival and week of shipment, shape (OLDEST + 1, weeks)."""
    sums = np.bincount(arrived.astype(np.int64) * weeks + week, amount, (OLDEST + 1) * weeks)
    return sums.astype(np.float64).reshape(OLDEST + 1, weeks)
