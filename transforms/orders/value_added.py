"""Forecast value added (Gilliland 2010): whether the edits of planners were better than the plan that they changed, given the demand that came.

An edit counts as it stood when its week began: later ones could know what sold. Where less than planned was loaded and all of it sold, nobody knows
what more would have sold; what the forecast expects of it takes that place, since to leave such lines out would leave out the cuts that went wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import t as student

from transforms.arrays import Floats64
from transforms.calendar import SliceBlock
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN
from transforms.contracts.orders import OVERRIDES, VALUE_ADDED
from transforms.lake.database import open_database
from transforms.lake.tables import Lake, day, region_list
from transforms.orders.effect import Known, expected_beyond, floats

ALPHA = 0.05
"""Chance that any of the verdicts of one summary is wrong where no edit makes a difference."""
FEWEST_WEEKS = 4


def value_edits(lake: Lake, block: SliceBlock) -> None:
    """Replace the rows of gold/value_added of a block of target weeks."""
    lake.replace(VALUE_ADDED.name, block, value_of_edits(lake, block))


def value_of_edits(lake: Lake, block: SliceBlock) -> pa.Table:
    """Rows of gold/value_added of a block of target weeks, as far as their demand has landed."""
    targets = f"region in ({region_list(block.regions)}) and target_week between {day(block.first)} and {day(block.last)}"
    weeks = targets.replace("target_week", "week")
    with lake.connect(OVERRIDES.name, ORDER_PLAN.name, FORECASTS.name, DEMAND.name) as connection:
        rows = connection.execute(
            f"""
            with edits as (
                select * exclude (origin_week) from gold_overrides where {targets} and edited_at < target_week::timestamp at time zone 'UTC'
                qualify row_number() over (partition by region, store_id, product_id, target_week order by edited_at desc) = 1
            ),
            plans as (
                select * from gold_order_plan where {targets} and origin_week < target_week
                qualify row_number() over (partition by region, store_id, product_id, target_week order by origin_week desc) = 1
            ),
            actual as (select * from gold_demand where {weeks}),
            landed as (select distinct region, week as target_week from actual)
            select
                p.region, p.store_id, p.product_id, p.target_week as week, e.person, e.reason,
                p.order_quantity as planned_quantity, e.quantity_to as order_quantity, coalesce(a.demand, 0) as demand,
                coalesce(
                    e.quantity_to < p.order_quantity and a.units_returned = 0 and a.units_shipped between 1 and e.quantity_to, false
                ) as sold_out,
                p.margin, p.return_cost, p.service_level, p.expected_returns, p.expected_lost_sales, f.p_demand, f.q10, f.q50, f.q90, f.expected
            from edits as e
            join plans as p using (region, store_id, product_id, target_week)
            join landed using (region, target_week)
            left join gold_forecasts as f using (region, store_id, product_id, origin_week, target_week)
            left join actual as a on a.region = p.region and a.store_id = p.store_id and a.product_id = p.product_id and a.week = p.target_week
            where e.quantity_to is not null and e.quantity_to <> p.order_quantity and p.margin is not null
            order by all
            """
        ).to_arrow_table()
    return _valued(rows).select(VALUE_ADDED.names).cast(VALUE_ADDED.schema)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the edits of one person (reason, region) were worth in a week, on average, with bounds that hold for all of a list at once."""

    name: str
    edits: int
    weeks: int
    sold_out: int
    units: float
    units_low: float
    units_high: float
    usd: float
    usd_low: float
    usd_high: float

    @property
    def verdict(self) -> str:
        """`helped`, `cost`, or `open` where that cannot be told from what there is."""
        return "helped" if self.usd_low > 0 else "cost" if self.usd_high < 0 else "open"


def summaries(rows: pa.Table, by: str, alpha: float = ALPHA) -> list[Summary]:
    """Sum up rows of gold/value_added by a column, the most edits first.

    Edits of one week share its weather and its luck, so a week is one observation: bounds are those of Student's t over the weeks with edits, at a
    level that all of them hold together with probability 1 - alpha (Bonferroni). Of fewer than four weeks nothing is told.
    """
    with open_database() as connection:
        connection.register("rows", rows)
        weekly = connection.execute(
            f"""
            select
                {by} as name, week, count(*) as edits, count(*) filter (where sold_out) as sold_out,
                sum(units_saved) as units, sum(usd_saved) as usd
            from rows group by 1, 2 order by 1, 2
            """
        ).to_arrow_table()
    names = np.asarray(weekly["name"].to_pylist(), np.str_)
    found = [_summary(str(name), weekly.filter(pa.array(names == name)), alpha / max(1, len(set(names)))) for name in sorted(set(names))]
    return sorted(found, key=lambda one: -one.edits)


def _summary(name: str, weekly: pa.Table, alpha: float) -> Summary:
    units, usd = (weekly[column].cast(pa.float64()).to_numpy() for column in ("units", "usd"))
    counts = (int(np.sum(weekly[column].to_numpy())) for column in ("edits", "sold_out"))
    edits, sold_out = counts
    return Summary(name, edits, weekly.num_rows, sold_out, *_mean_with_bounds(units, alpha), *_mean_with_bounds(usd, alpha))


def _mean_with_bounds(weekly: Floats64, alpha: float) -> Iterable[float]:
    mean, n = float(weekly.mean()), len(weekly)
    if n < FEWEST_WEEKS:
        return mean, -np.inf, np.inf
    half = float(student.ppf(1 - alpha / 2, n - 1) * weekly.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def _valued(rows: pa.Table) -> pa.Table:
    planned, loaded, demand = (floats(rows[name]) for name in ("planned_quantity", "order_quantity", "demand"))
    sold_out = np.asarray(rows["sold_out"].to_pylist(), bool)
    known = Known(**{name: floats(rows["planned_quantity" if name == "planned" else name]) for name in Known.__dataclass_fields__})
    missed = np.where(sold_out, expected_beyond(known, loaded), np.maximum(demand - loaded, 0))
    # Of a line that sold out, the plan would have met what the edit missed, up to its own quantity; what came beyond that both miss.
    beyond_plan = np.where(sold_out, expected_beyond(known, planned, loaded), np.maximum(demand - planned, 0))
    left = np.where(sold_out, 0, np.maximum(loaded - demand, 0))
    left_by_plan = np.where(sold_out, planned - loaded - (missed - beyond_plan), np.maximum(planned - demand, 0))
    units = left_by_plan + beyond_plan - left - missed
    usd = (left_by_plan - left) * floats(rows["return_cost"]) + (beyond_plan - missed) * floats(rows["margin"])
    return rows.append_column("units_saved", pa.array(np.round(units, 6))).append_column("usd_saved", pa.array(np.round(usd, 6)))
