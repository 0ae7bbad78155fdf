"""The last deliveries of each series: their sizes, their rhythm, and what both say of the next one."""

from functools import cached_property

import numpy as np

from transforms.arrays import Floats32, Ints64

RECENT = 12
"""Deliveries of a series that are looked at one by one."""


def last_deliveries(demand: Floats32) -> tuple[Floats32, Floats32]:
    """The last sizes, newest first, and how many weeks before the origin each was delivered; NaN where there were fewer."""
    backwards = demand[:, ::-1]
    rows, columns = np.nonzero(backwards)
    # Within a row nonzero runs from newest to oldest, so the position in its row is the rank by age.
    first = np.searchsorted(rows, np.arange(len(demand)))
    rank = np.arange(len(rows)) - first[rows]
    inside = rank < RECENT
    recent, ages = (np.full((len(demand), RECENT), np.nan, np.float32) for _ in range(2))
    recent[rows[inside], rank[inside]] = backwards[rows[inside], columns[inside]]
    ages[rows[inside], rank[inside]] = columns[inside]
    return recent, ages


class Rhythm:
    """Weeks between the last deliveries of each series, as logs.

    Parameters
    ----------
    ages
        Weeks before the origin, shape (series, RECENT); see `last_deliveries`.

    Attributes
    ----------
    mean, spread
        Of all gaps, shape (series,).
    """

    def __init__(self, ages: Floats32) -> None:
        self._gaps = np.log(np.maximum(np.diff(ages, axis=1), 1))
        self._known = ~np.isnan(self._gaps)
        count = np.maximum(self._known.sum(axis=1), 1)
        self.mean = np.where(self._known, self._gaps, 0).sum(axis=1) / count
        self.spread = np.sqrt(np.where(self._known, (self._gaps - self.mean[:, None]) ** 2, 0).sum(axis=1) / count)

    def gap(self, number: int) -> Floats32:
        """The gap that lies `number` gaps back, 1 the newest; the mean where there were fewer."""
        gap: Floats32 = np.where(self._known[:, number - 1], self._gaps[:, number - 1], self.mean)
        return gap


class Sizes:
    """The last sizes of each series and their statistics.

    Parameters
    ----------
    recent
        Sizes, newest first, shape (series, RECENT); see `last_deliveries`.

    Attributes
    ----------
    count
        How many there were, shape (series,).
    mean, spread
        Of their logs.
    """

    def __init__(self, recent: Floats32) -> None:
        self._recent, self._known = recent, ~np.isnan(recent)
        self.count = self._known.sum(axis=1)
        self._logs = np.where(self._known, np.log(np.where(self._known, recent, 1)), 0)
        self.mean = self._logs.sum(axis=1) / np.maximum(self.count, 1)
        squares = np.where(self._known, (self._logs - self.mean[:, None]) ** 2, 0)
        self.spread = np.sqrt(squares.sum(axis=1) / np.maximum(self.count, 1))

    def log_size(self, number: int) -> Floats32:
        """Log of the size that lies `number` deliveries back, 1 the newest; the mean where there were fewer."""
        size: Floats32 = np.where(self._known[:, number - 1], self._logs[:, number - 1], self.mean)
        return size

    def log_best(self) -> Floats32:
        """Log of the size that is nearest to all of them in percent: the median of sizes weighted by one over the size."""
        ordered = np.sort(np.where(self._known, self._recent, np.inf), axis=1)
        weights = np.where(np.isfinite(ordered), 1 / ordered, 0).cumsum(axis=1)
        best = (weights < weights[:, -1:] / 2).sum(axis=1).clip(0, RECENT - 1)
        return self._log_where_any(ordered[np.arange(len(ordered)), best])

    def log_mode(self) -> Floats32:
        """Log of the most frequent size."""
        return self._log_where_any(self._recent[np.arange(len(self._recent)), self._times.argmax(axis=1)])

    def mode_share(self) -> Floats32:
        """Share of the most frequent size."""
        share: Floats32 = self._times.max(axis=1) / np.maximum(self.count, 1)
        return share

    @cached_property
    def _times(self) -> Ints64:
        """Count of each size among them, shape (series, RECENT)."""
        times: Ints64 = (self._recent[:, :, None] == self._recent[:, None, :]).sum(axis=2)
        return times

    def _log_where_any(self, size: Floats32) -> Floats32:
        log: Floats32 = np.log(np.where(self.count > 0, size, 1))
        return log
