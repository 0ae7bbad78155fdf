"""Returns that are still to come: how they arrive by age, learned from those that came, and what is to be expected of the newest weeks.

Arrivals are a chain ladder (Mack 1993): what had come by one age over what had come by the next, over the weeks that are old enough to tell, multiplied
up to the oldest age. Deliveries of which something has come back already are kept apart from those of which nothing has, since the first mostly know
their return by then. Nothing is used that the panel does not know: at a past origin, returns had come by then or are still to come.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.panel import Floats, Panel

OLDEST = 26
"""Age in weeks from which nothing is expected any more."""
NEVER = OLDEST + 1
"""Age at which a delivery without a return on record had its first one."""
_LEARNED = 104
"""Weeks of deliveries that arrivals are learned from."""
_PRIOR = 8.0
"""Deliveries that count for the region beside those of a series."""

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

    def expected(self, shipped: Floats) -> Floats:
        """Units still to be expected of deliveries of which nothing has come back yet, by what is usual for the series; shape (series, weeks)."""
        settled, nothing = self.to_come[self.age] <= 0, (self.first == NEVER) & (shipped > 0)
        back, sent = (self.first < NEVER)[:, settled], (shipped > 0)[:, settled]
        chance = _usual(back.sum(axis=1), sent.sum(axis=1))
        share = _usual(np.where(back, self.units[:, settled], 0).sum(axis=1), np.where(back, shipped[:, settled], 0).sum(axis=1), shipped[shipped > 0].mean())
        late = chance[:, None] * self.to_come[self.age]
        return np.where(nothing, shipped * share[:, None] * late / (late + 1 - chance[:, None]), 0).astype(np.float32)


def _by_age(arrived: Ages, week: npt.NDArray[np.integer], weeks: int, amount: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Sums by age at arrival and week of shipment, shape (OLDEST + 1, weeks)."""
    return np.bincount(arrived.astype(np.int64) * weeks + week, amount, (OLDEST + 1) * weeks).reshape(OLDEST + 1, weeks)


def _usual(part: npt.NDArray[np.floating], of: npt.NDArray[np.floating], unit: float = 1.0) -> npt.NDArray[np.float64]:
    """A series' share, drawn to that of all series."""
    everywhere = part.sum() / max(of.sum(), 1)
    return np.minimum((part + _PRIOR * unit * everywhere) / (of + _PRIOR * unit), 1 - 1e-3)
