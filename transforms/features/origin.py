"""State of a region's series at an origin: what features are made from. Each result is computed once, when it is first asked for.

What is so of one target week only is in `transforms.features.target`.
"""

from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Codes, Floats32, Floats64, Ints64, Texts
from transforms.features.recency import Rhythm, Sizes, last_deliveries
from transforms.features.structural_model import Levels
from transforms.panel.events import promotion_days
from transforms.panel.panel import Panel
from transforms.panel.unconstrained_demand import estimated_demand

ALIVE_WEEKS = 52
"""A series is alive while a delivery lies in the last year."""
NO_EVENT = "~none"
_MEMORY = 4
"""Weeks whose promotions are remembered."""

Kind = Literal["product", "store"]


class Window(NamedTuple):
    """Demand of the last weeks of each series: units, weeks with demand, and weeks that the series had lived of them."""

    units: Floats32
    hits: Ints64
    lived: Floats32


class Kin(NamedTuple):
    """Series of the same product, or store, in the last weeks: log of the mean size of their deliveries, and share of weeks with demand."""

    log_size: Floats64
    rate: Floats64


class Origin:
    """Everything that is known of a region's series at the end of a panel.

    Parameters
    ----------
    panel
        History up to the origin (its last week) and nothing later.

    Attributes
    ----------
    alive
        Which of the panel's series are alive; all else is theirs, shape (alive,) or (alive, weeks).
    demand, store, product, large, case_pack
        Of each series; units in a case are 1 where unknown.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._demand_of_all = estimated_demand(panel)
        self.alive = np.flatnonzero(self._demand_of_all[:, -ALIVE_WEEKS:].any(axis=1))
        self.demand = self._demand_of_all[self.alive]
        self.store, self.product = panel.store[self.alive], panel.product[self.alive]
        self.large = (panel.store_text["format"].levels == "large")[panel.store_text["format"].codes][self.store]
        self.case_pack = panel.product_number["case_pack"][self.product].astype(np.float32)
        self._windows: dict[int, Window] = {}
        self._kin: dict[tuple[Kind, int], Kin] = {}

    @cached_property
    def levels(self) -> Levels:
        """The structural model."""
        return Levels(self.panel, self.demand, self.store, self.product, self.case_pack)

    @cached_property
    def fast(self) -> Bools:
        """Series whose product is a fast mover in its format."""
        return _fast(self.demand, self.product, self.large, len(self.panel.products))

    @cached_property
    def nonzero(self) -> Bools:
        """Weeks with demand."""
        nonzero: Bools = self.demand > 0
        return nonzero

    @cached_property
    def age(self) -> Floats32:
        """Weeks since the first delivery."""
        age: Floats32 = np.maximum(self.panel.weeks - self.nonzero.argmax(axis=1), 1).astype(np.float32)
        return age

    @cached_property
    def hits(self) -> Floats32:
        """Count of the weeks with demand."""
        hits: Floats32 = self.nonzero.sum(axis=1).astype(np.float32)
        return hits

    @cached_property
    def rate(self) -> Floats32:
        """Share of weeks with demand since the first delivery."""
        rate: Floats32 = self.hits / self.age
        return rate

    @cached_property
    def baseline(self) -> Floats32:
        """Mean demand since the first delivery, weeks without demand included."""
        mean: Floats32 = self.demand.sum(axis=1) / self.age
        return mean

    @cached_property
    def baseline_size(self) -> Floats32:
        """Mean demand of the weeks with demand."""
        mean: Floats32 = self.demand.sum(axis=1) / np.maximum(self.hits, 1)
        return mean

    @cached_property
    def log_size(self) -> Floats32:
        """Log of the mean demand of the weeks with demand."""
        log: Floats32 = np.log(np.maximum(self.baseline_size, 1e-3))
        return log

    @cached_property
    def gap(self) -> Floats32:
        """Mean weeks between deliveries."""
        gap: Floats32 = np.divide(self.age, np.maximum(self.hits, 1))
        return gap

    def window(self, weeks: int) -> Window:
        """Demand of the last `weeks` weeks."""
        if weeks not in self._windows:
            units, hits = self.demand[:, -weeks:].sum(axis=1), self.nonzero[:, -weeks:].sum(axis=1)
            self._windows[weeks] = Window(units, hits, np.minimum(self.age, weeks))
        return self._windows[weeks]

    @cached_property
    def _deliveries(self) -> tuple[Floats32, Floats32]:
        return last_deliveries(self.demand)

    @property
    def recent(self) -> Floats32:
        """The last sizes, newest first, shape (alive, RECENT), NaN where there were fewer."""
        return self._deliveries[0]

    @property
    def since(self) -> Floats32:
        """Weeks since the last delivery."""
        return self._deliveries[1][:, 0]

    @cached_property
    def sizes(self) -> Sizes:
        """Statistics of the last sizes."""
        return Sizes(self.recent)

    @cached_property
    def rhythm(self) -> Rhythm:
        """Gaps between the last deliveries."""
        return Rhythm(self._deliveries[1])

    def kin(self, kind: Kind, weeks: int) -> Kin:
        """Levels of the product over all stores, or of the store over all products, in the last `weeks` weeks; of each series' own."""
        if (kind, weeks) not in self._kin:
            codes, window = getattr(self, kind), self.window(weeks)
            count = np.maximum(np.bincount(codes), 1)
            units, hits = np.bincount(codes, window.units), np.bincount(codes, window.hits)
            log_size = np.log(np.maximum(units / np.maximum(hits, 1), 0.1))
            self._kin[kind, weeks] = Kin(log_size[codes], (hits / count / weeks)[codes])
        return self._kin[kind, weeks]

    def log_kin(self, kind: Kind) -> Floats32:
        """Log of the count of series that share the product, or the store."""
        codes = getattr(self, kind)
        log: Floats32 = np.log(np.maximum(np.bincount(codes), 1))[codes]
        return log

    @cached_property
    def category_units(self) -> Floats32:
        """Demand of each category by week, series that are not alive included, shape (categories, weeks)."""
        category = self.panel.product_text["category"]
        return _by_group(self._demand_of_all, category.codes[self.panel.product], len(category.levels))

    @cached_property
    def promoted_lately(self) -> Floats32:
        """Mean days of promotion a week, over the last weeks."""
        mean: Floats32 = promotion_days(self.panel, self.store, self.product, self.panel.weeks - _MEMORY, _MEMORY).mean(axis=1)
        return mean

    @cached_property
    def event_levels(self) -> Texts:
        """Names of events; the last one stands for none."""
        return np.concatenate([self.panel.events.name.levels, np.asarray([NO_EVENT])])

    @cached_property
    def _events_for_all(self) -> npt.NDArray[np.intp]:
        events = self.panel.events
        return np.flatnonzero(~events.promotion & (events.store < 0) & (events.product < 0))

    def event(self, horizon: int) -> int:
        """The event of a week ahead that lasts longest there and is for all: index into `event_levels`."""
        events = self.panel.events
        found = self._events_for_all[events.week[self._events_for_all] == self.panel.weeks - 1 + horizon]
        codes = events.name.codes[found]
        return int(codes[np.lexsort((codes, -events.days[found]))[0]]) if len(found) else len(events.name.levels)


def _fast(demand: Floats32, product: Codes, large: Bools, products: int) -> Bools:
    """Fast: products whose units per store and week of the last year reach the median of their format.

    The median product splits each format's assortment in halves whatever its volume is, so that both segments have products to learn from.
    """
    year = demand[:, -52:].mean(axis=1)
    fast = np.zeros(len(product), bool)
    for is_large in (True, False):
        in_format = large == is_large
        count = np.bincount(product[in_format], minlength=products)
        velocity = np.bincount(product[in_format], year[in_format], products) / np.maximum(count, 1)
        if count.any():
            fast[in_format] = (velocity >= np.median(velocity[count > 0]))[product[in_format]]
    return fast


def _by_group(demand: Floats32, group: Codes, groups: int) -> Floats32:
    """Sum of demand by group, shape (groups, weeks)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    padded = np.vstack([demand[order], np.zeros((1, demand.shape[1]), np.float32)])
    sums = np.add.reduceat(padded, starts, axis=0)
    sums[np.bincount(group, minlength=groups) == 0] = 0
    return sums
