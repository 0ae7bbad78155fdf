"""State of the rows of one target week, as known at their origin: what features that look ahead are made from."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from transforms.arrays import Floats32
from transforms.features.origin import Origin
from transforms.features.structural_model import Effects
from transforms.panel.events import holiday_days, promotion_days
from transforms.panel.panel import Coded, Weather

_YEAR = 52
"""Weeks to last year's week."""
_ISO_WEEKS = np.asarray([f"{week:02d}" for week in range(54)])


class Target:
    """Rows of one target week of an origin.

    Parameters
    ----------
    horizon
        Weeks from the origin to the target week.
    rows
        Positions among the series alive, shape (rows,); all else is of them.
    """

    def __init__(self, origin: Origin, horizon: int, rows: npt.NDArray[np.integer]) -> None:
        self.origin, self.horizon, self.rows = origin, horizon, rows
        self.week = origin.panel.last + horizon
        self._index = origin.panel.weeks - 1 + horizon

    @cached_property
    def waiting(self) -> Floats32:
        """Weeks from the last delivery to the target week."""
        weeks: Floats32 = self.origin.since[self.rows] + self.horizon
        return weeks

    @property
    def phase(self) -> Floats32:
        """Weeks from the last delivery to the target week, over the series' mean gap."""
        phase: Floats32 = self.waiting / self.origin.gap[self.rows]
        return phase

    @property
    def angle(self) -> float:
        """Position of the target week in the year, in radians."""
        return 2 * np.pi * self.week.monday.timetuple().tm_yday / 365.25

    @cached_property
    def last_year(self) -> tuple[Floats32, Floats32]:
        """Log of the mean size, and share of weeks with demand, in the three weeks around the target's week last year; NaN before there was one."""
        centre = self._index - _YEAR
        if centre < 1:
            unknown = np.full(len(self.rows), np.nan, np.float32)
            return unknown, unknown
        around = self.origin.demand[self.rows, centre - 1 : centre + 2]
        hits = (around > 0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(np.where(hits > 0, around.sum(axis=1) / hits, np.nan)), hits / np.float32(3)

    @property
    def category_season(self) -> Floats32:
        """Log ratio of the category's demand around the target's week last year to that year's mean; NaN before there was one."""
        panel, units, centre = self.origin.panel, self.origin.category_units, self._index - _YEAR
        if centre < 1:
            return np.full(len(self.rows), np.nan, np.float32)
        around = units[:, centre - 1 : centre + 2].mean(axis=1)
        year = units[:, max(centre - 26, 0) : centre + 26].mean(axis=1)
        ratio: Floats32 = np.log((around + 1) / (year + 1))[panel.product_text["category"].codes[self.origin.product[self.rows]]]
        return ratio

    @cached_property
    def holidays(self) -> Floats32:
        """Days of holidays in the target week and in the week after it, shape (2,)."""
        return holiday_days(self.origin.panel, self._index, 2)

    @property
    def promoted(self) -> Floats32:
        """Days of promotion in the target week."""
        origin = self.origin
        days: Floats32 = promotion_days(origin.panel, origin.store, origin.product, self._index, 1)[self.rows, 0]
        return days

    @cached_property
    def weather(self) -> Weather:
        """The target week's weather at the rows' places, as known at the origin; each field of shape (rows,)."""
        places = self.origin.panel.place[self.origin.store[self.rows]]
        return Weather(*(known[places, -1, min(self.horizon, known.shape[2]) - 1] for known in vars(self.origin.panel.weather).values()))

    @cached_property
    def effects(self) -> Effects:
        """The structural model's parts."""
        return Effects(*(part[self.rows] for part in self.origin.levels.ahead(self.horizon)))

    def of_store(self, attribute: str) -> Coded:
        """A text of the rows' stores."""
        return self.origin.panel.store_text[attribute].take(self.origin.store[self.rows])

    def of_product(self, attribute: str) -> Coded:
        """A text of the rows' products."""
        return self.origin.panel.product_text[attribute].take(self.origin.product[self.rows])

    @property
    def iso_week(self) -> Coded:
        """The target week's number in its year."""
        return Coded(np.full(len(self.rows), self.week.iso_week, np.int32), _ISO_WEEKS)

    def event(self, weeks_later: int) -> Coded:
        """The event of the target week, or of one soon after it, that lasts longest there and is for all."""
        code = self.origin.event(self.horizon + weeks_later)
        return Coded(np.full(len(self.rows), code, np.int32), self.origin.event_levels)
