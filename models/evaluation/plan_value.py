"""The order plan in money: what it would have cost to ship what each policy says, given the demand that came.

A unit of demand that is not met costs its margin, a unit left over its return. Policies are compared on the same products, stores and weeks, with the
costs that the plan itself reckoned with.
"""

import pyarrow as pa

from transforms.contracts.gold import PLAN_VALUE
from transforms.lake.database import open_database


def plan_value(plans: pa.Table, forecasts: pa.Table, demand: pa.Table) -> pa.Table:
    """What plans and their rivals cost.

    Parameters
    ----------
    plans, forecasts
        Rows of gold/order_plan and gold/forecasts; plans of before costs were kept beside them are left out.
    demand
        Rows of gold/demand for their target weeks; a plan without one met no demand.

    Returns
    -------
    pyarrow.Table
        Rows of gold/plan_value.
    """
    with open_database() as connection:
        for name, table in (("plans", plans), ("forecasts", forecasts), ("actual", demand)):
            connection.register(name, table)
        rows = connection.execute(_SQL).to_arrow_table()
    return rows.select(PLAN_VALUE.names).cast(PLAN_VALUE.schema)


_SQL = """
with

planned as (
    select
        p.*,
        f.horizon,
        coalesce(a.demand, 0) as demand,
        round(f.expected / p.case_pack) * p.case_pack as point_forecast,
        round(f.baseline / p.case_pack) * p.case_pack as historical_average
    from plans as p
    join forecasts as f using (region, store_id, product_id, origin_week, target_week)
    left join actual as a
        on a.region = p.region and a.store_id = p.store_id and a.product_id = p.product_id and a.week = p.target_week
    where p.case_pack is not null
),

choices as (
    select
        *,
        unnest([
            {policy: 'order_plan', quantity: order_quantity},
            {policy: 'point_forecast', quantity: point_forecast},
            {policy: 'historical_average', quantity: historical_average}
        ], recursive := true)
    from planned
),

outcomes as (
    select *, greatest(quantity - demand, 0) as units_left, greatest(demand - quantity, 0) as units_missed
    from choices
)

select
    region,
    store_id,
    target_week as week,
    horizon,
    policy,
    count(*) as n,
    sum(demand) as demand,
    sum(quantity) as units_shipped,
    sum(units_left) as units_left,
    sum(units_missed) as units_missed,
    sum(units_left * return_cost) as cost_left,
    sum(units_missed * margin) as cost_missed
from outcomes
group by all
order by all
"""
