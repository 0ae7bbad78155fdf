"""Scoring while A/B tests run: the challenger forecasts its segment beside the champion, and serves the stores that drew it."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.evaluation.ab_test import treated_stores
from models.evaluation.gate import Gate, judge
from models.serving.failover import Serving
from orchestration.lifecycle.serving import load_version
from transforms.calendar import Region, Week
from transforms.contracts.ab_tests import AB_FORECASTS
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.lake.tables import Lake
from transforms.records.ab_tests import AbTest, recorded
from transforms.records.model_registry import versions_named
from transforms.rows import Segment

Ladders = Mapping[Segment, Serving]
Score = Callable[..., tuple[pa.Table, pa.Table]]
_KEYS = ["store_id", "product_id", "target_week"]


def with_tests(
    lake: Lake,
    region: Region,
    week: Week,
    score: Score,
    ladders: Ladders,
    averages: Mapping[str, Any],
    gate: Gate,
    made: pa.Table,
    plan: pa.Table,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Let the challengers of the tests that run at an origin forecast too.

    Parameters
    ----------
    score
        Makes rows of gold/forecasts and gold/order_plan from ladders and averages.
    gate
        By which a challenger is called significant.
    made, plan
        Those rows without any test.

    Returns
    -------
    (pyarrow.Table, pyarrow.Table, pyarrow.Table)
        Forecasts and plan as they are served, and rows of gold/ab_forecasts. A challenger that fails changes nothing and leaves no rows.
    """
    tested = [AB_FORECASTS.schema.empty_table()]
    for test in (test for test in recorded(lake, region) if test.runs_at(week)):
        challenger = _challenger(lake, test, ladders.get(test.segment), gate)
        theirs, their_plan = score({test.segment: challenger}, averages)
        theirs = theirs.filter(pc.equal(theirs["rung"], challenger.rung))
        if not theirs.num_rows:
            continue
        treated = treated_stores(test.pairs, test.mode, week - test.first, test.seed)
        tested.append(_arms(test, made, plan, theirs, their_plan, treated))
        made, plan = _served(made, plan, theirs, their_plan, treated)
    return made, plan, pa.concat_tables(tested)


def _challenger(lake: Lake, test: AbTest, below: Serving | None, gate: Gate) -> Serving:
    [row] = versions_named(lake, [test.challenger])
    reason = f"A/B test {test.test_id}, {test.mode}"
    significant = judge(json.loads(row["metrics"]), gate).passed
    return Serving(partial(load_version, lake, row), test.challenger, row["trained_week"], CHALLENGER, reason, below, significant)


def _arms(test: AbTest, made: pa.Table, plan: pa.Table, theirs: pa.Table, their_plan: pa.Table, treated: set[str]) -> pa.Table:
    """Both arms' sizes and orders on the rows of the segment."""
    orders = plan.select([*_KEYS, "order_quantity", "margin", "return_cost"]).rename_columns([*_KEYS, "champion_order", "margin", "return_cost"])
    their_orders = their_plan.select([*_KEYS, "order_quantity"]).rename_columns([*_KEYS, "challenger_order"])
    own = made.select([*_KEYS, "size"]).rename_columns([*_KEYS, "champion_size"])
    rows = theirs.select(["region", "origin_week", *_KEYS, "size"]).rename_columns(["region", "origin_week", *_KEYS, "challenger_size"])
    for other in (own, orders, their_orders):
        rows = rows.join(other, keys=_KEYS, join_type="inner")
    served = pc.if_else(pc.is_in(rows["store_id"], value_set=pa.array(sorted(treated), pa.string())), CHALLENGER, CHAMPION)
    rows = rows.append_column("served", served).append_column("test_id", pa.repeat(test.test_id, rows.num_rows))
    return rows.select(AB_FORECASTS.names).cast(AB_FORECASTS.schema)


def _served(made: pa.Table, plan: pa.Table, theirs: pa.Table, their_plan: pa.Table, treated: set[str]) -> tuple[pa.Table, pa.Table]:
    """Forecasts and plan with the rows of the treated stores from the challenger."""
    taken = theirs.filter(pc.is_in(theirs["store_id"], value_set=pa.array(sorted(treated), pa.string())))
    if not taken.num_rows:
        return made, plan
    keys = taken.select(_KEYS)
    return (
        pa.concat_tables([_without(made, keys), taken.select(made.column_names)]),
        pa.concat_tables([_without(plan, keys), their_plan.join(keys, keys=_KEYS, join_type="left semi").select(plan.column_names)]),
    )


def _without(rows: pa.Table, keys: pa.Table) -> pa.Table:
    return rows.join(keys, keys=_KEYS, join_type="left anti").select(rows.column_names)
