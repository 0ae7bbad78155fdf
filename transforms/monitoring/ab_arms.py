"""What the arms of an A/B test did: their errors by store and week, from `gold/ab_forecasts` and the demand that came.

Counted is the forecast of the week that is shipped next (horizon 1): what is further ahead is planned anew before it is shipped.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from transforms.arrays import Floats64
from transforms.calendar import Week
from transforms.contracts.ab_tests import AB_FORECASTS, ARMS
from transforms.contracts.gold import DEMAND
from transforms.lake.tables import Lake, day
from transforms.records.ab_tests import AbTest

_METRIC = {
    "ape": "avg(abs(demand - {arm}_size) / demand) filter (where demand > 0)",
    "cost": "sum(greatest(demand - {arm}_order, 0) * coalesce(margin, 0) + greatest({arm}_order - demand, 0) * coalesce(return_cost, 0))",
}


@dataclass(frozen=True)
class Arms:
    """Errors by store (row) and week of the test (column), NaN where there is none.

    Attributes
    ----------
    champion, challenger
        Shape (stores, weeks). In the shadow both are there for every store; else only that of the arm that was served.
    """

    stores: tuple[str, ...]
    champion: Floats64
    challenger: Floats64

    def differences(self, test: AbTest) -> Floats64:
        """Champion's less challenger's: by store in the shadow, else by pair of stores; shape (units, weeks)."""
        if test.mode == "shadow":
            return self.champion - self.challenger
        row = {store: index for index, store in enumerate(self.stores)}
        pairs = [(row[first], row[second]) for first, second in test.pairs if first in row and second in row]
        one, other = (np.asarray([pair[side] for pair in pairs], int) for side in (0, 1))
        first_treated: Floats64 = self.champion[other] - self.challenger[one]
        found: Floats64 = np.where(np.isfinite(first_treated), first_treated, self.champion[one] - self.challenger[other])
        return found


def arms(lake: Lake, test: AbTest, until: Week) -> Arms | None:
    """Read a test's arms up to the target week `until`; None before any of its forecasts met demand."""
    weeks = min(until - test.first, test.weeks)
    if weeks < 1:
        return None
    errors = ", ".join(f"{_METRIC[test.metric].format(arm=arm)} as {arm}" for arm in ARMS)
    with lake.connect(AB_FORECASTS.name, DEMAND.name) as connection:
        rows = connection.execute(
            f"""
            with landed as (select distinct week from gold_demand where region = '{test.region}'),
            said as (
                select f.*, coalesce(d.demand, 0) as demand from gold_ab_forecasts as f
                semi join landed as l on l.week = f.target_week
                left join gold_demand as d
                    on d.region = f.region and d.store_id = f.store_id and d.product_id = f.product_id and d.week = f.target_week
                where f.region = '{test.region}' and f.test_id = '{test.test_id}'
                    and f.target_week = f.origin_week + 7 and f.target_week <= {day(until)}
            )
            select store_id, served, ((target_week - {day(test.first)}) // 7 - 1)::int as week, {errors}
            from said group by all order by store_id
            """
        ).to_arrow_table()
    if not rows.num_rows:
        return None
    stores, position = np.unique(np.asarray(rows["store_id"].to_pylist(), np.str_), return_inverse=True)
    week, served = rows["week"].to_numpy(), np.asarray(rows["served"].to_pylist(), np.str_)
    found = Arms(tuple(map(str, stores)), *(np.full((len(stores), weeks), np.nan) for _ in range(2)))
    for arm in ARMS:
        in_arm = np.full(len(position), True) if test.mode == "shadow" else served == arm
        getattr(found, arm)[position[in_arm], week[in_arm]] = rows[arm].cast(pa.float64()).to_numpy()[in_arm]
    return found
