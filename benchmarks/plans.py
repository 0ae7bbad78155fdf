"""The order plan in money on the sample world, whose true demand is known: that of sold-out weeks too, which no delivery shows.

Plans are made as in production, from deliveries alone, at two origins. They are valued by what was delivered, as real data would have it, and by the
true demand, beside a plan that knows the true distribution of each row: no other can be expected to cost less.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.worlds import QUIET, conditioned, read_truth
from models.evaluation.plan_value import plan_value
from models.members.distribution import orders
from orchestration.cli.session import run_weeks
from orchestration.project import Project
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.monitoring.savings import Savings, savings_of
from transforms.world import WorldSpec
from transforms.world.simulation import CASES, case_probabilities

SPEC = WorldSpec(regions=4)


def plans(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all
    """Cost of the plan, shares saved, and the ratio to the plan that knows the truth."""
    project = Project(provider="sample", explain_share=0)
    settings, lake, truth = conditioned(scratch / "world", SPEC, project)
    last = last_week(lake)
    assert last is not None
    for back in (2, 1):
        origin = str(last + -project.horizons * back)
        run_weeks(settings, (origin, origin), [], True, QUIET)
    return measured(lake, truth)


def measured(lake: Lake, truth: Path) -> list[dict[str, object]]:
    """Value the plans of a lake by deliveries and by the truth."""
    made, forecasts = lake.read("gold/order_plan"), lake.read("gold/forecasts")
    known = read_truth(truth)
    landed = lake.read("gold/demand", columns="max(week) as week")["week"][0].as_py()
    made = made.filter(pc.less_equal(made["target_week"], landed))
    delivered = savings_of(plan_value(made, forecasts, lake.read("gold/demand")))[-1]
    true = savings_of(plan_value(made, forecasts, known))[-1]
    best = savings_of(plan_value(_knowing(made, known), forecasts, known))[-1]
    ratio = true.cost["order_plan"] / best.cost["order_plan"]
    return [
        *_rows("deliveries", delivered),
        *_rows("true demand", true),
        {"name": "plan: cost over that of knowing the truth", "value": ratio, "unit": "ratio", "peer": "true distribution", "peer_value": 1.0},
    ]


def _rows(by: str, found: Savings) -> list[dict[str, object]]:
    return [
        {
            "name": f"plan: cost by {by}",
            "value": found.cost["order_plan"],
            "unit": f"USD, saved {saved}",
            "peer": f"{rival.replace('_', ' ')} in whole cases",
            "peer_value": found.cost[rival],
        }
        for rival, saved in found.saved.items()
    ]


def _knowing(plan: pa.Table, truth: pa.Table) -> pa.Table:
    """The plan with the quantities that the true distribution asks for."""
    with open_database() as connection:
        connection.register("plan", plan)
        connection.register("truth", truth)
        rows = connection.execute(
            """
            select p.*, t.p_demand, t.mean_log, t.sigma from plan as p
            join truth as t on t.region = p.region and t.store_id = p.store_id and t.product_id = p.product_id and t.week = p.target_week
            """
        ).to_arrow_table()
    of = {name: rows[name].to_numpy().astype(np.float32) for name in ("p_demand", "case_pack", "margin", "return_cost")}
    pmf = case_probabilities(rows["mean_log"].to_numpy(), float(rows["sigma"][0].as_py())).astype(np.float32)
    best = orders(of["p_demand"], pmf, CASES[None, :] * of["case_pack"][:, None], of["case_pack"], of["margin"], of["return_cost"])
    column = rows.schema.get_field_index("order_quantity")
    return rows.set_column(column, "order_quantity", pa.array(best.quantity)).select(plan.column_names)
