"""Plans in money, against a plain loop over rows and over every number of cases."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.plan_value import plan_value
from models.members.distribution import orders
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN, PLAN_VALUE

ORIGIN = date(2024, 5, 27)
TARGET = ORIGIN + timedelta(weeks=2)


def table(contract, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in contract.names} for row in rows], schema=contract.schema)


def random_rows(rng: np.random.Generator) -> list[dict[str, object]]:
    return [
        {
            "region": "ohio",
            "store_id": f"S{store}",
            "product_id": f"P{product}",
            "origin_week": ORIGIN,
            "target_week": TARGET,
            "week": TARGET,
            "horizon": 2,
            "case_pack": int(pack := rng.choice([1, 4, 6, 12])),
            "order_quantity": int(pack * rng.integers(0, 5)),
            "margin": float(rng.uniform(0.1, 3)),
            "return_cost": float(rng.uniform(0.05, 1)),
            "expected": float(rng.uniform(0, 40)),
            "baseline": float(rng.uniform(0, 40)),
            "demand": int(rng.choice([0, rng.integers(1, 50)])),
        }
        for store in range(3)
        for product in range(5)
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_policy_costs_what_a_loop_over_the_rows_says(seed: int) -> None:
    rows = random_rows(np.random.default_rng(seed))
    # Weeks without demand have no row in gold/demand.
    made = plan_value(table(ORDER_PLAN, rows), table(FORECASTS, rows), table(DEMAND, [row for row in rows if row["demand"]])).to_pylist()
    assert len(made) == 3 * 3
    for found in made:
        mine = [row for row in rows if row["store_id"] == found["store_id"]]
        left = missed = shipped = 0.0
        cost = 0.0
        for row in mine:
            pack, demand = row["case_pack"], row["demand"]

            def cost_of(quantity: float, row=row, demand=demand) -> float:
                return row["margin"] * max(demand - quantity, 0) + row["return_cost"] * max(quantity - demand, 0)

            quantity = {
                "order_plan": row["order_quantity"],
                "point_forecast": np.floor(row["expected"] / pack + 0.5) * pack,
                "historical_average": np.floor(row["baseline"] / pack + 0.5) * pack,
            }[found["policy"]]
            shipped += quantity
            left += max(quantity - demand, 0)
            missed += max(demand - quantity, 0)
            cost += cost_of(quantity)
        assert (found["n"], found["demand"]) == (5, sum(row["demand"] for row in mine))
        assert found["cost_left"] + found["cost_missed"] == pytest.approx(cost)
        assert (found["units_shipped"], found["units_left"], found["units_missed"]) == (shipped, left, missed)


def test_plans_of_before_costs_were_kept_are_left_out() -> None:
    rows = random_rows(np.random.default_rng(1))
    old = [{**row, "case_pack": None, "margin": None, "return_cost": None} for row in rows]
    made = plan_value(table(ORDER_PLAN, old), table(FORECASTS, rows), table(DEMAND, rows))
    assert made.num_rows == 0
    assert made.schema == PLAN_VALUE.schema


@given(st.integers(0, 10_000))
def test_with_a_size_for_each_row_the_order_costs_no_more_than_any_other_number_of_cases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 8
    p, size = rng.random(n).astype(np.float32), rng.integers(1, 60, n).astype(np.float32)
    pack, lost, returned = (rng.choice([1, 4, 6, 12], n).astype(np.float32), *(rng.uniform(0.05, 1, n).astype(np.float32) for _ in range(2)))
    plan = orders(p, np.ones((n, 1), np.float32), size[:, None], pack, lost, returned)

    def costs(quantity: np.ndarray) -> np.ndarray:
        short, over = np.maximum(size - quantity, 0), np.maximum(quantity - size, 0)
        return p * (lost * short + returned * over) + (1 - p) * returned * quantity

    least = np.min([costs(cases * pack) for cases in range(80)], axis=0)
    assert (plan.quantity % pack == 0).all()
    assert costs(plan.quantity) == pytest.approx(least, abs=1e-3)
    assert lost * plan.expected_lost_sales + returned * plan.expected_returns == pytest.approx(costs(plan.quantity), abs=1e-3)
