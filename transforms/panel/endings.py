"""Series that have ended at the end of a panel: the store has closed, the product is delisted, or a silence lasts beyond every rhythm.

A silence is judged by the unit's own gaps between deliveries, and by what became of silences like it before: how many of those that had lasted as
long, and were as far beyond the unit's longest gap until then, were followed by a delivery within a quarter. So a series that sells in summer only,
or twice a year, goes on, and so does everything in a region whose long silences tend to end. Stores, products over all stores of the region, and
single series are judged alike. What follows from an ending is `models.serving.score`'s work.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes
from transforms.panel.panel import FOR_EVER, Panel

SHORTEST = {"store": 6, "product": 13, "series": 13}
"""Weeks of silence from which an ending is thought of. A store carries many products, so that its silence says more in less time."""
FAR = 2.0
"""How many times its longest gap before a silence has to last."""
FEWEST_GAPS = 8
"""A unit with fewer gaps than this may have gaps as long as the longest hundredth of its category's."""
YEAR = 52
"""Weeks that a product or a series has to have lived: one that is younger has not shown yet what its year looks like."""
FOLLOWED = 13
"""Weeks after which a silence that went on counts as one without a comeback."""
COMEBACKS = 0.02
"""Largest share of comebacks among silences like it with which a silence is an ending."""
_PRESUMED, _SILENCES = 0.01, 10
"""What is presumed where no silence like it was seen before: this share, with the weight of that many silences."""
_NOTICED = 4.0
"""Beyond so many times the longest gap, silences are all alike."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Record:
    """Silences one by one: weeks that each lasted (more than there are for one that still does), week it began after, longest gap until then."""

    lasted: npt.NDArray[np.int64]
    begun: npt.NDArray[np.int64]
    bound: npt.NDArray[np.int64]

    def beyond(self, weeks: int) -> "Record":
        """Those that lasted longer than that."""
        long = self.lasted > weeks
        return Record(self.lasted[long], self.begun[long], self.bound[long])

    def comebacks(self, silent: int, far: float, weeks: int) -> float:
        """Share that ended within `FOLLOWED` weeks, of the silences that had lasted `silent` weeks and were `far` times beyond `bound` then."""
        like = (self.lasted > silent) & (self.begun + silent + FOLLOWED < weeks) & (silent >= far * self.bound)
        comebacks = int((self.lasted[like] <= silent + FOLLOWED).sum())
        return (comebacks + _PRESUMED * _SILENCES) / (int(like.sum()) + _SILENCES)


class Silences:
    """Silences of units (stores, products or series): those of before, and those at the end of the weeks.

    Parameters
    ----------
    delivered
        Shape (units, weeks).
    peers
        Group whose gaps stand in where a unit has few of its own.
    """

    def __init__(self, delivered: Bools, peers: Codes) -> None:
        n, self.weeks = delivered.shape
        units, at = np.nonzero(delivered)
        follows = units[1:] == units[:-1]
        unit, gap, start = units[1:][follows], np.diff(at)[follows], at[:-1][follows]
        usual = _longest_usual(gap, peers[unit], int(peers.max()) + 1)[peers]
        first, last = np.full(n, self.weeks), np.full(n, -1)
        last[units], first[units[::-1]] = at, at[::-1]
        self.silent, self.life = self.weeks - 1 - last, last - first
        self.longest = np.zeros(n, np.int64)
        np.maximum.at(self.longest, unit, gap)
        self.bound = np.where(np.bincount(unit, minlength=n) < FEWEST_GAPS, np.maximum(self.longest, usual), self.longest)
        # Running maximum within each unit: the offset keeps units apart.
        longest_yet = np.maximum.accumulate(gap + unit * self.weeks) - unit * self.weeks
        rank = np.arange(len(unit)) - np.searchsorted(unit, np.arange(n))[unit]
        before = np.where(rank > 0, np.roll(longest_yet, 1), 0)
        before = np.where(rank < FEWEST_GAPS, np.maximum(before, usual[unit]), before)
        known = last >= 0
        self.record = Record(
            np.concatenate([gap, np.full(known.sum(), self.weeks)]), np.concatenate([start, last[known]]), np.concatenate([before, self.bound[known]])
        )

    def ended(self, record: Record, shortest: int, least_life: int) -> Bools:
        """Tell which units have ended, shape (units,).

        Parameters
        ----------
        record
            What became of silences before.
        shortest
            Weeks of silence from which one is judged.
        least_life
            Weeks from first to last delivery that a unit needs to be judged.
        """
        ended: Bools = (self.silent < self.weeks) & (self.silent >= shortest) & (self.silent > FAR * self.bound) & (self.life >= least_life)
        judged = np.flatnonzero(ended)
        far = np.minimum(self.silent / np.maximum(self.bound, 1), _NOTICED)
        record = record.beyond(shortest)
        pairs, which = np.unique(np.column_stack([self.silent, far])[judged], axis=0, return_inverse=True)
        came_back = np.asarray([record.comebacks(int(silent), times, self.weeks) > COMEBACKS for silent, times in pairs], bool)
        ended[judged] = ~came_back[which.reshape(-1)]
        return ended


def endings(panel: Panel, series: Codes, horizon: Codes) -> npt.NDArray[np.object_]:
    """Reasons why nothing is to be expected of a series in a week, for each pair of series and weeks ahead; an empty text where the series goes on.

    Dates of closing and delisting hold from the day on, once they are known; a date after which a delivery came does not.
    """
    reasons = silent_beyond_rhythm(panel.shipped > 0, panel.store, panel.product, panel.product_text["category"].codes)[series]
    target = (panel.last.monday - _EPOCH).days + 7 * horizon.astype(np.int64)
    for what, unit, ends in (("store closed", panel.store, panel.store_ends), ("product delisted", panel.product, panel.product_ends)):
        day = np.where(_delivered_since(panel, unit, ends), FOR_EVER, ends)[unit[series]]
        for one in np.unique(day[day <= target]):
            reasons[(day == one) & (day <= target)] = f"{what} on {_EPOCH + timedelta(days=int(one))}"
    return reasons


def silent_beyond_rhythm(delivered: Bools, store: Codes, product: Codes, category: Codes) -> npt.NDArray[np.object_]:
    """Reasons why series have ended as far as its deliveries tell, an empty text where it goes on.

    Parameters
    ----------
    delivered
        Whether a delivery was made, shape (series, weeks); the last week is the origin.
    store, product
        Of each series.
    category
        Of each product.
    """
    if len(np.unique(store)) > 1:
        # Weeks in which nobody in the region was delivered to say nothing about anybody.
        delivered = delivered[:, delivered.any(axis=0)]
    series = Silences(delivered, category[product])
    products = Silences(_any_of(delivered, product), category)
    stores = Silences(_any_of(delivered, store), np.zeros(int(store.max()) + 1, np.int32))
    # A region has few products that fell silent: what its series did then counts with them.
    both = Record(*(np.concatenate(pair) for pair in zip(vars(products.record).values(), vars(series.record).values(), strict=True)))
    reasons = np.full(len(delivered), "", object)
    for name, units, unit, record, least_life in (
        ("series", series, np.arange(len(delivered)), series.record, YEAR),
        ("product", products, product, both, YEAR),
        ("store", stores, store, stores.record, 0),
    ):
        for index in np.flatnonzero(units.ended(record, SHORTEST[name], least_life)):
            reasons[unit == index] = f"{name} silent for {units.silent[index]} weeks, its longest gap before was {units.longest[index]}"
    return reasons


def _longest_usual(gap: npt.NDArray[np.int64], group: Codes, groups: int) -> npt.NDArray[np.int64]:
    """The gap that one in a hundred of each group's passes; of all together where a group has few."""
    every = _hundredth(gap)
    by_group = [gap[group == index] for index in range(groups)]
    return np.asarray([_hundredth(some) if len(some) >= FEWEST_GAPS else every for some in by_group], np.int64)


def _hundredth(gap: npt.NDArray[np.int64]) -> int:
    return int(np.ceil(np.quantile(gap, 0.99))) if len(gap) else YEAR


def _any_of(delivered: Bools, group: Codes) -> Bools:
    """Weeks in which any of a group's series was delivered to, shape (groups, weeks)."""
    result = np.zeros((int(group.max()) + 1, delivered.shape[1]), bool)
    np.logical_or.at(result, group, delivered)
    return result


def _delivered_since(panel: Panel, unit: Codes, ends: npt.NDArray[np.int64]) -> Bools:
    """Units that were delivered to in a week that began on the day of its ending or later."""
    delivered = _any_of(panel.shipped > 0, unit)
    monday = (panel.first.monday - _EPOCH).days + 7 * np.arange(panel.weeks)
    return np.asarray((delivered & (monday >= ends[:, None])).any(axis=1), bool)
