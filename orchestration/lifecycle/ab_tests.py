"""A/B tests of a challenger: it forecasts its segment beside the champion and serves the stores that drew it; then how both arms compare.

Starting and stopping a test is a record of `transforms.records.ab_tests`, the interval that decides is `models.evaluation.ab_test`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.evaluation.ab_test import lift, treated_stores
from models.evaluation.gate import Gate, judge
from models.serving.failover import Serving
from orchestration.lifecycle.serving import load_version
from transforms.calendar import Region, Slice, SliceBlock, Week, blocks_of, weeks_between
from transforms.contracts.ab_tests import AB_FORECASTS, AB_LIFT
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.lake.tables import Lake
from transforms.monitoring.ab_arms import arms
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
    forecasts: pa.Table,
    plan: pa.Table,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Let the challengers of the tests that run at an origin forecast too.

    Parameters
    ----------
    score
        Makes rows of gold/forecasts and gold/order_plan from ladders and averages.
    gate
        By which a challenger is called significant.
    forecasts, plan
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
        tested.append(_arms(test, forecasts, plan, theirs, their_plan, treated))
        forecasts, plan = _served(forecasts, plan, theirs, their_plan, treated)
    return forecasts, plan, pa.concat_tables(tested)


def _challenger(lake: Lake, test: AbTest, below: Serving | None, gate: Gate) -> Serving:
    [row] = versions_named(lake, [test.challenger])
    reason = f"A/B test {test.test_id}, {test.mode}"
    significant = judge(json.loads(row["metrics"]), gate).passed
    return Serving(partial(load_version, lake, row), test.challenger, row["trained_week"], CHALLENGER, reason, below, significant)


def _arms(test: AbTest, forecasts: pa.Table, plan: pa.Table, theirs: pa.Table, their_plan: pa.Table, treated: set[str]) -> pa.Table:
    """Both arms' sizes and orders on the rows of the segment."""
    orders = plan.select([*_KEYS, "order_quantity", "margin", "return_cost"]).rename_columns([*_KEYS, "champion_order", "margin", "return_cost"])
    their_orders = their_plan.select([*_KEYS, "order_quantity"]).rename_columns([*_KEYS, "challenger_order"])
    own = forecasts.select([*_KEYS, "size"]).rename_columns([*_KEYS, "champion_size"])
    rows = theirs.select(["region", "origin_week", *_KEYS, "size"]).rename_columns(["region", "origin_week", *_KEYS, "challenger_size"])
    for other in (own, orders, their_orders):
        rows = rows.join(other, keys=_KEYS, join_type="inner")
    served = pc.if_else(pc.is_in(rows["store_id"], value_set=pa.array(sorted(treated), pa.string())), CHALLENGER, CHAMPION)
    rows = rows.append_column("served", served).append_column("test_id", pa.repeat(test.test_id, rows.num_rows))
    return rows.select(AB_FORECASTS.names).cast(AB_FORECASTS.schema)


def _served(forecasts: pa.Table, plan: pa.Table, theirs: pa.Table, their_plan: pa.Table, treated: set[str]) -> tuple[pa.Table, pa.Table]:
    """Forecasts and plan with the rows of the treated stores from the challenger."""
    taken = theirs.filter(pc.is_in(theirs["store_id"], value_set=pa.array(sorted(treated), pa.string())))
    if not taken.num_rows:
        return forecasts, plan
    keys = taken.select(_KEYS)
    return (
        pa.concat_tables([_without(forecasts, keys), taken.select(forecasts.column_names)]),
        pa.concat_tables([_without(plan, keys), their_plan.join(keys, keys=_KEYS, join_type="left semi").select(plan.column_names)]),
    )


def _without(rows: pa.Table, keys: pa.Table) -> pa.Table:
    return rows.join(keys, keys=_KEYS, join_type="left anti").select(rows.column_names)


@dataclass(frozen=True, slots=True)
class Standing:
    """A test with its rows of `gold/ab_lift`, oldest first."""

    test: AbTest
    rows: list[dict[str, object]]


def update_lift(lake: Lake, slices: Sequence[Slice]) -> list[Standing]:
    """Write the rows of `gold/ab_lift` for the slices' weeks and return how the tests of their regions stand; those without a look are left out."""
    regions = {str(item.region) for item in slices}
    tested = [test for test in recorded(lake) if test.region in regions]
    for block in blocks_of(slices) if tested or lake.exists(AB_LIFT.name) else []:
        lake.replace(AB_LIFT.name, block, lift_rows(lake, block))
    return [standing for standing in standings(lake, tested) if standing.rows]


def lift_rows(lake: Lake, block: SliceBlock) -> pa.Table:
    """Rows of `gold/ab_lift` for the target weeks of a block; a test that was stopped keeps the looks that it had."""
    rows = [
        row
        for region in block.regions
        for test in recorded(lake, region)
        for week in weeks_between(max(block.first, test.first + 1), block.last)
        if test.runs_at(week + -1) and (row := _look(lake, test, week)) is not None
    ]
    return pa.Table.from_pylist(rows, schema=AB_LIFT.schema)


def standings(lake: Lake, tests: Sequence[AbTest]) -> list[Standing]:
    """List how tests stood at each look that is on record."""
    if not lake.exists(AB_LIFT.name):
        return [Standing(test, []) for test in tests]
    rows = sorted(lake.read(AB_LIFT.name).to_pylist(), key=lambda row: row["week"])
    return [Standing(test, [row for row in rows if row["test_id"] == test.test_id]) for test in tests]


def _look(lake: Lake, test: AbTest, week: Week) -> dict[str, object] | None:
    found = arms(lake, test, week)
    if found is None:
        return None
    differences = found.differences(test)
    # A week that adds nothing is no look: its forecasts were never made, or the challenger failed.
    if not np.isfinite(differences[:, -1]).any():
        return None
    outcome = lift(differences, test.mode, test.alpha, test.weeks)
    return {
        "test_id": test.test_id,
        "region": test.region,
        "week": week.monday,
        "look": differences.shape[1],
        "units": outcome.units,
        "champion": _mean(found.champion),
        "challenger": _mean(found.challenger),
        "difference": outcome.difference if outcome.units else None,
        "low": outcome.low,
        "high": outcome.high,
        "verdict": outcome.verdict,
    }


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
