"""How the order plan stands in money: gold/plan_value summed up by region, with intervals. What the policies are is in the table's contract."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from transforms.arrays import Floats64
from transforms.calendar import Week
from transforms.contracts.gold import PLAN_VALUE, POLICIES
from transforms.lake.database import open_database
from transforms.lake.tables import Lake, day

RIVALS = ("historical_average", "point_forecast")


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with the bounds between which it lies in 95 % of the resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


@dataclass(frozen=True, slots=True)
class Amount:
    """USD with the bounds between which they lie in 80 % of the resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Savings:
    """A region ('all' at the end): stores, demand in units, cost of each policy in USD, and what of each rival's cost the plan saves."""

    region: str
    stores: int
    demand: int
    cost: dict[str, float]
    saved: dict[str, Interval]
    saved_usd: dict[str, Amount]


def savings(lake: Lake, first: Week, last: Week) -> list[Savings]:
    """Sum up gold/plan_value over the weeks `first` to `last`, all horizons; see `savings_of`."""
    return savings_of(lake.read(PLAN_VALUE.name, where=f"week >= {day(first)} and week <= {day(last)}")) if lake.exists(PLAN_VALUE.name) else []


def savings_of(rows: pa.Table, seed: int = 7, resamples: int = 2000) -> list[Savings]:
    """Sum up rows of gold/plan_value by region.

    Intervals are percentiles over resamples of whole stores (cluster bootstrap, Efron and Tibshirani 1993): weeks and products of a store hang
    together, and resampling rows would make the intervals too narrow. 'all' resamples within each region.
    """
    with open_database() as connection:
        connection.register("rows", rows)
        by_store = connection.execute(
            f"""
            pivot (select region, store_id, policy, cost_left + cost_missed as cost, demand from rows)
            on policy in ({", ".join(f"'{policy}'" for policy in POLICIES)}) using sum(cost) as cost, sum(demand) as demand
            group by region, store_id order by region, store_id
            """
        ).to_arrow_table()
    return list(_by_region(by_store, np.random.default_rng(seed), resamples)) if by_store.num_rows else []


def _by_region(rows: pa.Table, rng: np.random.Generator, resamples: int) -> Iterator[Savings]:
    regions = np.asarray(rows["region"].to_pylist(), np.str_)
    costs = np.column_stack([rows[f"{policy}_cost"].to_numpy() for policy in POLICIES])
    demand = rows["order_plan_demand"].cast(pa.float64()).to_numpy()
    whole = np.zeros((resamples, len(POLICIES)))
    names = np.unique(regions)
    for region in names:
        in_region = np.flatnonzero(regions == region)
        drawn = rng.multinomial(len(in_region), np.full(len(in_region), 1 / len(in_region)), resamples) @ costs[in_region]
        whole += drawn
        yield _savings(str(region), costs[in_region], demand[in_region], drawn)
    if len(names) > 1:
        yield _savings("all", costs, demand, whole)


def _savings(region: str, costs: Floats64, demand: Floats64, drawn: Floats64) -> Savings:
    """Of one region, from the costs by store and policy, and those of the resamples."""
    total = dict(zip(POLICIES, costs.sum(axis=0), strict=True))
    plan = drawn[:, POLICIES.index("order_plan")]
    saved, saved_usd = {}, {}
    for rival in RIVALS:
        other = drawn[:, POLICIES.index(rival)]
        low, high = np.quantile(1 - plan / np.maximum(other, 1e-9), (0.025, 0.975))
        saved[rival] = Interval(float(1 - total["order_plan"] / max(total[rival], 1e-9)), float(low), float(high))
        low, high = np.quantile(other - plan, (0.1, 0.9))
        saved_usd[rival] = Amount(float(total[rival] - total["order_plan"]), float(low), float(high))
    return Savings(region, len(costs), int(demand.sum()), {name: float(value) for name, value in total.items()}, saved, saved_usd)
