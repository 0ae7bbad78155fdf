"""Simulate stores, products, weather, promotions and demand. Everything follows from the seed; arrays are (series, weeks) unless said.

Demand of a series in a week is 0 with probability `1 - p`, else a number of cases whose distribution is a discretised lognormal around the series'
level, moved by season, weather, holidays, promotions and a slow trend. All of that is known to the simulation and written aside, so that forecasts
can be measured against the best that is possible.
"""

from dataclasses import dataclass, replace
from typing import Literal

import holidays
import numpy as np

from transforms.arrays import Bools, Floats64, Ints64
from transforms.calendar import Week
from transforms.world.geography import PLACES

CATEGORIES = ("bread", "buns", "cakes", "chips", "dips", "drinks")
# How a category's demand follows the year (peak week, strength), a warmer week than usual (per degC) and a week with a holiday.
SEASON_PEAK = np.array([2.0, 27.0, 50.0, 27.0, 1.0, 29.0])
SEASON_STRENGTH = np.array([0.15, 0.55, 0.60, 0.35, 0.30, 0.65])
WARMTH = np.array([0.0, 0.02, -0.01, 0.005, 0.0, 0.03])
HOLIDAY_LIFT = np.array([0.05, 0.40, 0.35, 0.30, 0.35, 0.25])
PROMOTION_LIFT = np.array([0.5, 0.6, 0.7, 0.8, 0.6, 0.7])
CASES = np.arange(1, 61)
"""Numbers of cases that a week's demand can be."""
_PLANNED_FROM = 13
"""Weeks of sales that a plan made before demand is known looks at."""


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """Size and seed of the world."""

    seed: int = 7
    regions: int = 14
    stores_per_region: int = 10
    products: int = 20
    first_week: str = "2022-01-03"
    weeks: int = 130
    sigma: float = 0.22
    """Spread of the log of demand around what its causes say."""
    shipping: Literal["after_demand", "before_demand"] = "after_demand"
    """Whether deliveries follow demand but for accidents, or are planned before it is known: see `_planned`."""
    safety: float = 1.0
    """Deliveries planned before demand: standard deviations of what was sold lately that are shipped beyond its mean."""


@dataclass(frozen=True)
class World:
    """Simulated sales of a world.

    Attributes
    ----------
    store_region, store_large
        Region and format of each store.
    series_store, series_product
        Store and product of each series.
    cases
        Probability of each number of cases given demand, shape (series, weeks, cases) is too large to keep: `mean_log` and `spec.sigma` define it,
        see `case_probabilities`.
    p_demand
        Probability of demand.
    demand, shipped, returned
        True demand, units delivered, units of that delivery that came back.
    return_delay
        Weeks until the return is reported.
    promoted
        Whether the product is on promotion in the region that week, shape (regions, products, weeks).
    weather
        Daily mean temperature, shape (regions, days), and precipitation in mm.
    """

    spec: WorldSpec
    first: Week
    store_region: Ints64
    store_large: Bools
    product_category: Ints64
    product_slow: Bools
    case_pack: Ints64
    price: Floats64
    series_store: Ints64
    series_product: Ints64
    p_demand: Floats64
    mean_log: Floats64
    demand: Ints64
    shipped: Ints64
    returned: Ints64
    return_delay: Ints64
    promoted: Bools
    temperature: Floats64
    precipitation: Floats64
    holidays: dict[str, str]

    @property
    def last(self) -> Week:
        """Last week simulated."""
        return self.first + (self.spec.weeks - 1)


def case_probabilities(mean_log: Floats64, sigma: float) -> Floats64:
    """Probability of each of CASES: a lognormal cut at the geometric middles, shape (..., cases)."""
    from scipy.special import ndtr  # noqa: PLC0415 - heavy

    borders = np.log(np.sqrt(CASES[:-1] * CASES[1:]))
    below = ndtr((borders - mean_log[..., None]) / sigma)
    cumulative = np.concatenate([np.zeros_like(below[..., :1]), below, np.ones_like(below[..., :1])], axis=-1)
    return np.diff(cumulative, axis=-1)


def simulate(spec: WorldSpec) -> World:
    """Simulate a world; the same spec gives the same world."""
    rng = np.random.default_rng(spec.seed)
    first = Week.parse(spec.first_week)
    stores = spec.regions * spec.stores_per_region
    store_region = np.repeat(np.arange(spec.regions), spec.stores_per_region)
    store_large = np.arange(stores) % spec.stores_per_region < max(1, round(0.4 * spec.stores_per_region))
    category = np.arange(spec.products) % len(CATEGORIES)
    slow = np.arange(spec.products) >= spec.products // 2
    case_pack = rng.choice([4, 6, 8, 12], spec.products)
    price = np.round(rng.uniform(1.5, 9.0, spec.products), 2)
    temperature, precipitation, anomaly = _weather(spec, first, rng)
    days = holidays.country_holidays("US", years=range(first.monday.year, (first + spec.weeks).monday.year + 1))
    named = {day.isoformat(): name for day, name in sorted(days.items())}
    holiday = np.array([any(Week.containing(day) == first + week for day in days) for week in range(spec.weeks)])
    promoted = _promotions(spec, slow, rng)
    series_store = np.repeat(np.arange(stores), spec.products)
    series_product = np.tile(np.arange(spec.products), stores)
    listed = rng.random(len(series_store)) < np.where(slow[series_product] & ~store_large[series_store], 0.75, 0.95)
    series_store, series_product = series_store[listed], series_product[listed]
    mean_log = _levels(spec, first, store_region, store_large, slow, category, series_store, series_product, rng)
    region, kind = store_region[series_store], category[series_product]
    mean_log += WARMTH[kind][:, None] * anomaly[region] + HOLIDAY_LIFT[kind][:, None] * holiday
    mean_log += PROMOTION_LIFT[kind][:, None] * promoted[region, series_product]
    chance = np.where(slow, rng.uniform(0.35, 0.65, spec.products), rng.uniform(0.9, 0.98, spec.products))[series_product]
    p_demand = np.clip(chance[:, None] * (1 + 0.3 * promoted[region, series_product]), 0, 0.99)
    demand = _draw(mean_log, p_demand, spec.sigma, rng) * case_pack[series_product][:, None]
    sold_out = rng.random(demand.shape) < 0.015
    shipped = np.where(sold_out, (demand // case_pack[series_product][:, None] // 2) * case_pack[series_product][:, None], demand)
    comes_back = (rng.random(demand.shape) < 0.12) & (shipped > 0)
    # What came back had been put on the truck beyond demand: the company ships a case more now and then.
    extra = np.where(comes_back & ~sold_out, np.minimum(case_pack[series_product][:, None], shipped), 0)
    delay = rng.choice([0, 1, 2, 3], demand.shape, p=[0.3, 0.4, 0.2, 0.1])
    world = World(
        spec, first, store_region, store_large, category, slow, case_pack, price, series_store, series_product, p_demand, mean_log,
        demand, shipped + extra, extra, delay, promoted, temperature, precipitation, named,
    )  # fmt: skip
    # Drawn after everything else, so that the other worlds are what they would be without this.
    return world if spec.shipping == "after_demand" else _planned(world, rng)


def _weather(spec: WorldSpec, first: Week, rng: np.random.Generator) -> tuple[Floats64, Floats64, Floats64]:
    """Daily temperature and rain, and the weekly deviation of temperature from the climate."""
    days = np.arange(spec.weeks * 7)
    of_year = np.array([(np.datetime64(first.monday) + int(day)).astype(object).timetuple().tm_yday for day in days])
    climate = np.array([place.mean_c - place.swing_c * np.cos(2 * np.pi * (of_year - 20) / 365.25) for place in PLACES[: spec.regions]])
    noise = np.zeros_like(climate)
    shocks = rng.normal(0, 2.2, climate.shape)
    for day in range(1, climate.shape[1]):
        noise[:, day] = 0.8 * noise[:, day - 1] + shocks[:, day]
    rain = np.where(rng.random(climate.shape) < 0.3, rng.gamma(0.8, 8.0, climate.shape), 0)
    return climate + noise, rain, noise.reshape(spec.regions, spec.weeks, 7).mean(axis=2)


def _promotions(spec: WorldSpec, slow: Bools, rng: np.random.Generator) -> Bools:
    """Two-week promotions of a product in a region, more often for fast products."""
    start = rng.random((spec.regions, spec.products, spec.weeks)) < np.where(slow, 0.02, 0.05)[None, :, None]
    again = np.concatenate([np.zeros_like(start[:, :, :1]), start[:, :, :-1]], axis=2)
    promoted: Bools = start | again
    return promoted


def _levels(
    spec: WorldSpec,
    first: Week,
    store_region: Ints64,
    store_large: Bools,
    slow: Bools,
    category: Ints64,
    series_store: Ints64,
    series_product: Ints64,
    rng: np.random.Generator,
) -> Floats64:
    """Log of the cases that a series sells by its place, product, season and trend."""
    weeks = np.arange(spec.weeks)
    base = np.where(slow, 0.75, 1.7)[series_product] + np.where(store_large, 0.75, 0.0)[series_store]
    base = base + rng.normal(0, 0.25, len(store_region))[series_store] + rng.normal(0, 0.25, spec.products)[series_product]
    base = base + rng.normal(0, 0.2, len(series_store))
    of_year = (first.iso_week - 1 + weeks) % 52.18
    kind = category[series_product]
    season = SEASON_STRENGTH[kind][:, None] * np.cos(2 * np.pi * (of_year[None, :] - SEASON_PEAK[kind][:, None]) / 52.18)
    slope = rng.normal(0, 0.35, len(series_store))[:, None] * (weeks / spec.weeks)[None, :]
    # A store's level steps now and then: a refit, a competitor, a new road.
    steps = np.where(rng.random((len(store_region), spec.weeks)) < 0.01, rng.normal(0, 0.4, (len(store_region), spec.weeks)), 0).cumsum(axis=1)
    level: Floats64 = base[:, None] + season + slope + steps[series_store]
    return level


def _planned(world: World, rng: np.random.Generator) -> World:
    """Deliveries decided before demand is known: what was sold in the last quarter, mean and `safety` standard deviations, as a planner judges it
    (10 % either way), in whole cases and at least one. What is not sold comes back, and is reported with the same delays as everywhere.

    So a delivery of which nothing comes back has sold out, and what the store could have sold beyond it is seen by nobody, the planner included.
    """
    pack = world.case_pack[world.series_product]
    judged = np.exp(rng.normal(0, 0.1, world.demand.shape))
    sold, shipped = np.zeros(world.demand.shape), np.zeros_like(world.demand)
    expected = (world.p_demand * np.exp(world.mean_log))[:, 0] * pack
    for week in range(world.spec.weeks):
        past = sold[:, max(0, week - _PLANNED_FROM) : week] if week else expected[:, None]
        plan = (past.mean(axis=1) + world.spec.safety * past.std(axis=1)) * judged[:, week]
        shipped[:, week] = np.maximum(np.ceil(plan / pack), 1) * pack
        sold[:, week] = np.minimum(world.demand[:, week], shipped[:, week])
    return replace(world, shipped=shipped, returned=shipped - sold.astype(np.int64))


def _draw(mean_log: Floats64, p_demand: Floats64, sigma: float, rng: np.random.Generator) -> Ints64:
    """Cases demanded: the same discretised lognormal as `case_probabilities`, drawn by its inverse."""
    drawn = np.exp(mean_log + sigma * rng.normal(size=mean_log.shape))
    borders = np.sqrt(CASES[:-1] * CASES[1:])
    cases = CASES[np.searchsorted(borders, drawn)]
    return np.where(rng.random(mean_log.shape) < p_demand, cases, 0)
